"""Windows' own error codes: those that pass are waited out, the others are told at once.

Forced, since nothing makes all of them at will; of the laboratory on Wine some cannot come at all: a region that another
process locked can be read there, and a file that is open is never deleted.
"""

from __future__ import annotations

import builtins
import os
import threading
from typing import TYPE_CHECKING

import pytest
from helpers.faults import failing

from safe_install.errors import StoreError
from safe_install.events import ignore
from safe_install.fs.atomic import publish_folder, write_atomically
from safe_install.fs.failures import explain
from safe_install.fs.remove import remove_tree
from safe_install.locks.holding import hold
from safe_install.locks.notes import OwnNote, read_note_bytes
from safe_install.models import Digest
from safe_install.store.documents import CachedPage
from safe_install.store.store import Store

if TYPE_CHECKING:
    from pathlib import Path

# Access denied, sharing violation, lock violation, deletion pending, a mapped file.
PASSING = [5, 32, 33, 303, 1224]


def error(code: int) -> OSError:
    return OSError(0, "forced", None, code)


@pytest.mark.parametrize("code", PASSING)
def test_replacing_waits_for_what_passes(tmp_path: Path, code: int) -> None:
    with failing("replace", "file", error(code), times=2) as fault:
        write_atomically(tmp_path / "file", b"x", budget=10)
    assert len(fault.hits) == 2
    assert (tmp_path / "file").read_bytes() == b"x"


@pytest.mark.parametrize("code", PASSING)
def test_publishing_waits_for_what_passes(tmp_path: Path, code: int) -> None:
    (tmp_path / "staged").mkdir()
    with failing("rename", "target", error(code), times=2) as fault:
        assert publish_folder(tmp_path / "staged", tmp_path / "target", budget=10)
    assert len(fault.hits) == 2


@pytest.mark.parametrize("code", [*PASSING, 145])
def test_removing_waits_for_what_passes(tmp_path: Path, code: int) -> None:
    (tmp_path / "tree").mkdir()
    with failing("rmdir", "tree", error(code), times=2) as fault:
        remove_tree(tmp_path / "tree", budget=10)
    assert len(fault.hits) == 2
    assert not (tmp_path / "tree").exists()


@pytest.mark.parametrize("code", [19, 112, 1117], ids=["write-protected", "disk full", "broken device"])
def test_what_does_not_pass_is_told_at_once(tmp_path: Path, code: int) -> None:
    with failing("replace", "file", error(code), times=None) as fault, pytest.raises(OSError, match="forced"):
        write_atomically(tmp_path / "file", b"x", budget=60)
    assert len(fault.hits) == 1
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (112, "disk-full"),
        (39, "disk-full"),
        (19, "read-only"),
        (32, "in-use"),
        (33, "in-use"),
        (5, "permission-denied"),
    ],
)
def test_error_is_explained(tmp_path: Path, code: int, told: str) -> None:
    found = explain(error(code), doing="write", path=tmp_path)
    assert isinstance(found, StoreError)
    assert found.code == told


def test_page_whose_deletion_is_pending_is_looked_at_again(tmp_path: Path) -> None:
    """Its name is denied as long as somebody has it open; Python's `open` says no more than that (uv#2810, in a herd)."""
    store = Store.open(tmp_path / "store", retry_budget=10)
    page = CachedPage(url="https://index.test/", content_type="text/html", body=b"x")
    store.publish_page(Digest("ab" * 32), page)
    denied = PermissionError(13, "Permission denied")
    with failing("open", "/index-1/", denied, times=2, module=builtins) as fault:
        assert store.page(Digest("ab" * 32)) == page
    assert len(fault.hits) == 2


def test_nobody_reads_a_file_that_is_locked(tmp_path: Path) -> None:
    """Windows refuses it with error 33, Wine allows it; so who holds a lock is told by a note beside it."""
    lock = tmp_path / "x.lock"
    with hold(lock, timeout=5, what="x", sink=ignore), failing("read", "x.lock\n", error(33), times=None):
        assert b"pid" in (read_note_bytes(lock) or b"")


def test_sign_of_life_is_given_while_a_waiter_reads_the_last_one(tmp_path: Path) -> None:
    lock = tmp_path / "x.lock"
    note = OwnNote(lock, job=None)
    note.write()
    before = read_note_bytes(lock)
    file = (tmp_path / "x.lock.owner").open("rb")
    closing = threading.Timer(0.02, file.close)
    closing.start()
    note.beat()
    closing.join()
    assert read_note_bytes(lock) != before
    note.withdraw()
    assert os.listdir(tmp_path) == []
