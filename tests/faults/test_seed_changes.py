"""Whoever changes a seed is killed at any system call: readers see a whole generation, and a plain rerun succeeds.

Promise 1. The process kills itself just before its n-th call that concerns the seed, for every n.
"""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from helpers.processes import wait_until
from helpers.stores import digest_of, listing_of, publish_names

from safe_install.events import ignore
from safe_install.models import SeedReference
from safe_install.store.seed_checking import check_generation
from safe_install.store.seed_cleanup import collect
from safe_install.store.seed_view import open_view
from safe_install.store.seeds import Seed, WritableSeed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing ends a process that abruptly")

OLD, NEW = ["one", "two"], ["two", "three"]
CALLS = ("open", "mkdir", "rename", "replace", "link", "unlink", "rmdir", "fsync", "write", "utime", "chmod")


def publish(root: Path) -> None:
    seed = WritableSeed.open(root, retry_budget=0)
    with seed.held(timeout=30):
        seed.publish(listing_of(seed.store, NEW))


def roll_back(root: Path) -> None:
    seed = WritableSeed.open(root, retry_budget=0)
    with seed.held(timeout=30):
        earlier = seed.pointer().before()
        assert earlier is not None
        seed.point_to(earlier)


def clean_up(root: Path) -> None:
    seed = WritableSeed.open(root, retry_budget=0)
    with seed.held(timeout=30):
        collect(seed, keep=1, min_age=0, dry_run=False, sink=ignore)


def begin_with_one(root: Path) -> None:
    """One generation, and nothing else."""
    publish_names(root, OLD)
    clean_up(root)


def begin_with_two(root: Path) -> None:
    begin_with_one(root)
    publish_names(root, NEW)


SCENARIOS: dict[str, tuple[Callable[[Path], None], Callable[[Path], None]]] = {
    "publish": (begin_with_one, publish),
    "roll back": (begin_with_two, roll_back),
    "collect": (begin_with_two, clean_up),
}


class Counter:
    """Counts the calls of this process, and does something just before one of them."""

    def __init__(self, number: int, action: Callable[[], None]) -> None:
        self.count = 0
        self._number = number
        self._action = action

    def watch(self) -> Iterator[Any]:
        for name in CALLS:
            yield mock.patch.object(os, name, self._counting(getattr(os, name)))

    def _counting(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def replacement(*arguments: Any, **keywords: Any) -> Any:
            self.count += 1
            if self.count == self._number:
                self._action()
            return real(*arguments, **keywords)

        return replacement


def counted(work: Callable[[Path], None], root: Path) -> int:
    counter = Counter(0, lambda: None)
    patches = list(counter.watch())
    for patch in patches:
        patch.start()
    try:
        work(root)
    finally:
        for patch in patches:
            patch.stop()
    return counter.count


def killed(work: Callable[[Path], None], root: Path, number: int) -> None:
    """Do it in a process that is killed at its call *number*."""
    # A lock that a thread holds while its process is doubled is held for ever in the double.
    wait_until(lambda: all(thread.name != "safe-install-pulse" for thread in threading.enumerate()))
    child = os.fork()
    if child == 0:
        # One that hangs all the same ends by another signal than the one that is expected.
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(60)
        for patch in Counter(number, lambda: os.kill(os.getpid(), signal.SIGKILL)).watch():
            patch.start()
        work(root)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL, f"call {number} never came"


def whole(root: Path) -> set[str]:
    """The wheels of the current generation, each checked to the last byte, and read as a job reads them."""
    seed = Seed.open_for_reading(root, retry_budget=0)
    generation = seed.generation(seed.pointer().current)
    assert check_generation(seed.store, generation) == []
    view = open_view(SeedReference(path=root), retry_budget=0, sink=ignore)
    return {name for name in (*OLD, *NEW) if view.wheel(digest_of(name)) is not None}


@pytest.mark.parametrize("name", SCENARIOS)
def test_killed_at_any_call(tmp_path: Path, name: str) -> None:
    root = tmp_path / "seed"
    begin, change = SCENARIOS[name]
    begin(root)
    before = whole(root)
    count = counted(change, root)
    after = whole(root)
    assert count > 10
    for number in range(1, count + 1):
        begin(root)
        killed(change, root, number)
        where = f"call {number} of {count}"
        assert whole(root) in (before, after), where
        if name != "roll back" or whole(root) == before:
            change(root)
        assert whole(root) == after, where
        clean_up(root)
        assert whole(root) == after, where
        assert [*root.glob("*.tmp"), *root.glob("generations/*.tmp")] == [], where
