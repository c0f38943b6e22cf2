"""Locks of the dead are freed, those of the living are not, and what may be either waits for a sign of life."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from helpers.storage import dead_process, set_age

from safe_install.locks.kinds import LockKind, new_lock
from safe_install.locks.notes import note_of
from safe_install.locks.processes import Process
from safe_install.store.store import Store
from safe_install.store.unlocking import unlock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from filelock import BaseFileLock


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "store", retry_budget=0)


@pytest.fixture
def claim(store: Store) -> Iterator[BaseFileLock]:
    """A lock made of links, held."""
    lock = new_lock(store.layout.lock("wheel-x"), LockKind.CLAIM)
    lock.acquire(timeout=0)
    yield lock
    lock.release(force=True)


def write_note(store: Store, process: Process, *, age: float = 0.0) -> None:
    path = note_of(store.layout.lock("wheel-x"))
    path.write_text(json.dumps({**process.to_json(), "since": 1.0}), encoding="utf-8")
    set_age(path, age)


def is_free(store: Store) -> bool:
    lock = new_lock(store.layout.lock("wheel-x"), LockKind.CLAIM)
    try:
        lock.acquire(timeout=0)
    except TimeoutError:
        return False
    lock.release()
    return True


def run(store: Store, *, dry_run: bool = False) -> list[bool]:
    return [each.dead for each in unlock(store.layout, patience=60, dry_run=dry_run)]


@pytest.mark.usefixtures("claim")
def test_lock_of_a_dead_process_is_freed(store: Store) -> None:
    write_note(store, dead_process())
    assert not is_free(store)
    assert run(store) == [True]
    assert is_free(store)


@pytest.mark.usefixtures("claim")
def test_dry_run_frees_nothing(store: Store) -> None:
    write_note(store, dead_process())
    assert run(store, dry_run=True) == [True]
    assert not is_free(store)


@pytest.mark.usefixtures("claim")
def test_lock_of_a_live_process_stays(store: Store) -> None:
    write_note(store, Process.this())
    assert run(store) == [False]
    assert not is_free(store)


@pytest.mark.usefixtures("claim")
@pytest.mark.parametrize(("age", "dead"), [(10.0, False), (120.0, True)])
def test_lock_of_another_host_is_freed_without_a_sign_of_life(store: Store, age: float, dead: bool) -> None:
    write_note(store, Process("other", "other", 1, "1"), age=age)
    assert run(store) == [dead]
    assert is_free(store) is dead


@pytest.mark.usefixtures("claim")
@pytest.mark.parametrize(("age", "dead"), [(10.0, False), (120.0, True)])
def test_lock_without_a_note_is_judged_by_its_age(store: Store, age: float, dead: bool) -> None:
    set_age(store.layout.lock("wheel-x").with_suffix(".claim"), age)
    assert run(store) == [dead]


def test_free_and_native_locks_are_no_matter(store: Store, claim: BaseFileLock) -> None:
    claim.release()
    native = new_lock(store.layout.lock("wheel-y"), LockKind.NATIVE)
    with native:
        assert run(store) == []
