"""What happens when the disk of a store is full: room is made once, and the work done again.

Only what no lease names goes, longest unused first, and no more than is needed. Where a quota is full, or no further
file can be made, nobody knows how much is free; as much as the work needs is set free then.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, TypeVar

from ..errors import LockTimeoutError, StoreError
from ..events import SteppedDown
from ..fs._system import system_path

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..events import EventSink
    from .gc import Collection, Limits
    from .layout import Layout

T = TypeVar("T")

_LOCK_TIMEOUT = 60.0
"""Seconds to wait for another collector, which makes room as well."""
_MARGIN = 1 << 20
"""Bytes on top of what is asked for, since others write too."""
_FEW_FILES = 1000


class Room:
    """Makes room in one store.

    :param job: the URL of this job, for those who wait for the lock of collecting.
    """

    def __init__(self, layout: Layout, *, job: str | None, sink: EventSink) -> None:
        self._layout = layout
        self._job = job
        self._sink = sink

    def retry(self, work: Callable[[], T], needed: Callable[[], int]) -> T:
        """Return ``work()``, called a second time after room was made where the first found the disk full.

        :param needed: returns how many bytes the work needs, as far as that is known; called when they were not there.
        :raises StoreError: ``disk-full``, with the numbers.
        """
        try:
            return work()
        except StoreError as error:
            if error.code != "disk-full":
                raise
            bytes_needed = needed()
            made = self._make(bytes_needed, error)
        try:
            return work()
        except StoreError as error:
            if error.code != "disk-full":
                raise
            raise self._told(error, bytes_needed, made) from error

    def _make(self, needed: int, error: StoreError) -> Collection | None:
        """Remove what is needed and can be; return what that was."""
        from .gc import collect

        try:
            made = collect(
                self._layout,
                self._limits(needed + _MARGIN, error),
                lock_timeout=_LOCK_TIMEOUT,
                sink=self._sink,
                job=self._job,
            )
        except (LockTimeoutError, StoreError):
            return None
        self._sink(
            SteppedDown(
                kind="disk-full",
                message=f"the disk of {self._layout.root} was full: {len(made.removed)} entries that nobody uses were "
                f"removed ({made.freed:,} bytes), and the work is tried again",
            )
        )
        return made

    def _limits(self, needed: int, error: StoreError) -> Limits:
        from .gc import Limits

        cause = error.__cause__
        if isinstance(cause, OSError) and cause.errno == errno.ENOSPC and self._files_are_left():
            return Limits(min_free=needed)
        return Limits(set_free=needed)

    def _files_are_left(self) -> bool:
        if not hasattr(os, "statvfs"):
            return True
        found = os.statvfs(system_path(self._layout.root))
        return not found.f_files or found.f_favail >= _FEW_FILES

    def _told(self, error: StoreError, needed: int, made: Collection | None) -> StoreError:
        from .gc import free_bytes

        facts = [f"needed {needed:,} bytes"]
        try:
            facts.append(f"free {free_bytes(self._layout):,} bytes")
        except OSError:
            pass
        if made is not None:
            facts.append(f"in use by the store {made.bytes:,} bytes, after {made.removed_bytes:,} bytes were removed")
            facts.append(f"{made.in_use} entries that jobs use were kept")
        return StoreError(
            error.message,
            code=error.code,
            context=(*facts, *error.context),
            hint="free some space, limit the store with `ci-install cache gc --max-size SIZE`, or choose another disk "
            "with --cache-dir",
        )
