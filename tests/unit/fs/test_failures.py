"""Errors of system calls become errors that say what to do."""

from __future__ import annotations

import errno
import io
import os
from typing import TYPE_CHECKING

import pytest
from helpers.capabilities import unix_only

from safe_install.errors import ExitCode
from safe_install.fs.failures import explain, is_of_the_system

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, "disk-full"),
        (errno.EDQUOT, "disk-full"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "permission-denied"),
        (errno.EPERM, "permission-denied"),
        (errno.EBUSY, "in-use"),
        (errno.EIO, "io-error"),
    ],
)
def test_each_kind_has_its_code(tmp_path: Path, number: int, code: str) -> None:
    error = explain(OSError(number, os.strerror(number)), doing="write a file", path=tmp_path / "x")
    assert error.code == code
    assert error.exit_code is ExitCode.STORE
    assert error.message == f"could not write a file at {tmp_path / 'x'}: {os.strerror(number)}"


def test_a_full_disk_shows_how_full(tmp_path: Path) -> None:
    error = explain(OSError(errno.ENOSPC, "full"), doing="write", path=tmp_path / "not" / "there", option="--scratch")
    assert f"bytes are free on the file system of {tmp_path}" in error.context[0]
    assert error.hint == "free some space, or choose another disk with --scratch"


@unix_only
def test_a_denial_shows_owner_mode_and_who_we_are(tmp_path: Path) -> None:
    os.chmod(tmp_path, 0o750)
    error = explain(OSError(errno.EACCES, "denied"), doing="write", path=tmp_path / "missing")
    assert f"uid {tmp_path.stat().st_uid}" in error.context[0]
    assert "drwxr-x---" in error.context[0]
    assert f"uid {os.geteuid()}" in error.context[-1]
    assert error.hint is not None
    assert "--cache-dir" in error.hint


def test_a_hint_of_the_caller_wins(tmp_path: Path) -> None:
    assert explain(OSError(errno.EIO, "bad"), doing="read", path=tmp_path, hint="buy a disk").hint == "buy a disk"


@unix_only
def test_a_position_that_cannot_be_set_is_no_mistake_of_a_program() -> None:
    reading, writing = os.pipe()
    with open(reading, "rb") as file, open(writing, "wb"), pytest.raises(io.UnsupportedOperation) as caught:
        file.seek(0)
    assert is_of_the_system(caught.value)


def test_writing_to_what_is_only_read_is_one(tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    with open(tmp_path / "f", "rb") as file, pytest.raises(io.UnsupportedOperation) as caught:
        file.write(b"")  # type: ignore[arg-type, unused-ignore]  # the mistake
    assert not is_of_the_system(caught.value)
