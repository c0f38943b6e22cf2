"""What is in the way and cannot be removed at once makes nothing fail: it is told, and goes later (design promise 9)."""

from __future__ import annotations

import errno
import json
import os
from typing import TYPE_CHECKING

import pytest
from helpers.capabilities import unix_only
from helpers.environments import install, tree_of, wheel
from helpers.faults import failing

from safe_install.events import SteppedDown
from safe_install.install.holding import hold_environment

if TYPE_CHECKING:
    from pathlib import Path

    from safe_install.events import Event
    from safe_install.install.placement import PreparedWheel

pytestmark = unix_only


@pytest.fixture
def old(tmp_path: Path) -> PreparedWheel:
    return wheel(tmp_path / "store", "demo", "1.0", files={"demo/__init__.py": "1", "demo/deep/er/x.py": ""})


@pytest.fixture
def root(tmp_path: Path, old: PreparedWheel) -> Path:
    """An environment with a distribution of two folders."""
    install(tmp_path / "env", [old], scratch=tmp_path)
    return tmp_path / "env"


def leftovers(events: list[Event]) -> list[str]:
    return [event.message for event in events if isinstance(event, SteppedDown) and event.kind == "leftover"]


def folders(root: Path) -> set[str]:
    return {path.name for path in root.rglob("*") if path.is_dir() and "site-packages" in path.parts[:-1]}


@pytest.mark.parametrize("code", [errno.EBUSY, errno.ESTALE, errno.EIO, errno.EACCES])
def test_an_empty_folder_that_is_held_is_told_and_goes_with_the_next_run(tmp_path: Path, root: Path, code: int) -> None:
    events: list[Event] = []
    with failing("rmdir", "/demo/deep/er", code, times=None) as fault:
        install(root, [], scratch=tmp_path, remove=["demo"], retry_budget=0, sink=events.append)
    assert fault.happened
    assert folders(root) == {"demo", "deep", "er"}
    (told,) = leftovers(events)
    assert "demo/deep/er" in told
    assert os.strerror(code) in told
    events.clear()
    with hold_environment(root, timeout=0, sink=events.append):
        pass
    assert folders(root) == set()
    assert not (root / ".safe-install").exists()
    assert leftovers(events) == []


def test_a_folder_that_was_to_go_and_is_used_again_stays(tmp_path: Path, root: Path, old: PreparedWheel) -> None:
    with failing("rmdir", "/demo/deep/er", errno.EBUSY, times=None):
        install(root, [], scratch=tmp_path, remove=["demo"], retry_budget=0)
        # Still held when the next run wants to clean up, and works in the same places.
        install(root, [old], scratch=tmp_path, retry_budget=0)
    with hold_environment(root, timeout=0, sink=lambda event: None):
        pass
    assert folders(root) == {"demo", "deep", "er", "demo-1.0.dist-info"}
    assert not (root / ".safe-install").exists()


def test_a_folder_that_is_held_for_a_moment_is_tried_again(tmp_path: Path, root: Path) -> None:
    with failing("rmdir", "/demo/deep/er", errno.EBUSY, times=2) as fault:
        install(root, [], scratch=tmp_path, remove=["demo"], retry_budget=5)
    assert len(fault.hits) == 2
    assert folders(root) == set()


@pytest.mark.parametrize("number", range(3))
def test_files_that_stay_open_keep_nobody_from_changing_the_environment(
    tmp_path: Path, root: Path, old: PreparedWheel, number: int
) -> None:
    """An NFS client leaves `.nfs` names for them, so their folder is not empty as long as they are open (uv#12036)."""
    events: list[Event] = []
    new = [wheel(tmp_path / "store", "demo", f"{each}.0") for each in range(2, 5)]
    before = tree_of(root)
    with failing("rmdir", "aside", errno.ENOTEMPTY, times=None):
        for each in new[: number + 1]:
            install(root, [each], scratch=tmp_path, retry_budget=0, sink=events.append)
            assert (root / "lib").exists()
        # Each run tells once of what it left itself, and once of what was there before.
        assert len(leftovers(events)) == 2 * number + 1
        assert len(set(leftovers(events))) == number + 1
        install(root, [old], scratch=tmp_path, retry_budget=0)
    with hold_environment(root, timeout=0, sink=lambda event: None):
        pass
    assert tree_of(root) == before


def test_a_change_beside_such_files_that_fails_is_undone(tmp_path: Path, root: Path) -> None:
    new = wheel(tmp_path / "store", "demo", "2.0", files={"demo/new.py": "2"})
    with failing("rmdir", "aside", errno.ENOTEMPTY, times=None):
        install(root, [], scratch=tmp_path, remove=["demo"], retry_budget=0)
        before = tree_of(root)
        with failing("replace", "done.json", errno.EIO), pytest.raises(Exception, match=r"done\.json|journal\.json"):
            install(root, [new], scratch=tmp_path, retry_budget=0)
        inner = {name: state for name, state in tree_of(root).items() if not name.startswith(".safe-install/")}
        assert inner == {name: state for name, state in before.items() if not name.startswith(".safe-install/")}
    with hold_environment(root, timeout=0, sink=lambda event: None):
        pass
    assert not (root / ".safe-install").exists()


@pytest.mark.parametrize("text", ['["../outside"]', '["/outside"]', "5", "{", '[1, ""]'])
def test_a_note_that_somebody_else_wrote_is_not_obeyed(tmp_path: Path, root: Path, text: str) -> None:
    (tmp_path / "outside").mkdir()
    (root / ".safe-install").mkdir()
    (root / ".safe-install" / "left.json").write_text(
        text.replace("/outside", f"{tmp_path}/outside", 1) if text.startswith('["/') else text
    )
    with hold_environment(root, timeout=0, sink=lambda event: None) as state:
        assert state.exists
    assert (tmp_path / "outside").exists()
    assert not (root / ".safe-install").exists()


def test_the_note_names_the_folders_above_as_well(tmp_path: Path, root: Path) -> None:
    with failing("rmdir", "/demo/deep/er", errno.EBUSY, times=None):
        install(root, [], scratch=tmp_path, remove=["demo"], retry_budget=0)
    (library,) = (root / "lib").glob("python*/site-packages")
    base = library.relative_to(root).as_posix()
    noted = json.loads((root / ".safe-install" / "left.json").read_text(encoding="ascii"))
    assert noted == [f"{base}/demo", f"{base}/demo/deep", f"{base}/demo/deep/er"]
