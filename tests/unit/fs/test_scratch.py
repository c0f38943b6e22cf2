"""Scratch is private, and gone at the end, whatever happened in it."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest
from helpers.capabilities import unix_only
from helpers.faults import failing

from safe_install.errors import StoreError
from safe_install.events import Event, Noticed
from safe_install.fs.scratch import Scratch


def test_it_makes_a_private_folder_and_removes_it(tmp_path: Path) -> None:
    with Scratch(tmp_path) as scratch:
        folder = scratch.folder("build")
        (folder / "file").write_text("x")
        assert folder.parent == scratch.root
        if os.name != "nt":
            assert stat.S_IMODE(scratch.root.stat().st_mode) == 0o700
    assert os.listdir(tmp_path) == []


def test_it_makes_its_parent(tmp_path: Path) -> None:
    with Scratch(tmp_path / "new" / "parent") as scratch:
        assert scratch.root.parent == tmp_path / "new" / "parent"


def test_two_of_one_process_are_apart(tmp_path: Path) -> None:
    with Scratch(tmp_path) as one, Scratch(tmp_path) as two:
        assert one.root != two.root
        assert one.folder("same") != one.folder("same")


def test_it_uses_the_folder_of_the_system_when_none_is_named() -> None:
    with Scratch() as scratch:
        root = scratch.root
        assert root.is_absolute()
    assert not root.exists()


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_it_is_removed_after_an_error(tmp_path: Path, error: type[BaseException]) -> None:
    def work() -> None:
        with Scratch(tmp_path) as scratch:
            scratch.folder("build")
            raise error

    with pytest.raises(error):
        work()
    assert os.listdir(tmp_path) == []


def test_it_is_of_no_use_outside_of_its_block(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        Scratch(tmp_path).folder("build")


@unix_only
def test_what_cannot_be_removed_is_told_and_hides_no_error(tmp_path: Path) -> None:
    events: list[Event] = []
    with (
        pytest.raises(ValueError, match="the reason"),
        failing("rmdir", "safe-install-", errno.EROFS, times=None),
        Scratch(tmp_path, sink=events.append),
    ):
        raise ValueError("the reason")
    assert [type(event) for event in events] == [Noticed]


def test_a_parent_that_is_a_file_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError) as caught, Scratch(tmp_path / "file"):
        pass
    assert str(tmp_path / "file") in caught.value.message


def test_a_full_disk_is_told_as_such(tmp_path: Path) -> None:
    with failing("mkdir", "safe-install-", errno.ENOSPC), pytest.raises(StoreError) as caught, Scratch(tmp_path):
        pass
    assert caught.value.code == "disk-full"
    assert caught.value.hint is not None
    assert "--scratch" in caught.value.hint
