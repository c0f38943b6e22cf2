"""The disk of the store is full: what nobody uses goes, and the work goes on; or it fails with the numbers."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from helpers.missing_parts import missing
from helpers.storage import DAY, add_lease, add_wheel

from safe_install.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from helpers.command import Command
    from helpers.stocked_index import StockedIndex

pytestmark = pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root may mount")

SIZE = 8_000_000


@pytest.fixture
def small(command: Command) -> Iterator[Store]:
    """The command's store, on a disk of `SIZE` bytes that old entries fill to a third of a megabyte."""
    command.store.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "none", command.store], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        missing("the right to mount", "run with CAP_SYS_ADMIN")
    try:
        os.chmod(command.store, 0o700)
        store = Store.open(command.store)
        for number in range(100):
            if os.statvfs(command.store).f_bavail * 4096 < 900_000:
                break
            add_wheel(store, f"old{number}", size=500_000, age=(200 - number) * DAY)
        yield store
    finally:
        subprocess.run(["umount", command.store], check=True)


def names(store: Store) -> set[str]:
    return {path.name for path in (store.root / "wheels-1").glob("*/*/tree/*")}


def test_room_is_made_by_what_was_not_used_for_longest(command: Command, small: Store, index: StockedIndex) -> None:
    index.wheel("large", files={"large.bin": os.urandom(1_500_000)})
    before = names(small)
    result = command("install", "large")
    assert result.report is not None
    assert "disk-full" in [each["kind"] for each in result.report["step_downs"]]
    gone = before - names(small)
    assert gone == {f"old{number}" for number in range(len(gone))}
    # As much as is needed: the archive, and what is in it.
    assert 2 <= len(gone) <= 9
    assert command.installed() == {"large": "1.0"}


def test_what_jobs_use_stays_and_the_numbers_are_told(command: Command, small: Store, index: StockedIndex) -> None:
    add_lease(small, (small.root / "wheels-1").glob("*/*"))
    index.wheel("large", files={"large.bin": os.urandom(1_500_000)})
    before = names(small)
    result = command("install", "large", code=7)
    assert result.error == "disk-full"
    assert names(small) == before
    assert result.report is not None
    facts = "\n".join(result.report["error"]["context"])
    for fact in ("needed ", "free ", "in use by the store ", "kept"):
        assert fact in facts
    assert "cache gc --max-size" in result.report["error"]["hint"]


def test_disk_that_is_too_small_for_it_fails_after_one_more_try(
    command: Command, small: Store, index: StockedIndex
) -> None:
    index.wheel("huge", files={"huge.bin": os.urandom(SIZE)})
    result = command("install", "huge", code=7)
    assert result.error == "disk-full"
    assert index.files_read() == 2
    command("cache", "info")
