"""When an entry was used last: kept in times that nobody checks, so that it costs no file and no read changes it.

::

    a folder                    its modification time: that of a wheel's entry is not part of its manifest
    a file of ``files-1``       its status change time, since its modification time follows from its content; on
                                Windows, which has none, its access time, set by us alone
    a document, a page          its modification time

Times of access are not asked for: most mounts do not keep them, and a search or a backup changes them. A use within
`_OFTEN` of the last one is not written down. Who may not write the entry (a reader of a public store, another member of
a group where a file is concerned) leaves no trace; a lease still does. A copy of a store starts with new times.
"""

from __future__ import annotations

import os
import stat
import time
from typing import TYPE_CHECKING

from ..fs._system import system_path
from .layout import FILES

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_OFTEN = 3600.0
"""Seconds. A clean-up thinks in days, and a job of two hundred wheels should not write two hundred times."""


def record_uses(entries: Iterable[Path]) -> None:
    """Write down that these entries are used now; what cannot be written is left."""
    now = time.time()
    for entry in entries:
        place = system_path(entry)
        try:
            state = os.lstat(place)
            # Also when the stamp lies in the future: the clock of the file system may be another one.
            if abs(now - last_use(entry.parent.parent.name, state)) >= _OFTEN:
                _stamp(entry, place, state)
        except OSError:
            continue


def last_use(bucket: str, state: os.stat_result) -> float:
    """Return when the entry with this *state* was used last, in seconds of the file system's clock."""
    if bucket != FILES or stat.S_ISDIR(state.st_mode):
        return state.st_mtime
    return state.st_atime if os.name == "nt" else state.st_ctime


def _stamp(entry: Path, place: str, state: os.stat_result) -> None:
    if entry.parent.parent.name != FILES or stat.S_ISDIR(state.st_mode):
        # Without a time of ours: the server of a network file system puts its own, and the group may do it.
        os.utime(place)
    else:
        # On Unix it is the call itself that counts: it changes the status, though no time that it sets.
        os.utime(place, ns=(time.time_ns(), state.st_mtime_ns))
