"""Private stores of jobs are found again by the runner layer, and nothing else is taken for one."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest
from helpers.capabilities import needs_symlinks
from helpers.faults import failing

from safe_install.errors import StoreError
from safe_install.locks.processes import Process
from safe_install.store import Store
from safe_install.store.jobs import is_job_layer, read_jobs, register

if TYPE_CHECKING:
    from pathlib import Path

    from safe_install.store.jobs import JobLayer
    from safe_install.store.layout import Layout


@pytest.fixture
def runner(tmp_path: Path) -> Layout:
    return Store.open(tmp_path / "runner").layout


def put(runner: Layout, store: Path, job: str | None = None) -> JobLayer:
    return register(runner, store, job=job, budget=0, sink=lambda event: None)


def test_what_was_registered_is_found_with_who_did_it(runner: Layout, tmp_path: Path) -> None:
    put(runner, tmp_path / "a", "https://ci.test/job/7")
    put(runner, tmp_path / "b")
    found = {each.path: each for each in read_jobs(runner)}
    assert set(found) == {tmp_path / "a", tmp_path / "b"}
    assert found[tmp_path / "a"].job == "https://ci.test/job/7"
    assert found[tmp_path / "b"].job is None
    assert found[tmp_path / "a"].process == Process.this()


def test_one_store_has_one_record_however_often_it_is_used(runner: Layout, tmp_path: Path) -> None:
    first = put(runner, tmp_path / "a")
    second = put(runner, tmp_path / "a", "later")
    (found,) = read_jobs(runner)
    assert found.created == first.created == second.created
    assert found.job == "later"


def test_a_forgotten_one_is_gone_and_its_store_is_not(runner: Layout, tmp_path: Path) -> None:
    store = Store.open(tmp_path / "a")
    record = put(runner, store.root)
    record.forget()
    record.forget()
    assert read_jobs(runner) == []
    assert store.root.exists()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"format": 2}', '{"format": 1, "path": 3}', "\0\0\0", '{"format": 1}']
)
def test_a_record_that_cannot_be_read_is_left_out(runner: Layout, tmp_path: Path, text: str) -> None:
    put(runner, tmp_path / "a")
    (runner.jobs / "other.json").write_text(text)
    assert [each.path for each in read_jobs(runner)] == [tmp_path / "a"]


def test_a_record_with_a_relative_path_is_left_out(runner: Layout, tmp_path: Path) -> None:
    record = put(runner, tmp_path / "a").record
    document = json.loads(record.read_bytes())
    record.write_text(json.dumps(document | {"path": "../../etc"}))
    assert read_jobs(runner) == []


def test_a_store_of_an_earlier_release_has_no_folder_for_them_yet(runner: Layout, tmp_path: Path) -> None:
    runner.jobs.rmdir()
    assert read_jobs(runner) == []
    put(runner, tmp_path / "a")
    assert len(read_jobs(runner)) == 1


def test_a_full_disk_is_told_and_leaves_nothing(runner: Layout, tmp_path: Path) -> None:
    with failing("open", "jobs", 28), pytest.raises(StoreError) as caught:
        put(runner, tmp_path / "a")
    assert caught.value.code == "disk-full"
    assert os.listdir(runner.jobs) == []


class TestWhatMayBeRemoved:
    def test_a_store_may(self, runner: Layout, tmp_path: Path) -> None:
        assert is_job_layer(Store.open(tmp_path / "a").root, runner)

    def test_other_folders_files_and_nothing_may_not(self, runner: Layout, tmp_path: Path) -> None:
        (tmp_path / "precious").mkdir(mode=0o700)
        (tmp_path / "precious" / "thesis.txt").write_text("x")
        (tmp_path / "file").write_text("x")
        for name in ("precious", "file", "absent"):
            assert not is_job_layer(tmp_path / name, runner)

    def test_the_runner_layer_itself_may_not(self, runner: Layout) -> None:
        assert not is_job_layer(runner.root, runner)

    @needs_symlinks
    def test_a_link_to_a_store_may_not(self, runner: Layout, tmp_path: Path) -> None:
        Store.open(tmp_path / "a")
        (tmp_path / "link").symlink_to(tmp_path / "a", target_is_directory=True)
        assert not is_job_layer(tmp_path / "link", runner)
