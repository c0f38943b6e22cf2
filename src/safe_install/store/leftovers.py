"""Find what processes left in a store that ended too early, and what is of no use any more.

Whose a left-over is tells its name or what is in it. Of one whose process is not known to have ended (it is on another
host, or of an older release) it is taken for certain only when nothing about it has changed for `QUIET`.
"""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..fs._system import boot_name, system_path
from ..locks.notes import read_note
from ..locks.processes import Process, is_tag_of_the_dead
from .entries import Debris, is_real_folder
from .jobs import is_job_layer, read_jobs
from .layout import owner_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from .jobs import JobLayer
    from .layout import Layout
    from .leases import Lease

_DAY = 86400.0

QUIET = 3600.0
"""Seconds. Downloads give up long before, and builds take place elsewhere; only a process that was stopped is quiet so
long, and it fails when it goes on, with nothing half-made to be seen."""

HALF_MADE = _DAY
"""Seconds until an entry without a manifest is given up: where folders cannot be renamed, they are filled in place."""

_HELD_FOR_PEOPLE = 30 * _DAY
"""Seconds that logs of builds and what is in quarantine are kept: nothing reads them but people."""

_BOOT_RECORDS = 7 * _DAY
"""Seconds after its last change that a record of another boot is kept: it may be of a host that is up."""

_JOB_LAYER = _DAY
"""Seconds after its last use that the store of a job is kept whose last process has ended: the job may go on."""

_JOB_LAYER_ELSEWHERE = 7 * _DAY
"""The same for one whose process is not known to have ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOver:
    """:param kind: what it is, for the report, such as ``staging``."""

    path: Path
    kind: str


def find_leftovers(
    layout: Layout, debris: Iterable[Debris], leases: Iterable[Lease], *, now: float, for_people: float | None = None
) -> Iterator[LeftOver]:
    """Yield what can be removed, stores of jobs apart (`dead_job_layers`).

    :param now: by the file system's clock.
    :param for_people: seconds that logs and quarantined entries are kept at most.
    """
    yield from moved_or_staged(layout, now=now)
    for each in debris:
        if each.reason not in {"half-made", "temporary"} or each.changed < now - _patience(each):
            yield LeftOver(path=each.path, kind=each.reason)
    for lease in leases:
        if not lease.is_live(now) and (lease.process is None or lease.process.is_gone() or lease.beaten < now - _DAY):
            yield LeftOver(path=lease.path, kind="lease")
    yield from _notes(layout, now)
    yield from _temporary(layout, now)
    keep = _HELD_FOR_PEOPLE if for_people is None else min(for_people, _HELD_FOR_PEOPLE)
    for folder, kind in ((layout.logs, "log"), (layout.quarantine, "quarantine")):
        yield from (LeftOver(path=folder / item.name, kind=kind) for item in _older(folder, now - keep))
    # Every host has its own.
    checked = layout.checked("")
    current = boot_name()
    for item in _older(checked, now - _BOOT_RECORDS):
        if item.name != current:
            yield LeftOver(path=checked / item.name, kind="record of a boot")


def moved_or_staged(layout: Layout, *, now: float) -> Iterator[LeftOver]:
    """Yield what is half made, or half deleted, and whose process has ended, or seems to."""
    for kind in ("staging", "trash"):
        for item in _items(layout.root / kind):
            if is_tag_of_the_dead(owner_of(item.name)) or _changed(item.path) < now - QUIET:
                yield LeftOver(path=layout.root / kind / item.name, kind=kind)


def dead_job_layers(layout: Layout, *, now: float) -> Iterator[tuple[JobLayer, bool]]:
    """Yield the registered stores of jobs that nobody uses any more, and whether there is something to remove.

    What lies at a path is believed to be such a store only when it is one, of the owner of this one (`is_job_layer`).
    """
    for each in read_jobs(layout):
        gone = each.process.is_gone()
        if not os.path.lexists(system_path(each.path)):
            # It may be about to be made, or on a disk that is not there at the moment.
            if each.used < now - (QUIET if gone else _JOB_LAYER_ELSEWHERE):
                yield each, False
        elif each.used < now - (_JOB_LAYER if gone else _JOB_LAYER_ELSEWHERE) and is_job_layer(each.path, layout):
            yield each, True


def _patience(debris: Debris) -> float:
    return HALF_MADE if debris.reason == "half-made" else QUIET


def _notes(layout: Layout, now: float) -> Iterator[LeftOver]:
    """Notes of lock holders that are no more. A new holder writes its own over an old one; that is never so old."""
    folder = layout.lock("").parent
    for item in _older(folder, now - QUIET):
        lock = folder / item.name.removesuffix(".owner")
        if item.name.endswith(".owner"):
            note = read_note(lock)
            if note is not None and note.process == Process.this():
                continue  # whatever the clocks say
            if note is None or note.process.is_gone() or _changed(item.path) < now - _DAY:
                yield LeftOver(path=folder / item.name, kind="note")
        elif item.name.endswith(".trial"):
            yield LeftOver(path=folder / item.name, kind="temporary")


def _temporary(layout: Layout, now: float) -> Iterator[LeftOver]:
    """Files that were to be renamed over others, and clocks that were read (`leases.file_system_time`)."""
    folders = (layout.root, layout.lock("").parent, layout.leases, layout.jobs, layout.generations)
    for folder in folders:
        for item in _older(folder, now - QUIET):
            if item.name.endswith(".tmp") or (folder == layout.leases and item.name.endswith(".now")):
                yield LeftOver(path=folder / item.name, kind="temporary")


def _older(folder: Path, limit: float) -> Iterator[os.DirEntry[str]]:
    return (item for item in _items(folder) if _changed(item.path) < limit)


def _items(folder: Path) -> Iterator[os.DirEntry[str]]:
    """What is directly in a folder of the store; nothing when it is a link: then it is somebody else's."""
    place = system_path(folder)
    with contextlib.suppress(OSError):
        if is_real_folder(os.lstat(place)):
            with os.scandir(place) as found:
                yield from sorted(found, key=lambda item: item.name)


def _changed(place: str) -> float:
    """When something at or below *place* changed last; the far future when that cannot be told."""
    try:
        state = os.lstat(place)
        latest = _time_of(state)
        if stat.S_ISDIR(state.st_mode):
            for folder, names, files in os.walk(place):
                for name in (*names, *files):
                    # Where this user may not look, nothing of this user changes.
                    with contextlib.suppress(PermissionError):
                        latest = max(latest, _time_of(os.lstat(os.path.join(folder, name))))
    except OSError:
        return float("inf")
    return latest


def _time_of(state: os.stat_result) -> float:
    # Files of a tree carry the time of their content; when they were written tells their status change alone. On
    # Windows that is when they were made.
    return max(state.st_ctime, state.st_mtime)
