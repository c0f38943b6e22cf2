"""Trees go away whole, links are not followed, rights are no obstacle, and what is held is waited for."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest
from helpers.capabilities import needs_symlinks, unix_only
from helpers.faults import failing

from safe_install.events import Retried
from safe_install.fs.remove import remove_file, remove_tree

if TYPE_CHECKING:
    from pathlib import Path

    from safe_install.events import Event


def make_tree(top: Path) -> Path:
    (top / "a" / "b").mkdir(parents=True)
    (top / "a" / "b" / "file").write_text("x")
    (top / "a" / "other").write_text("y")
    return top


def test_a_tree_is_removed_with_all_that_is_in_it(tmp_path: Path) -> None:
    assert remove_tree(make_tree(tmp_path / "top"))
    assert not (tmp_path / "top").exists()


def test_removing_what_is_not_there_says_so(tmp_path: Path) -> None:
    assert not remove_tree(tmp_path / "missing")
    assert not remove_file(tmp_path / "missing")


def test_a_file_can_be_removed_as_a_tree(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert remove_tree(tmp_path / "file")
    assert os.listdir(tmp_path) == []


@needs_symlinks
def test_links_are_removed_and_never_followed(tmp_path: Path) -> None:
    outside = make_tree(tmp_path / "outside")
    top = make_tree(tmp_path / "top")
    (top / "folder-link").symlink_to(outside, target_is_directory=True)
    (top / "file-link").symlink_to(outside / "a" / "other")
    remove_tree(top)
    assert not top.exists()
    assert (outside / "a" / "b" / "file").read_text() == "x"
    assert (outside / "a" / "other").read_text() == "y"


@needs_symlinks
def test_a_link_in_the_place_of_the_tree_is_removed_itself(tmp_path: Path) -> None:
    outside = make_tree(tmp_path / "outside")
    (tmp_path / "link").symlink_to(outside, target_is_directory=True)
    assert remove_tree(tmp_path / "link")
    assert (outside / "a" / "other").exists()


@unix_only
@pytest.mark.parametrize("mode", [0o000, 0o400, 0o500])
def test_folders_without_rights_get_them_first(tmp_path: Path, mode: int) -> None:
    top = make_tree(tmp_path / "top")
    os.chmod(top / "a" / "b", mode)
    os.chmod(top / "a", mode)
    remove_tree(top)
    assert not top.exists()


def test_read_only_files_are_removed(tmp_path: Path) -> None:
    top = make_tree(tmp_path / "top")
    os.chmod(top / "a" / "b" / "file", 0o444)
    remove_tree(top)
    assert not top.exists()
    (tmp_path / "file").touch(mode=0o444)
    assert remove_file(tmp_path / "file")


@unix_only
def test_a_deep_tree_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "top"
    for _ in range(400):
        path = path / "d"
    path.mkdir(parents=True)
    remove_tree(tmp_path / "top")
    assert not (tmp_path / "top").exists()


@unix_only
def test_a_folder_that_somebody_holds_is_tried_again(tmp_path: Path) -> None:
    """The `.nfs` case: the folder is not empty until another process closes its file."""
    top = make_tree(tmp_path / "top")
    events: list[Event] = []
    with failing("rmdir", "b", errno.ENOTEMPTY) as fault:
        remove_tree(top, budget=10, sink=events.append)
    assert fault.happened
    assert not top.exists()
    assert [type(event) for event in events] == [Retried]


@unix_only
def test_one_file_that_stays_does_not_keep_the_rest(tmp_path: Path) -> None:
    top = make_tree(tmp_path / "top")
    with failing("unlink", "other", errno.EBUSY, times=None), pytest.raises(OSError, match=os.strerror(errno.EBUSY)):
        remove_tree(top, budget=0)
    assert (top / "a" / "other").exists()
    assert not (top / "a" / "b").exists()
    remove_tree(top)


@unix_only
def test_what_never_passes_is_raised_without_waiting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with failing("unlink", "file", errno.EROFS) as fault, pytest.raises(OSError, match="ead-only"):
        remove_file(tmp_path / "file", budget=600)
    assert len(fault.hits) == 1
