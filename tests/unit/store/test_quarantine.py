"""What is damaged is kept with the reason, once for each entry."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from safe_install.errors import StoreError
from safe_install.events import Event, SteppedDown
from safe_install.models import Digest
from safe_install.store.layout import BUILT, Layout
from safe_install.store.quarantine import Quarantine
from safe_install.store.store import Store
from safe_install.store.verify import Checks

if TYPE_CHECKING:
    from pathlib import Path

DIGEST = Digest("ab" * 32)


def open_store(tmp_path: Path, events: list[Event] | None = None) -> Store:
    sink = (events if events is not None else []).append
    return Store.open(tmp_path / "store", checks=Checks(job="https://ci.test/7"), sink=sink)


def damage(store: Store) -> Path:
    path = store.layout.document(BUILT, DIGEST)
    path.write_bytes(b"{}")
    return path


def test_the_reason_says_what_when_who_and_which_job(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    damage(store)
    assert store.document(BUILT, DIGEST) is None
    (cell,) = (store.root / "quarantine").iterdir()
    assert (cell / "entry").read_bytes() == b"{}"
    reason = json.loads((cell / "reason.json").read_text())
    assert reason["entry"] == f"built-1/ab/{DIGEST[:32]}.json"
    assert reason["problems"] == ["its checksum is wrong"]
    assert (reason["pid"], reason["job"]) == (os.getpid(), "https://ci.test/7")
    assert reason["when"].endswith("Z")
    assert reason["user"]


def test_of_one_entry_only_the_last_is_kept(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    for _ in range(3):
        damage(store)
        assert store.document(BUILT, DIGEST) is None
    assert len(os.listdir(store.root / "quarantine")) == 1


def test_it_is_made_where_a_store_of_an_older_release_has_none(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    (store.root / "quarantine").rmdir()
    damage(store)
    assert store.document(BUILT, DIGEST) is None
    assert len(os.listdir(store.root / "quarantine")) == 1


def test_what_turns_out_valid_stays_and_is_returned(tmp_path: Path) -> None:
    events: list[Event] = []
    store = open_store(tmp_path, events)
    path = damage(store)
    quarantine = Quarantine(Layout(store.root), budget=1, job=None, sink=events.append)
    assert quarantine.take(path, ["wrong"], lambda place: place) == path
    assert path.exists()
    assert os.listdir(store.root / "quarantine") == []
    assert [event for event in events if isinstance(event, SteppedDown)] == []


def test_what_is_gone_already_is_no_failure_and_leaves_no_reason(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    quarantine = Quarantine(Layout(store.root), budget=1, job=None, sink=lambda event: None)
    assert quarantine.take(store.layout.document(BUILT, DIGEST), ["wrong"], lambda place: None) is None
    assert os.listdir(store.root / "quarantine") == []


def test_a_store_that_nothing_can_be_moved_in_makes_a_miss_that_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[Event] = []
    store = open_store(tmp_path, events)
    path = damage(store)

    def deny(source: str, target: str) -> None:
        raise PermissionError(1, "Operation not permitted", source)

    with monkeypatch.context() as patched:
        patched.setattr(os, "rename", deny)
        assert store.document(BUILT, DIGEST) is None
        with pytest.raises(StoreError):
            store.publish_document(BUILT, DIGEST, {"wheel": "x"})
    assert path.exists()
    assert "cannot be moved aside" in str(events[0])
    assert os.listdir(store.root / "quarantine") == []
