"""Each probe of one place, where what it looks for is there and where it is not."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import pytest
from helpers.capabilities import can_reflink, needs_symlinks, unix_only
from helpers.faults import before, failing

from safe_install.probe import steps
from safe_install.probe.facts import PlaceFacts, Role, read_facts, write_facts
from safe_install.store.layout import Layout
from safe_install.store.store import Store


def trial_of(path: Path, *, made: bool = True, role: Role = Role.STORE) -> steps.Trial:
    trial = steps.Trial(str(path), [role])
    trial.where = steps.where(trial)
    trial.choose_folder()
    if made:
        assert steps.writing(trial).kind == ""
    return trial


def test_a_place_that_is_missing_is_the_nearest_folder_above(tmp_path: Path) -> None:
    found = steps.where(steps.Trial(str(tmp_path / "a" / "b"), [Role.STORE]))
    assert (found.there, found.exists, found.in_the_way) == (str(tmp_path), False, "")


def test_a_file_above_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    assert steps.where(steps.Trial(str(tmp_path / "a" / "b"), [Role.STORE])).in_the_way == str(tmp_path / "a")


@needs_symlinks
def test_a_link_is_followed_and_told(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    (tmp_path / "link").symlink_to("target")
    found = steps.where(steps.Trial(str(tmp_path / "link"), [Role.STORE]))
    assert (found.exists, found.link, found.resolved) == (True, *[str((tmp_path / "target").resolve())] * 2)


@needs_symlinks
def test_a_link_to_nowhere_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    assert steps.where(steps.Trial(str(tmp_path / "link"), [Role.STORE])).in_the_way == str(tmp_path / "link")


def test_what_is_made_in_a_store_lies_where_its_clean_up_finds_it(tmp_path: Path) -> None:
    Store.open(tmp_path / "store", retry_budget=0, sink=lambda event: None)
    trial = trial_of(tmp_path / "store")
    assert Path(trial.private).parent == tmp_path / "store" / "staging"


def test_a_probe_in_an_empty_folder_lets_a_store_begin_there(tmp_path: Path) -> None:
    """No job fails because somebody looks at the folder that its store is about to be made in."""
    os.chmod(tmp_path, 0o777)
    trial = trial_of(tmp_path)
    assert Layout(tmp_path).is_known(os.path.basename(trial.private))
    Store.open(tmp_path, retry_budget=0, sink=lambda event: None)


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.EROFS, "read-only"),
        (errno.ENOSPC, "full"),
        (getattr(errno, "EDQUOT", errno.ENOSPC), "full"),
        (errno.EACCES, "denied"),
        (errno.EIO, "other"),
    ],
)
def test_why_nothing_can_be_made_is_told_apart(tmp_path: Path, number: int, kind: str) -> None:
    trial = trial_of(tmp_path, made=False)
    with failing("mkdir", trial.private, number):
        found = steps.writing(trial)
    assert (found.kind, found.problem) == (kind, os.strerror(number))


def test_abilities_of_this_file_system(tmp_path: Path) -> None:
    found = steps.abilities(trial_of(tmp_path))
    assert (found.hard_links, found.rename_folder) == ("", "")
    assert (found.reflinks == "") is can_reflink(tmp_path)


@unix_only
def test_abilities_of_a_unix_file_system(tmp_path: Path) -> None:
    found = steps.abilities(trial_of(tmp_path))
    assert (found.symlinks, found.rename_over_open, found.unlink_open) == ("", "", "")
    assert (found.keeps_modes, found.executes, found.owner_of_new) == (True, True, os.geteuid())


@pytest.mark.parametrize(
    ("call", "path", "field"),
    [
        ("link", ".link", "hard_links"),
        ("symlink", ".symlink", "symlinks"),
        ("replace", "new", "rename_over_open"),
        ("rename", "staged", "rename_folder"),
        ("unlink", "in-use", "unlink_open"),
    ],
)
def test_what_the_file_system_refuses_is_told_with_its_reason(tmp_path: Path, call: str, path: str, field: str) -> None:
    trial = trial_of(tmp_path)
    with failing(call, path, errno.EPERM) as fault:
        found = steps.abilities(trial)
    assert fault.happened
    assert getattr(found, field) == os.strerror(errno.EPERM)


@unix_only
def test_a_name_that_stays_for_an_open_file_is_told(tmp_path: Path) -> None:
    """As NFS does it."""
    trial = trial_of(tmp_path)

    def silly_rename() -> None:
        Path(trial.private, "in-use", ".nfs0000002a").touch()

    with before("unlink", "in-use", silly_rename):
        assert steps.abilities(trial).unlink_open == ".nfs0000002a"


def test_the_file_systems_clock_is_compared_with_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert abs(steps.clock(trial_of(tmp_path)).ahead) < 5
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - 600)
    ahead = steps.clock(trial_of(tmp_path)).ahead
    assert 590 < ahead < 610


def test_facts_come_back_as_they_were(tmp_path: Path) -> None:
    trial = trial_of(tmp_path)
    for facts in (steps.where(trial), steps.mount(trial), steps.rights(trial), steps.room(trial), steps.store(trial)):
        assert read_facts(type(facts), write_facts(facts)) == facts


def test_facts_of_a_place_become_plain_values() -> None:
    document = write_facts(PlaceFacts(path="/x", roles=frozenset({Role.TEMP, Role.SCRATCH})))
    assert document["roles"] == ["scratch", "temp"]
    assert document["where"] is None
