"""Who loses uses the winner; who finds damage moves it aside; nobody ever replaces what is valid."""

from __future__ import annotations

import builtins
import errno
import os
from typing import TYPE_CHECKING

import pytest
from helpers.capabilities import unix_only
from helpers.faults import before, failing

from safe_install.errors import StoreError
from safe_install.events import Event, SteppedDown
from safe_install.locks import hold
from safe_install.models import Digest
from safe_install.store import Store, WheelTree
from safe_install.store.layout import Layout

if TYPE_CHECKING:
    from pathlib import Path

DIGEST = Digest("ab" * 32)
pytestmark = unix_only  # error codes of Unix are injected


def open_store(tmp_path: Path, events: list[Event] | None = None, *, budget: float = 5) -> Store:
    return Store.open(tmp_path / "store", retry_budget=budget, sink=(events if events is not None else []).append)


def publish(store: Store) -> WheelTree:
    with store.stage_tree() as writer:
        for number in range(3):
            writer.add(f"demo/{number}.py", [b"x = %d\n" % number], executable=False)
        writer.add("bin/demo", [b"#!"], executable=True)
        return store.publish_wheel(writer.folder, writer.finish(digest=DIGEST, filename="demo.whl"))


def damage(store: Store) -> Path:
    entry = publish(store).folder
    os.unlink(entry / "tree" / "demo" / "0.py")
    return entry


def litter(store: Store) -> list[str]:
    return os.listdir(store.root / "staging") + os.listdir(store.root / "trash")


def test_a_valid_entry_that_was_taken_for_a_damaged_one_is_put_back(tmp_path: Path) -> None:
    """B reads the damaged X; A replaces X by the valid V; B moves V aside, notices, and puts it back."""
    store = open_store(tmp_path)
    damage(store)
    winner: list[int] = []

    def somebody_is_quicker() -> None:
        # Without its lock, which the publisher under test holds just now: safety must not rest on it.
        quick = open_store(tmp_path, budget=0)
        os.rename(Layout(store.root).wheel(DIGEST), tmp_path / "damaged")
        winner.append(publish(quick).folder.stat().st_ino)

    aside = f"{store.root}/quarantine"
    with before("rename", aside, somebody_is_quicker) as fault:
        found = publish(store)
    assert fault.happened
    assert [found.folder.stat().st_ino] == winner
    assert found.damage() == []
    assert litter(store) == []


def test_a_valid_file_that_was_taken_for_a_damaged_one_is_put_back(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    path = Layout(store.root).document("built-1", DIGEST)
    path.write_bytes(b"damaged")

    def somebody_is_quicker() -> None:
        path.unlink()
        open_store(tmp_path, budget=0).publish_document("built-1", DIGEST, {"by": "winner"})

    with before("rename", f"{store.root}/quarantine", somebody_is_quicker) as fault:
        assert store.publish_document("built-1", DIGEST, {"by": "loser"}) == {"by": "winner"}
    assert fault.happened
    assert store.document("built-1", DIGEST) == {"by": "winner"}
    assert litter(store) == []


def test_a_damaged_entry_is_moved_aside_even_when_the_lock_is_never_free(tmp_path: Path) -> None:
    events: list[Event] = []
    store = open_store(tmp_path, events, budget=0.1)
    damage(store)
    with hold(Layout(store.root).lock("aside"), timeout=0, what="a test", sink=lambda event: None):
        assert publish(store).damage() == []
    assert "lock-passed-by" in [event.kind for event in events if isinstance(event, SteppedDown)]
    assert store.wheel(DIGEST) is not None


def test_a_winner_that_cannot_be_opened_yet_is_waited_for_and_not_moved(tmp_path: Path) -> None:
    """NFS: rename said that it exists, and still open denies it for a while (measured)."""
    store = open_store(tmp_path)
    inode = publish(store).folder.stat().st_ino
    denied = FileNotFoundError(errno.ENOENT, "denied by a cache")
    with failing("open", f"{DIGEST[:32]}/manifest.json", denied, times=3, module=builtins) as fault:
        found = publish(store)
    assert len(fault.hits) == 3
    assert found.folder.stat().st_ino == inode


def test_a_winner_that_can_never_be_opened_is_an_error_and_stays(tmp_path: Path) -> None:
    store = open_store(tmp_path, budget=0.2)
    inode = publish(store).folder.stat().st_ino
    with (
        failing("open", f"{DIGEST[:32]}/manifest.json", errno.EACCES, times=None, module=builtins),
        pytest.raises(StoreError) as caught,
    ):
        publish(store)
    assert caught.value.code == "entry-unreadable"
    assert Layout(store.root).wheel(DIGEST).stat().st_ino == inode
    assert litter(store) == []


class TestInPlace:
    """A scanner that never lets go of a staged file denies the rename for ever (Windows)."""

    def test_an_entry_is_filled_in_place_when_the_rename_is_denied_for_too_long(self, tmp_path: Path) -> None:
        events: list[Event] = []
        store = open_store(tmp_path, events, budget=0.05)
        with failing("rename", "/staging/tree-", errno.EBUSY, times=None):
            tree = publish(store)
        assert tree.damage() == []
        assert "published-in-place" in [event.kind for event in events if isinstance(event, SteppedDown)]
        assert open_store(tmp_path).wheel(DIGEST) == tree
        assert litter(store) == []

    def test_the_manifest_comes_last(self, tmp_path: Path) -> None:
        store = open_store(tmp_path, budget=0.05)
        entry = Layout(store.root).wheel(DIGEST)
        seen: list[list[str]] = []

        def look() -> None:
            assert store.wheel(DIGEST) is None
            seen.append(sorted(path.name for path in entry.rglob("*") if path.is_file()))

        with (
            failing("rename", "/staging/tree-", errno.EBUSY, times=None),
            before("link", f"{entry}/", look, times=None),
        ):
            publish(store)
        assert len(seen) == 5
        assert seen[-1] == ["0.py", "1.py", "2.py", "demo"]

    def test_a_failure_half_way_leaves_an_absent_entry_that_the_next_one_replaces(self, tmp_path: Path) -> None:
        store = open_store(tmp_path, budget=0.05)
        entry = Layout(store.root).wheel(DIGEST)
        with (
            failing("rename", "/staging/tree-", errno.EBUSY, times=None),
            failing("link", f"{entry}/tree/demo/2.py", errno.ENOSPC),
            pytest.raises(StoreError) as caught,
        ):
            publish(store)
        assert caught.value.code == "disk-full"
        assert store.wheel(DIGEST) is None
        assert publish(store).damage() == []
        assert store.wheel(DIGEST) is not None
        assert litter(store) == []

    def test_two_who_fill_one_folder_end_with_one_valid_entry(self, tmp_path: Path) -> None:
        """A is half way when B takes its folder for a half-made one, moves it aside and publishes."""
        store = open_store(tmp_path, budget=0.05)
        entry = Layout(store.root).wheel(DIGEST)
        winner: list[int] = []

        def somebody_else() -> None:
            os.replace(entry, tmp_path / "half")
            with store.stage_tree() as writer:
                writer.add("demo/0.py", [b"x = 0\n"], executable=False)
                os.mkdir(entry)
                os.replace(writer.folder / "tree", entry / "tree")
                (entry / "manifest.json").write_bytes(b"")
            winner.append(1)

        with (
            failing("rename", "/staging/tree-", errno.EBUSY, times=None),
            before("link", f"{entry}/tree/demo/1.py", somebody_else),
        ):
            tree = publish(store)
        assert winner
        assert tree.damage() == []
