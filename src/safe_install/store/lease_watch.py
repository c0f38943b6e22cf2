"""Look again and again at which entries are in use, reading only what changed."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from ..fs._system import revalidate, system_path
from .leases import read_lease

if TYPE_CHECKING:
    from .layout import Layout
    from .leases import Lease


class LeaseWatch:
    """The leases of a store. For one thread.

    :param now: by the clock of the store's file system, at this moment.
    """

    def __init__(self, layout: Layout, *, now: float) -> None:
        self._layout = layout
        self._offset = now - time.monotonic()
        self._leases: dict[str, tuple[tuple[int, int], Lease]] = {}

    @property
    def now(self) -> float:
        """The time by the clock of the file system."""
        return time.monotonic() + self._offset

    def refresh(self) -> list[Lease]:
        """Return all leases, live or not, as they are now."""
        folder = system_path(self._layout.leases)
        revalidate(folder)
        seen: dict[str, tuple[tuple[int, int], Lease]] = {}
        try:
            with os.scandir(folder) as found:
                for item in found:
                    if item.name.endswith(".jsonl") and (known := self._read(item)) is not None:
                        seen[item.name] = known
        except OSError:
            return []
        self._leases = seen
        return [lease for _, lease in seen.values()]

    def is_used(self, *entries: str) -> bool:
        """Whether a live lease names one of *entries*, now. :param entries: as in `Lease.entries`."""
        leases = self.refresh()
        return any(not lease.entries.isdisjoint(entries) and lease.is_live(self.now) for lease in leases)

    def _read(self, item: os.DirEntry[str]) -> tuple[tuple[int, int], Lease] | None:
        try:
            # Not the entry's own `stat`, which Windows takes from the listing, where it is old.
            state = os.stat(item.path)
        except OSError:
            return None
        version = (state.st_mtime_ns, state.st_size)
        known = self._leases.get(item.name)
        if known is not None and known[0] == version:
            return known
        lease = read_lease(self._layout.leases / item.name)
        return None if lease is None else (version, lease)
