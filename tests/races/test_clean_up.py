"""A clean-up that removes whatever no lease names, again and again, beside jobs that sync and build (promise 9)."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

import pytest
from helpers.herd import Herd, damage_of, write_lock
from helpers.stocked_index import StockedIndex

from safe_install.events import ignore
from safe_install.store.gc import Collection, Limits, collect
from safe_install.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SIZES = [8, pytest.param(32, marks=pytest.mark.slow)]


@pytest.fixture
def index() -> Iterator[StockedIndex]:
    with StockedIndex() as index:
        yield index


@contextlib.contextmanager
def collecting(root: Path) -> Iterator[list[Collection]]:
    """Collect everything in a loop while the body runs; yield what each round did."""
    layout = Store.open(root).layout
    found: list[Collection] = []
    over = threading.Event()

    def loop() -> None:
        while not over.is_set():
            found.append(collect(layout, Limits(max_size=0), lock_timeout=0, sink=ignore))

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join()


@pytest.mark.timeout(900)
@pytest.mark.parametrize("size", SIZES)
def test_no_job_fails_or_waits_because_of_it(tmp_path: Path, index: StockedIndex, size: int) -> None:
    files = {f"many/{number}.py": f"n = {number}\n" for number in range(300)}
    offered = [
        index.wheel("plain"),
        index.wheel("many", files=files),
        index.sdist("source"),
        index.sdist("needing", build_requires=["tool"]),
    ]
    index.sdist("tool")
    lock = write_lock(tmp_path / "pylock.toml", index, *offered)
    expected = dict.fromkeys(("plain", "many", "source", "needing"), "1.0")
    store = tmp_path / "store"
    with collecting(store) as rounds:
        for turn in range(2):
            with Herd(tmp_path / f"turn-{turn}", index, size=size, store=store) as herd:
                herd.start("sync", lock)
                herd.wait()
                assert [member.command.installed() for member in herd.members] == [expected] * size
                said = [line for member in herd.members for line in member.lines]
                assert not [line for line in said if "cleaning up" in line]
        assert rounds
    removed = sum(len(each.removed) for each in rounds)
    kept = sum(each.in_use for each in rounds)
    # They really met: some entries went, and some were about to go and were in use.
    assert removed > 0
    assert kept > 0
    assert [failure for each in rounds for failure in each.failures] == []
    assert damage_of(store) == []
