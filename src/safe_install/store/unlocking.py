"""Free locks whose holders are dead, where nothing else does: those of the kind `kinds.LockKind.CLAIM`.

Native locks are freed by the system, so a note that is left beside one holds nobody up.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from ..fs._system import revalidate, system_path
from ..fs.failures import explain
from ..locks.kinds import LockKind, new_lock
from ..locks.notes import note_of, read_note
from .gc import file_system_now

if TYPE_CHECKING:
    from pathlib import Path

    from ..locks.processes import Process
    from .layout import Layout

_ENDING = ".claim"


class HeldLock(NamedTuple):
    """A lock that somebody holds, or held. :param dead: whether the holder was found to be dead."""

    path: Path
    holder: str
    dead: bool


def unlock(layout: Layout, *, patience: float, dry_run: bool) -> list[HeldLock]:
    """Free every lock of a dead holder; return all that were held.

    :param patience: seconds without a sign of life after which a holder of another machine counts as dead; its note
        changes every few seconds.
    :raises StoreError: the locks cannot be read or freed.
    """
    folder = layout.lock("").parent
    revalidate(system_path(folder))
    try:
        now = file_system_now(layout)
        names = sorted(name for name in os.listdir(system_path(folder)) if name.endswith(_ENDING))
        found = []
        for name in names:
            lock = (folder / name).with_suffix(".lock")
            found += _free(lock, now, patience=patience, dry_run=dry_run)
        return found
    except OSError as error:
        raise explain(error, doing="free the locks of the store", path=folder) from error


def _free(path: Path, now: float, *, patience: float, dry_run: bool) -> list[HeldLock]:
    from filelock import StrictSoftFileLock

    lock = new_lock(path, LockKind.CLAIM)
    assert isinstance(lock, StrictSoftFileLock)
    try:
        claims = lock.claims
    except FileNotFoundError:
        return []  # it was never held
    if not claims:
        return []
    note = read_note(path)
    dead = _is_dead(path, note.process if note else None, now, patience)
    if dead and not dry_run:
        for claim in claims:
            # What somebody published meanwhile has another name, and stays.
            lock.force_break(claim.name)
    holder = str(note.process) if note else f"pid {claims[0].pid} on {claims[0].hostname}"
    return [HeldLock(path.with_suffix(_ENDING), holder, dead)]


def _is_dead(path: Path, holder: Process | None, now: float, patience: float) -> bool:
    if holder is not None and holder.is_gone():
        return True
    place = note_of(path) if holder is not None else path.with_suffix(_ENDING)
    try:
        return os.lstat(system_path(place)).st_mtime < now - patience
    except FileNotFoundError:
        return False
