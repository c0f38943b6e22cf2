"""What another host makes is used at once, also where this one's NFS client still denies it (design section 5).

A name that was looked up before it existed can be denied for up to 29 seconds. The tests look it up first.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from helpers.herd import damage_of
from helpers.stores import digest_of
from labs.nfs.commands import command_on

from safe_install.store import BUILT, Store

if TYPE_CHECKING:
    from pathlib import Path

    from labs.nfs.mounts import Mount

pytestmark = pytest.mark.lab_nfs

_PUBLISH = """
import sys
from pathlib import Path
from helpers.stores import add_pointer, add_wheel
from safe_install.store import Store
store = Store.open(Path(sys.argv[1]))
add_wheel(store, "demo")
add_pointer(store, "demo")
with store.stage_file() as staged:
    staged.write_bytes(b"content")
    store.publish_file(staged, sys.argv[2])
"""


def miss(*paths: Path) -> None:
    """Look names up before they are there."""
    for path in paths:
        os.close(os.open(path.parent, os.O_RDONLY))
        with pytest.raises(FileNotFoundError):
            os.stat(path)


def test_entries_that_were_missed_before_are_found(nfs: Mount) -> None:
    root = nfs.folder / "store"
    store = Store.open(root)
    wheel, key = digest_of("demo 1.0"), digest_of("build of demo")
    file = digest_of("file")
    entry, pointer, kept = store.layout.wheel(wheel), store.layout.document(BUILT, key), store.layout.file(file)
    miss(entry, pointer, kept)
    nfs.other.run_python(_PUBLISH, root, file)
    if nfs.is_lab:
        assert [path.exists() for path in (entry, pointer, kept)] == [False] * 3, "the client was to deny them still"
    found = store.wheel(wheel)
    assert found is not None
    assert found.damage() == []
    assert store.document(BUILT, key) is not None
    assert store.file(file) is not None


def test_a_job_uses_what_another_host_has_made_a_moment_ago(nfs: Mount) -> None:
    """The first run of this host misses everything; the second one must not fetch or build anything, or fail."""
    pins = [nfs.wheel("plain"), nfs.sdist("source")]
    lock = nfs.folder / "requirements.txt"
    lock.write_text("".join(pins))
    here = command_on(nfs, nfs.hosts[0], "here")
    here("venv", here.folder / "other")
    here("sync", lock, "--offline", code=1, SAFE_INSTALL_FIND_LINKS=None)
    there = command_on(nfs, nfs.other, "there")
    assert there("sync", lock).counts["built"] == 1
    result = here("sync", lock, "--offline", SAFE_INSTALL_FIND_LINKS=None)
    assert (result.counts["fetched"], result.counts["built"], result.counts["reused"]) == (0, 0, 2)
    assert damage_of(here.store) == []
