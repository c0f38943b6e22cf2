"""What dead processes left goes; what may be of a live one stays until it has been quiet."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

import pytest
from helpers.capabilities import link_to_folder, needs_folder_links
from helpers.storage import DAY, add_lease, add_wheel, dead_process, dead_tag, digest_of, set_age

from safe_install.events import ignore
from safe_install.fs._system import boot_name
from safe_install.locks.processes import Process, own_tag
from safe_install.store import gc
from safe_install.store.documents import CachedPage
from safe_install.store.gc import Collection, Limits, collect
from safe_install.store.jobs import register
from safe_install.store.store import Store

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "store", retry_budget=0)


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that have passed for the clean-up."""
    passed = [0.0]
    monkeypatch.setattr(gc, "file_system_now", lambda _: time.time() + passed[0])
    return passed


def run(store: Store, **limits: float) -> Collection:
    return collect(store.layout, Limits(**limits), lock_timeout=0, sink=ignore)  # type: ignore[arg-type]  # see the test


def elsewhere() -> Process:
    """A process of another machine, of which nothing is known here."""
    return Process("other-host", "other-machine", 1, "1")


def item(folder: Path, name: str) -> Path:
    path = folder / name
    path.mkdir(parents=True)
    (path / "part").write_bytes(b"x")
    return path


@pytest.mark.parametrize("folder", ["staging", "trash"])
def test_what_a_dead_process_was_making_goes_at_once(store: Store, folder: str) -> None:
    dead, live = item(store.root / folder, f"x.{dead_tag()}"), item(store.root / folder, f"x.{own_tag()}")
    nameless = item(store.root / folder, "x")
    found = run(store)
    assert (dead.exists(), live.exists(), nameless.exists()) == (False, True, True)
    assert found.left_overs == {folder: 1}


@pytest.mark.parametrize("folder", ["staging", "trash"])
@pytest.mark.parametrize("hours", [0.5, 2])
def test_what_is_not_known_to_be_dead_goes_when_it_has_been_quiet(
    store: Store, later: list[float], folder: str, hours: float
) -> None:
    path = item(store.root / folder, "x.0123456789ab-1-1")
    later[0] = hours * 3600
    run(store)
    assert path.exists() is (hours < 1)


def test_entry_without_a_manifest_is_given_up_after_a_day(store: Store, later: list[float]) -> None:
    path = item(store.root / "wheels-1" / "ab", "ab" * 16)
    run(store)
    assert path.exists()
    later[0] = 2 * DAY
    assert run(store).left_overs == {"half-made": 1}
    assert not path.exists()


def test_names_that_are_not_ours_are_left_alone(store: Store, later: list[float]) -> None:
    places = [item(store.root, "notes"), item(store.root / "wheels-1", "README"), item(store.root / "files-1", "ab/x")]
    later[0] = 900 * DAY
    run(store, max_size=0, max_age=0)
    assert [path.exists() for path in places] == [True, True, True]


def test_old_versions_of_pages_go(store: Store) -> None:
    key = digest_of("page")
    page = CachedPage(url="https://index.test/x/", content_type="text/html", body=b"x")
    for _ in range(2):
        store.publish_page(key, page)
    newest = store.layout.page(key, 2)
    for version in (0, 10, 11):
        store.layout.page(key, version).write_bytes(newest.read_bytes())
    assert run(store).left_overs == {"old page": 3}
    assert store.layout.page_versions(key) == [11, 10]


@pytest.mark.parametrize(("age", "there"), [(0.0, True), (2 * DAY, False)])
def test_lease_of_another_machine_goes_a_day_after_its_last_sign_of_life(store: Store, age: float, there: bool) -> None:
    lease = add_lease(store, [], process=elsewhere(), age=age)
    run(store)
    assert lease.exists() is there


@pytest.mark.parametrize(
    ("process", "age", "there"),
    [
        (dead_process(), 0.0, True),
        (dead_process(), 7200.0, False),
        (Process.this(), 7200.0, True),
        (elsewhere(), 7200.0, True),
        (elsewhere(), 2 * DAY, False),
        (None, 7200.0, False),
    ],
)
def test_note_of_a_lock_goes_when_its_holder_is_dead_and_it_is_old(
    store: Store, process: Process | None, age: float, there: bool
) -> None:
    note = store.layout.lock("wheel-x").with_name("wheel-x.lock.owner")
    text = json.dumps({**process.to_json(), "since": 1.0}) if process else "garbage"
    note.write_text(text)
    # A status change cannot be set back, so the time of the note is that of its last beat.
    set_age(note, age)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gc, "file_system_now", lambda _: time.time() + age)
        run(store)
    assert note.exists() is there


