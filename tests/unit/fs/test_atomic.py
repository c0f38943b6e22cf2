"""Files and folders appear whole or not at all; a publisher never replaces."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

import pytest
from helpers.capabilities import unix_only
from helpers.faults import NO_LINKS, before, failing

from safe_install.fs.atomic import publish_file, publish_folder, write_atomically

if TYPE_CHECKING:
    from pathlib import Path


def staged_folder(tmp_path: Path, content: str = "ours") -> Path:
    folder = tmp_path / "staged"
    folder.mkdir()
    (folder / "file").write_text(content)
    return folder


class TestWriteAtomically:
    def test_it_makes_and_replaces(self, tmp_path: Path) -> None:
        write_atomically(tmp_path / "file", b"one", flush=True)
        write_atomically(tmp_path / "file", b"two")
        assert (tmp_path / "file").read_bytes() == b"two"
        assert os.listdir(tmp_path) == ["file"]

    @unix_only
    def test_the_umask_is_taken_from_the_mode(self, tmp_path: Path) -> None:
        old = os.umask(0o027)
        try:
            write_atomically(tmp_path / "file", b"", mode=0o777)
        finally:
            os.umask(old)
        assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o750

    @pytest.mark.parametrize("call", ["fsync", "replace"])
    def test_a_failure_leaves_the_old_file_and_nothing_else(self, tmp_path: Path, call: str) -> None:
        (tmp_path / "file").write_bytes(b"old")
        with failing(call, "file", errno.ENOSPC), pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            write_atomically(tmp_path / "file", b"new", flush=True)
        assert (tmp_path / "file").read_bytes() == b"old"
        assert os.listdir(tmp_path) == ["file"]

    def test_an_interrupt_leaves_nothing(self, tmp_path: Path) -> None:
        def interrupt() -> None:
            raise KeyboardInterrupt

        with before("replace", "file", interrupt), pytest.raises(KeyboardInterrupt):
            write_atomically(tmp_path / "file", b"new")
        assert os.listdir(tmp_path) == []

    @unix_only
    def test_it_waits_for_what_passes(self, tmp_path: Path) -> None:
        with failing("replace", "file", errno.EBUSY, times=2) as fault:
            write_atomically(tmp_path / "file", b"new", budget=10)
        assert len(fault.hits) == 2
        assert (tmp_path / "file").read_bytes() == b"new"


class TestPublishFolder:
    def test_the_first_one_wins(self, tmp_path: Path) -> None:
        target = tmp_path / "target"
        assert publish_folder(staged_folder(tmp_path, "first"), target)
        assert not publish_folder(staged_folder(tmp_path, "second"), target)
        assert (target / "file").read_text() == "first"
        assert (tmp_path / "staged" / "file").read_text() == "second"

    def test_a_file_in_the_place_is_somebody_elses(self, tmp_path: Path) -> None:
        (tmp_path / "target").write_text("theirs")
        assert not publish_folder(staged_folder(tmp_path), tmp_path / "target")
        assert (tmp_path / "target").read_text() == "theirs"

    @pytest.mark.parametrize("code", [errno.EEXIST, errno.ENOTEMPTY])
    def test_both_answers_of_servers_mean_that_it_exists(self, tmp_path: Path, code: int) -> None:
        with failing("rename", "target", code):
            assert not publish_folder(staged_folder(tmp_path), tmp_path / "target")

    def test_a_rename_whose_answer_was_lost_is_a_success(self, tmp_path: Path) -> None:
        """An NFS client sends the call again, and the server finds the source gone."""
        staged, target = staged_folder(tmp_path), tmp_path / "target"
        with before("rename", "target", lambda: os.replace(staged, target)):
            assert publish_folder(staged, target)

    def test_a_staged_folder_that_vanished_is_an_error(self, tmp_path: Path) -> None:
        staged, target = staged_folder(tmp_path), tmp_path / "target"
        with (
            before("rename", "target", lambda: os.replace(staged, tmp_path / "gone")),
            pytest.raises(FileNotFoundError),
        ):
            publish_folder(staged, target)

    @unix_only
    def test_it_waits_for_what_passes(self, tmp_path: Path) -> None:
        with failing("rename", "target", errno.EBUSY, times=2) as fault:
            assert publish_folder(staged_folder(tmp_path), tmp_path / "target", budget=10)
        assert len(fault.hits) == 2

    def test_a_denial_is_no_winner(self, tmp_path: Path) -> None:
        with failing("rename", "target", errno.EACCES), pytest.raises(PermissionError):
            publish_folder(staged_folder(tmp_path), tmp_path / "target", budget=0)
        assert (tmp_path / "staged" / "file").exists()
        assert not (tmp_path / "target").exists()


class TestPublishFile:
    @staticmethod
    def staged(tmp_path: Path, content: bytes = b"ours") -> Path:
        path = tmp_path / "staged"
        path.write_bytes(content)
        os.utime(path, ns=(10**18, 10**18))
        return path

    def test_the_first_one_wins(self, tmp_path: Path) -> None:
        target = tmp_path / "target"
        assert publish_file(self.staged(tmp_path, b"first"), target)
        assert os.listdir(tmp_path) == ["target"]
        assert not publish_file(self.staged(tmp_path, b"second"), target)
        assert target.read_bytes() == b"first"
        assert (tmp_path / "staged").read_bytes() == b"second"

    @pytest.mark.parametrize("code", [NO_LINKS, errno.EXDEV, errno.EMLINK])
    def test_without_links_it_is_made_exclusively_and_gets_its_time(self, tmp_path: Path, code: int | OSError) -> None:
        target = tmp_path / "target"
        staged = self.staged(tmp_path)
        with failing("link", "target", code):
            assert publish_file(staged, target)
        assert target.read_bytes() == b"ours"
        assert target.stat().st_mtime_ns == 10**18
        assert not staged.exists()

    def test_without_links_a_loser_replaces_nothing(self, tmp_path: Path) -> None:
        (tmp_path / "target").write_bytes(b"theirs")
        with failing("link", "target", NO_LINKS):
            assert not publish_file(self.staged(tmp_path), tmp_path / "target")
        assert (tmp_path / "target").read_bytes() == b"theirs"

    @pytest.mark.parametrize("call", ["write", "fsync", "utime"])
    def test_without_links_a_failure_leaves_nothing_in_the_place(self, tmp_path: Path, call: str) -> None:
        if call == "utime" and os.name == "nt":
            pytest.skip("the time is set through the descriptor there, by no call of Python's")
        if call == "utime" and not os.path.isdir("/proc/self/fd"):
            pytest.skip("descriptors cannot be turned back into paths here")
        staged = self.staged(tmp_path)
        with (
            failing("link", "target", NO_LINKS),
            failing(call, "target", errno.ENOSPC) as fault,
            pytest.raises(OSError, match=os.strerror(errno.ENOSPC)),
        ):
            publish_file(staged, tmp_path / "target")
        assert fault.happened
        assert not (tmp_path / "target").exists()
        assert staged.exists()

    def test_a_link_whose_answer_was_lost_is_a_success(self, tmp_path: Path) -> None:
        staged, target = self.staged(tmp_path), tmp_path / "target"
        with before("link", "target", lambda: target.hardlink_to(staged), times=1) as fault:
            assert publish_file(staged, target)
        assert fault.happened
        assert target.read_bytes() == b"ours"
