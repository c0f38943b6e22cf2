"""What another host makes is used at once, also where this one's NFS client still denies it (design section 5).

A name that was looked up before it existed can be denied for up to 29 seconds. The tests look it up first.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from helpers.herd import damage_of
from helpers.storage import digest_of
from labs.nfs.commands import command_on

from safe_install.store import BUILT, Store, looking

if TYPE_CHECKING:
    from pathlib import Path

    from labs.nfs.mounts import Mount

pytestmark = pytest.mark.lab_nfs

WHEEL, POINTER, FILE = digest_of("demo 1.0"), digest_of("build of demo"), digest_of("file")

_PUBLISH = """
import sys
from pathlib import Path
from helpers.storage import add_pointer, add_wheel
from safe_install.store import Store
store = Store.open(Path(sys.argv[1]))
add_wheel(store, "demo")
add_pointer(store, "demo")
with store.stage_file() as staged:
    staged.write_bytes(b"file")
    store.publish_file(staged, sys.argv[2])
"""


def miss(*paths: Path) -> None:
    """Look names up before they are there."""
    for path in paths:
        os.close(os.open(path.parent, os.O_RDONLY))
        with pytest.raises(FileNotFoundError):
            os.stat(path)


def miss_and_publish(nfs: Mount) -> Store:
    """Let another host publish a wheel, a pointer and a file that this one has looked up too early."""
    store = Store.open(nfs.folder / "store")
    layout = store.layout
    paths = [layout.wheel(WHEEL), layout.document(BUILT, POINTER), layout.file(FILE)]
    miss(*paths)
    nfs.other.run_python(_PUBLISH, store.root, FILE)
    if nfs.is_lab:
        assert [path.exists() for path in paths] == [False] * 3, "the client was to deny them still"
    return store


def test_entries_that_were_missed_before_are_found(nfs: Mount) -> None:
    store = miss_and_publish(nfs)
    found = store.wheel(WHEEL)
    assert found is not None
    assert found.damage() == []
    assert store.document(BUILT, POINTER) is not None
    assert store.file(FILE) is not None


def test_they_are_found_because_their_folders_are_opened(nfs: Mount, monkeypatch: pytest.MonkeyPatch) -> None:
    """With that taken out, none is."""
    if not nfs.is_lab:
        pytest.skip("how long a client denies a name is its own affair; the laboratory's is known")
    store = miss_and_publish(nfs)
    monkeypatch.setattr(looking, "revalidate", lambda path: None)
    assert (store.wheel(WHEEL), store.document(BUILT, POINTER), store.file(FILE)) == (None, None, None)


def test_a_job_uses_what_another_host_has_made_a_moment_ago(nfs: Mount) -> None:
    """The first run of this host misses everything; the second one neither fetches nor builds anything."""
    lock = nfs.folder / "requirements.txt"
    lock.write_text(nfs.wheel("plain") + nfs.sdist("source"))
    here, there = (command_on(nfs, host, f"job-{host.name}") for host in (nfs.hosts[0], nfs.other))
    here("cache", "init", "--shared", "private")
    here("sync", lock, "--offline", code=1, SAFE_INSTALL_FIND_LINKS=None)
    assert there("sync", lock).counts["built"] == 1
    result = here("sync", lock)
    assert (result.counts["fetched"], result.counts["built"], result.counts["reused"]) == (0, 0, 2)
    assert damage_of(here.store) == []