def test_lock_files_stay(store: Store, later: list[float]) -> None:
    lock = store.layout.lock("wheel-x")
    lock.touch()
    later[0] = 900 * DAY
    run(store, max_size=0, max_age=0)
    assert lock.exists()


def test_temporary_files_go_when_they_are_old(store: Store, later: list[float]) -> None:
    tail = "0123456789ab.tmp"
    places = [
        store.root / f"store.json.{tail}",
        store.layout.jobs / f"x.json.{tail}",
        store.layout.lock("x").with_name(f"x.lock.owner.{tail}"),
        store.layout.leases / ".0123456789abcdef.now",
        store.root / "built-1" / "ab" / f"{'ab' * 16}.json.{tail}",
    ]
    for path in places:
        path.write_bytes(b"x")
    run(store)
    assert all(path.exists() for path in places)
    later[0] = 7200
    assert run(store).left_overs == {"temporary": 5}
    assert not any(path.exists() for path in places)


def test_logs_and_quarantine_are_kept_for_a_while(store: Store, later: list[float]) -> None:
    places = [item(store.layout.quarantine, "wheels-1-x"), store.layout.logs / "build.log"]
    places[1].write_bytes(b"x")
    later[0] = 10 * DAY
    run(store)
    assert all(path.exists() for path in places)
    later[0] = 31 * DAY
    assert run(store).left_overs == {"log": 1, "quarantine": 1}


def test_records_of_former_boots_go(store: Store, later: list[float]) -> None:
    ours, other = item(store.layout.checked(boot_name() or "x"), "n"), item(store.layout.checked("former"), "n")
    run(store)
    assert other.exists()
    later[0] = 8 * DAY
    run(store)
    assert (other.exists(), ours.exists()) == (False, boot_name() is not None)


# Stores of jobs


@pytest.fixture
def job(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A registered store of a job whose process has ended."""
    root = tmp_path / "job"
    add_wheel(Store.open(root, retry_budget=0), "one")
    process = dead_process()
    with monkeypatch.context() as patch:
        patch.setattr(Process, "this", lambda: process)
        register(store.layout, root, job=None, budget=0, sink=ignore)
    return root


def record(store: Store) -> list[str]:
    return os.listdir(store.layout.jobs)


def test_store_of_a_job_stays_for_a_day_since_a_job_runs_several_commands(store: Store, job: Path) -> None:
    run(store)
    assert job.is_dir()


def test_store_of_a_job_that_is_over_goes(store: Store, job: Path, later: list[float]) -> None:
    later[0] = 2 * DAY
    assert run(store).left_overs == {"store of a job": 1}
    assert (job.exists(), record(store)) == (False, [])


def test_what_somebody_put_into_the_store_of_a_job_stays(store: Store, job: Path, later: list[float]) -> None:
    (job / "precious").write_text("x")
    later[0] = 2 * DAY
    run(store)
    assert sorted(os.listdir(job)) == ["precious", "store.json"]


def test_record_of_a_store_that_is_gone_goes(store: Store, tmp_path: Path, job: Path, later: list[float]) -> None:
    job.rename(tmp_path / "moved")
    later[0] = 7200
    assert run(store).left_overs == {"record of a job": 1}
    assert (tmp_path / "moved" / "store.json").exists()


@pytest.mark.parametrize(
    "what",
    [pytest.param("link", marks=needs_folder_links), "foreign", pytest.param("runner", marks=needs_folder_links)],
)
def test_folder_that_is_no_store_of_a_job_is_never_removed(
    store: Store, tmp_path: Path, job: Path, later: list[float], what: str
) -> None:
    job.rename(tmp_path / "moved")
    if what == "link":
        link_to_folder(job, tmp_path / "moved")
    elif what == "foreign":
        item(job, "precious")
    else:
        link_to_folder(job, store.root)
    later[0] = 900 * DAY
    run(store)
    assert job.exists()
    assert (tmp_path / "moved" / "store.json").exists()
    assert store.layout.marker.exists()


def test_dry_run_leaves_the_store_of_a_job(store: Store, job: Path) -> None:
    for path in store.layout.jobs.iterdir():
        set_age(path, 2 * DAY)
    found = collect(store.layout, Limits(), lock_timeout=0, sink=ignore, dry_run=True)
    assert found.left_overs == {"store of a job": 1}
    assert job.is_dir()
