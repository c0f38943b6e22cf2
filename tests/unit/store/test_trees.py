"""A tree is written once, sealed, and every accident to it is found without reading its content."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from typing import TYPE_CHECKING

import pytest
from helpers.capabilities import needs_symlinks, unix_only
from helpers.faults import failing

from safe_install.errors import IntegrityError, StoreError
from safe_install.fs.hashing import content_time
from safe_install.models import Digest
from safe_install.store.trees import TreeWriter, WheelTree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DIGEST = Digest("ab" * 32)


def write_tree(folder: Path) -> WheelTree:
    writer = TreeWriter(folder)
    writer.add("demo/__init__.py", [b"x = ", b"1\n"], executable=False)
    writer.add("demo/data/empty.txt", [], executable=False)
    writer.add("bin/tool", [b"#!/bin/sh\n"], executable=True)
    return WheelTree(digest=DIGEST, folder=folder, manifest=writer.finish(digest=DIGEST, filename="demo.whl"))


class TestTreeWriter:
    def test_an_entry_tells_size_and_digest(self, tmp_path: Path) -> None:
        entry = TreeWriter(tmp_path).add("a/b.py", [b"12", b"", b"345"], executable=True)
        assert entry == ("a/b.py", 5, hashlib.sha256(b"12345").hexdigest(), True)
        assert (tmp_path / "tree" / "a" / "b.py").read_bytes() == b"12345"

    def test_files_carry_the_time_of_their_content(self, tmp_path: Path) -> None:
        tree = write_tree(tmp_path)
        for entry in tree.manifest.files:
            assert (tree.tree / entry.path).stat().st_mtime_ns == content_time(entry.sha256)

    @unix_only
    @pytest.mark.parametrize("umask", [0o022, 0o077, 0o000])
    def test_files_are_read_only_and_folders_private_whatever_the_umask(self, tmp_path: Path, umask: int) -> None:
        old = os.umask(umask)
        try:
            tree = write_tree(tmp_path).tree
        finally:
            os.umask(old)
        assert stat.S_IMODE((tree / "demo" / "__init__.py").stat().st_mode) == 0o444
        assert stat.S_IMODE((tree / "bin" / "tool").stat().st_mode) == 0o555
        assert stat.S_IMODE((tree / "demo" / "data").stat().st_mode) == 0o700

    def test_the_manifest_lists_all_sorted(self, tmp_path: Path) -> None:
        paths = [entry.path for entry in write_tree(tmp_path).manifest.files]
        assert paths == ["bin/tool", "demo/__init__.py", "demo/data/empty.txt"]

    @pytest.mark.parametrize("second", ["demo", "demo/a", "demo/a/b"])
    def test_a_place_that_is_taken_is_refused(self, tmp_path: Path, second: str) -> None:
        writer = TreeWriter(tmp_path)
        writer.add("demo/a", [b"first"], executable=False)
        with pytest.raises(IntegrityError) as caught:
            writer.add(second, [b"second"], executable=False)
        assert caught.value.code == "path-collision"
        assert (tmp_path / "tree" / "demo" / "a").read_bytes() == b"first"

    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
    def test_an_error_of_the_content_passes_through_and_leaves_nothing(
        self, tmp_path: Path, error: type[BaseException]
    ) -> None:
        def chunks() -> Iterator[bytes]:
            yield b"some"
            raise error

        writer = TreeWriter(tmp_path)
        with pytest.raises(error):
            writer.add("demo/a", chunks(), executable=False)
        assert os.listdir(tmp_path / "tree" / "demo") == []
        writer.add("demo/a", [b"whole"], executable=False)
        assert [entry.size for entry in writer.finish(digest=DIGEST, filename="x").files] == [5]

    @pytest.mark.parametrize("call", ["open", "mkdir"])
    def test_a_full_disk_is_told_with_numbers(self, tmp_path: Path, call: str) -> None:
        writer = TreeWriter(tmp_path)
        with failing(call, "demo", errno.ENOSPC), pytest.raises(StoreError) as caught:
            writer.add("demo/a", [b"some"], executable=False)
        assert caught.value.code == "disk-full"
        assert "bytes are free" in caught.value.context[0]

    @unix_only
    @pytest.mark.parametrize("call", ["write", "fchmod", "utime"])
    def test_a_disk_that_fills_up_leaves_no_part(self, tmp_path: Path, call: str) -> None:
        writer = TreeWriter(tmp_path)
        with failing(call, "demo/a", errno.EDQUOT) as fault, pytest.raises(StoreError) as caught:
            writer.add("demo/a", [b"some"], executable=False)
        assert fault.happened
        assert caught.value.code == "disk-full"
        assert os.listdir(tmp_path / "tree" / "demo") == []


class TestDamage:
    def test_a_sound_tree_has_none(self, tmp_path: Path) -> None:
        assert write_tree(tmp_path).damage() == []

    @pytest.mark.parametrize("name", ["demo/__init__.py", "demo/data/empty.txt"])
    def test_a_missing_file_is_found(self, tmp_path: Path, name: str) -> None:
        tree = write_tree(tmp_path)
        os.unlink(tree.tree / name)
        assert tree.damage() == [f"{name} is missing"]

    def test_a_missing_tree_is_found(self, tmp_path: Path) -> None:
        tree = write_tree(tmp_path)
        os.rename(tree.tree, tmp_path / "gone")
        (problem,) = tree.damage()
        assert problem.startswith("cannot be read")

    def test_a_file_too_many_is_found(self, tmp_path: Path) -> None:
        tree = write_tree(tmp_path)
        (tree.tree / "demo" / "extra.py").touch()
        assert tree.damage() == ["demo/extra.py does not belong to it"]

    def test_a_truncated_file_is_found(self, tmp_path: Path) -> None:
        tree = write_tree(tmp_path)
        path = tree.tree / "demo" / "__init__.py"
        os.chmod(path, 0o644)
        os.truncate(path, 0)
        assert tree.damage() == ["demo/__init__.py has 0 bytes instead of 6"]

    def test_an_edit_that_keeps_the_size_is_found(self, tmp_path: Path) -> None:
        tree = write_tree(tmp_path)
        path = tree.tree / "demo" / "__init__.py"
        os.chmod(path, 0o644)
        path.write_bytes(b"x = 2\n")
        os.chmod(path, 0o444)
        assert tree.damage() == ["demo/__init__.py was changed"]

    @unix_only
    @pytest.mark.parametrize(
        ("name", "mode"), [("demo/__init__.py", 0o644), ("demo/__init__.py", 0o555), ("bin/tool", 0o444)]
    )
    def test_another_mode_is_found_where_modes_are_kept(self, tmp_path: Path, name: str, mode: int) -> None:
        tree = write_tree(tmp_path)
        os.chmod(tree.tree / name, mode)
        (problem,) = tree.damage()
        assert problem.startswith(f"{name} has the mode -r")
        careless = WheelTree(digest=DIGEST, folder=tmp_path, manifest=tree.manifest, modes=False)
        assert careless.damage() == []

    @pytest.mark.parametrize("path", ["../outside", "/etc/passwd", None])
    def test_a_manifest_that_names_something_outside_fits_no_tree(self, tmp_path: Path, path: str) -> None:
        tree = write_tree(tmp_path)
        (tmp_path / "outside").touch()
        entry = tree.manifest.files[0]._replace(path=path)
        forged = tree.manifest._replace(files=(*tree.manifest.files, entry))
        assert WheelTree(digest=DIGEST, folder=tmp_path, manifest=forged).damage() == [f"{path} is missing"]

    @needs_symlinks
    def test_a_link_to_the_same_content_is_no_file(self, tmp_path: Path) -> None:
        tree = write_tree(tmp_path)
        path = tree.tree / "demo" / "__init__.py"
        os.rename(path, tmp_path / "moved")
        path.symlink_to(tmp_path / "moved")
        assert tree.damage() == ["demo/__init__.py is no regular file"]

    @needs_symlinks
    def test_a_link_to_a_folder_is_not_followed(self, tmp_path: Path) -> None:
        tree = write_tree(tmp_path)
        os.rename(tree.tree / "demo", tmp_path / "moved")
        (tree.tree / "demo").symlink_to(tmp_path / "moved", target_is_directory=True)
        assert "demo does not belong to it" in tree.damage()
        assert "demo/__init__.py is missing" in tree.damage()
