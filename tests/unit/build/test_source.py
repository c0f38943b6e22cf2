"""Copies of source trees are whole, and hold nothing that is no source."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from safe_install.build.source import copy_tree, inner_folder
from safe_install.errors import BuildError, StoreError

unix_only = pytest.mark.skipif(os.name == "nt", reason="Windows has neither these modes nor these files")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    (folder / "src" / "pkg").mkdir(parents=True)
    (folder / "src" / "pkg" / "__init__.py").write_text("x = 1\n")
    (folder / ".git").mkdir()
    (folder / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    return folder


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def test_everything_is_copied_with_its_time(tree: Path, tmp_path: Path) -> None:
    os.utime(tree / ".git" / "HEAD", (1_000_000_000, 1_000_000_000))
    copy_tree(tree, tmp_path / "copy")
    assert names(tmp_path / "copy") == names(tree)
    assert (tmp_path / "copy" / ".git" / "HEAD").stat().st_mtime == 1_000_000_000


@unix_only
def test_links_stay_links_even_dangling_ones(tree: Path, tmp_path: Path) -> None:
    (tree / "alias").symlink_to("src/pkg")
    (tree / "dangling").symlink_to("nowhere")
    copy_tree(tree, tmp_path / "copy")
    assert (tmp_path / "copy" / "alias").readlink() == Path("src/pkg")
    assert (tmp_path / "copy" / "dangling").is_symlink()


@unix_only
def test_a_read_only_tree_becomes_writable_and_executables_stay_so(tree: Path, tmp_path: Path) -> None:
    file = tree / "src" / "pkg" / "__init__.py"
    file.chmod(0o4555)
    (tree / "src" / "pkg").chmod(0o555)
    copy_tree(tree, tmp_path / "copy")
    (tree / "src" / "pkg").chmod(0o755)
    copied = tmp_path / "copy" / "src" / "pkg"
    assert stat.S_IMODE((copied / "__init__.py").stat().st_mode) == 0o755
    assert copied.stat().st_mode & stat.S_IWUSR


@unix_only
def test_sockets_and_fifos_are_skipped(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tree / "fifo")
    monkeypatch.chdir(tree)  # a socket's path is limited to about a hundred bytes
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        copy_tree(tree, tmp_path / "copy")
    assert not {"fifo", "socket"} & names(tmp_path / "copy")


def test_virtual_environments_and_what_is_named_are_left_out(tree: Path, tmp_path: Path) -> None:
    for folder in (".venv", "src/store"):
        (tree / folder).mkdir()
        (tree / folder / "big").write_text("x")
    (tree / ".venv" / "pyvenv.cfg").write_text("home = /usr/bin\n")
    copy_tree(tree, tmp_path / "copy", left_out=[tree / "src" / "store", tree / "missing"])
    assert not {".venv", "src/store"} & names(tmp_path / "copy")


def test_a_copy_below_the_tree_itself_ends(tree: Path) -> None:
    scratch = tree / "tmp"
    scratch.mkdir()
    copy_tree(tree, scratch / "copy", left_out=[scratch])
    assert "tmp" not in names(scratch / "copy")


@unix_only
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_cannot_be_read_is_told(tree: Path, tmp_path: Path) -> None:
    (tree / "secret").write_text("x")
    (tree / "secret").chmod(0)
    with pytest.raises(StoreError) as caught:
        copy_tree(tree, tmp_path / "copy")
    assert "secret" in caught.value.message


def test_a_subdirectory_is_found(tree: Path) -> None:
    assert inner_folder(tree, "src/pkg") == tree / "src" / "pkg"
    assert inner_folder(tree, None) == tree


@pytest.mark.parametrize("subdirectory", ["..", "src/../../other", "/", "missing", "src/pkg/__init__.py"])
def test_a_subdirectory_that_leaves_the_tree_or_is_none_is_refused(tree: Path, subdirectory: str) -> None:
    with pytest.raises(BuildError) as caught:
        inner_folder(tree, subdirectory)
    assert caught.value.code == "subdirectory-invalid"


@unix_only
def test_a_subdirectory_that_leaves_through_a_link_is_refused(tree: Path) -> None:
    (tree / "out").symlink_to("..")
    with pytest.raises(BuildError):
        inner_folder(tree, "out")
