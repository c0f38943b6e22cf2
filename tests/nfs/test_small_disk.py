"""A server whose disk is full, or whose quota is used up: the documented exit code, nothing half-made, and on it goes."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest
from helpers.herd import damage_of
from helpers.users import STRANGERS
from labs.nfs.commands import command_on

if TYPE_CHECKING:
    from pathlib import Path

    from labs.nfs.mounts import Mount

pytestmark = pytest.mark.lab_nfs("small")

MEGABYTE = 1 << 20

# quotactl(2): struct if_dqblk, of which only the hard limit of blocks (1,024 bytes) is set; the server runs it.
_LIMIT = """
import ctypes, os, struct, sys
user, kilobytes = map(int, sys.argv[1:])
set_quota, of_users, only_blocks = 0x800008, 0, 1
block = struct.pack("=8QI", kilobytes, 0, 0, 0, 0, 0, 0, 0, only_blocks)
library = ctypes.CDLL(None, use_errno=True)
if library.quotactl(set_quota << 8 | of_users, b"/dev/ubda", user, block):
    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
"""


def big_wheel(nfs: Mount) -> Path:
    """A lock of a wheel of 8 MB."""
    content = random.Random(1).randbytes(8 * MEGABYTE)
    lock = nfs.folder / "requirements.txt"
    lock.write_text(nfs.wheel("big", files={"big/__init__.py": "", "big/data.bin": content}, compress=False))
    return lock


def test_a_quota_that_is_used_up_is_told_and_leaves_nothing(nfs: Mount) -> None:
    lock = big_wheel(nfs)
    job = command_on(nfs, nfs.hosts[0], "user", user=STRANGERS[0], SAFE_INSTALL_RETRY_BUDGET="1")
    job.store.mkdir()
    os.chown(job.store, STRANGERS[0], STRANGERS[0])
    nfs.server.run_python(_LIMIT, str(STRANGERS[0]), "12000")
    result = job("sync", lock, code=7)
    assert result.error == "disk-full"
    assert "quota" in result.stderr.lower()
    assert nfs.leftovers() == []
    nfs.server.run_python(_LIMIT, str(STRANGERS[0]), "0")
    job("sync", lock)
    assert damage_of(job.store) == []


@pytest.mark.parametrize("what", ["store", "environment"])
def test_what_does_not_fit_is_told_and_leaves_nothing(nfs: Mount, what: str) -> None:
    lock = big_wheel(nfs)
    here = command_on(nfs, nfs.hosts[0], "here", place=what, SAFE_INSTALL_RETRY_BUDGET="1")
    there = command_on(nfs, nfs.other, "there", place=what)
    if what == "store":
        here("cache", "init", "--shared", "private")
    ballast = nfs.folder / "ballast"
    free = os.statvfs(nfs.folder)
    with ballast.open("wb") as file:
        for _ in range(free.f_bavail * free.f_frsize // MEGABYTE - 4):
            file.write(bytes(MEGABYTE))
    result = here("sync", lock, code=7)
    assert result.error == "disk-full"
    assert nfs.leftovers() == []
    assert here.installed() == {}
    ballast.unlink()
    there("sync", lock)
    assert there.installed() == {"big": "1.0"}
    if what == "store":
        assert damage_of(here.store) == []
