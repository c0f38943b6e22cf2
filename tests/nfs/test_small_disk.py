"""A server whose disk is full, or whose quota is used up: the documented exit code, nothing half-made, and on it goes."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest
from helpers.herd import damage_of
from labs.nfs.commands import command_on

if TYPE_CHECKING:
    from labs.nfs.mounts import Mount

pytestmark = pytest.mark.lab_nfs("small")

MEGABYTE = 1 << 20


@pytest.mark.parametrize("what", ["store", "environment"])
def test_what_does_not_fit_is_told_and_leaves_nothing(nfs: Mount, what: str) -> None:
    lock = nfs.folder / "requirements.txt"
    content = random.Random(1).randbytes(8 * MEGABYTE)
    lock.write_text(nfs.wheel("big", files={"big/__init__.py": "", "big/data.bin": content}, compress=False))
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
