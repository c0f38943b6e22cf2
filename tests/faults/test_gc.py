"""Every step of a clean-up fails once, and is the last one of its process: all that is left is whole, or litter."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import pytest
from helpers.broken_gc import CALLS, collect_all, counted
from helpers.capabilities import unix_only
from helpers.memory import tmp_path
from helpers.storage import DAY, add_lease, add_wheel, dead_process, dead_tag, digest_of, set_age

from safe_install.errors import StoreError
from safe_install.store import gc
from safe_install.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["tmp_path"]

_POSITIONS = 12
NAMES = ("one", "two", "kept")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.open(tmp_path / "store", retry_budget=0)
    yield store
    # Whatever was left before, the next one takes it away; this process lives on, so only when it has been quiet.
    with mock.patch.object(gc, "file_system_now", lambda _: time.time() + 7200):  # noqa: PT008 - the time goes on
        collect_all(store.root)
    assert os.listdir(store.root / "trash") == []
    assert os.listdir(store.root / "staging") == []


def fill(store: Store) -> None:
    """Two wheels to remove, one in use, and left-overs of a process that has ended."""
    for lease in store.layout.leases.iterdir():
        lease.unlink()
    for name in NAMES:
        add_wheel(store, name, size=10, age=9 * DAY)
    add_lease(store, [store.layout.wheel(digest_of("kept 1.0"))])
    add_lease(store, [], process=dead_process())
    left = store.root / "staging" / f"tree-0123456789abcdef.{dead_tag()}"
    left.mkdir(exist_ok=True)
    (left / "part").write_bytes(b"x")
    log = store.root / "logs" / "old.log"
    log.write_bytes(b"x")
    set_age(log, 40 * DAY)


def check(store: Store) -> None:
    """What is used is there and whole; the rest is whole, or gone."""
    kept = store.wheel(digest_of("kept 1.0"))
    assert kept is not None
    for name in NAMES:
        found = store.wheel(digest_of(f"{name} 1.0"))
        assert found is None or found.damage() == []


def number_of_calls(store: Store, call: str) -> int:
    fill(store)
    with counted(-1, lambda: None, (call,)) as counter:
        collect_all(store.root)
    return counter.seen


@pytest.mark.parametrize(
    ("call", "number"),
    [
        *((call, errno.EIO) for call in CALLS),
        *((call, errno.EACCES) for call in ("listdir", "open", "rename", "rmdir", "scandir", "unlink")),
        *((call, errno.ENOSPC) for call in ("mkdir", "open", "rename")),
        ("rename", errno.EXDEV),
        ("unlink", errno.ESTALE),
    ],
)
def test_step_that_fails_does_no_harm(store: Store, call: str, number: int) -> None:
    count = number_of_calls(store, call)

    def fail() -> None:
        raise OSError(number, os.strerror(number), "somewhere")

    # Spread over the whole run; each of them fails in turn below `strace`.
    for position in range(0, count, max(1, count // _POSITIONS)):
        fill(store)
        # It may end with an error, where nothing at all can be told of the store; never with a bug.
        with counted(position, fail, (call,)) as counter, contextlib.suppress(StoreError):
            collect_all(store.root)
        assert counter.seen > position
        check(store)


@unix_only
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_kill_at_any_moment_does_no_harm(store: Store) -> None:
    position = 0
    code = -signal.SIGKILL
    while code == -signal.SIGKILL:
        fill(store)
        command = [sys.executable, "-m", "helpers.broken_gc", str(store.root), str(position)]
        folder = Path(__file__).parents[1]
        code = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(folder)}, check=False).returncode
        check(store)
        position += 8
    assert code == 0
    assert position > 100
