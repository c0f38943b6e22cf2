"""Collect garbage in a store, while jobs use it: what was not used for the longest time goes first.

The lock of collecting is for collectors alone. Jobs neither wait for it nor hold it, so nothing here ever waits for a
job; how an entry in use is kept is told in `removing`.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from ..errors import StoreError
from ..fs._system import system_path
from ..fs.failures import explain, is_full
from ..locks import hold
from .entries import Debris, Entry, document_of, leads_to, size_of, survey, weigh
from .job_layers import remove_job_layer
from .layout import IMAGES
from .lease_watch import LeaseWatch
from .leases import file_system_time
from .leftovers import dead_job_layers, find_leftovers
from .removing import Remover

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..events import EventSink
    from .layout import Layout

Reason: TypeAlias = Literal["age", "size", "space", "asked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a store may hold; None is no limit.

    :param max_size: bytes of all entries.
    :param max_age: seconds since an entry's last use.
    :param min_free: bytes that the file system should have free afterwards.
    :param set_free: bytes to set free, whatever is free already: where a quota is full, nobody knows what is.
    """

    max_size: int | None = None
    max_age: float | None = None
    min_free: int | None = None
    set_free: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """An entry that was removed, or would be.

    :param entry: such as ``wheels-1/ab/abcdef…``.
    :param freed: bytes that nothing else holds on to; less than *bytes* where environments link to its files.
    :param used: last use, in seconds since 1970 by the file system's clock.
    """

    entry: str
    bytes: int
    freed: int
    used: float
    reason: Reason


@dataclass(kw_only=True)
class Collection:
    """What a clean-up did, or would do.

    :param left_overs: how many of each kind (`leftovers.LeftOver`).
    :param in_use: entries that were to go, and stay because a live lease names them.
    :param listed: entries that were to go, and stay because a generation of this seed lists them.
    :param failures: what could not be removed, and why.
    :param bytes: what is left, of all entries.
    :param complete: False when the time was over before the limits were met.
    """

    removed: list[Removed] = field(default_factory=list)
    left_overs: Counter[str] = field(default_factory=Counter)
    in_use: int = 0
    listed: int = 0
    failures: list[str] = field(default_factory=list)
    bytes: int = 0
    complete: bool = True

    @property
    def freed(self) -> int:
        """Bytes that the removed entries set free."""
        return sum(each.freed for each in self.removed)

    @property
    def removed_bytes(self) -> int:
        """Bytes of the removed entries."""
        return sum(each.bytes for each in self.removed)


def collect(
    layout: Layout,
    limits: Limits,
    *,
    lock_timeout: float,
    sink: EventSink,
    listed: Callable[[Entry], bool] | None = None,
    dry_run: bool = False,
    seconds: float | None = None,
    job: str | None = None,
) -> Collection:
    """Remove left-overs, and entries until *limits* are met.

    :param lock_timeout: seconds to wait for another collector that shows no sign of life.
    :param listed: tells entries that must stay: what generations of a seed list.
    :param dry_run: change nothing; needs no right to write.
    :param seconds: after which no further entry is removed.
    :param job: the URL of this job, for those who wait for the lock.
    :raises LockTimeoutError: ``lock-timeout``: another one collects. Nothing was removed.
    :raises StoreError: the store cannot be read or written. What was removed by then is gone, all else whole.
    """

    def choose(_: Entry, age: float) -> Reason | None:
        return "age" if limits.max_age is not None and age > limits.max_age else None

    return _run(
        layout,
        choose,
        limits,
        for_people=limits.max_age,
        lock_timeout=lock_timeout,
        sink=sink,
        listed=listed,
        dry_run=dry_run,
        seconds=seconds,
        job=job,
    )


def clean(
    layout: Layout,
    wanted: Callable[[Entry], bool],
    *,
    lock_timeout: float,
    sink: EventSink,
    listed: Callable[[Entry], bool] | None = None,
    for_people: float | None = None,
    dry_run: bool = False,
    job: str | None = None,
) -> Collection:
    """Remove left-overs, and the entries that *wanted* holds for. Further parameters and errors as `collect`.

    :param for_people: seconds that logs and quarantined entries are kept at most.
    """

    def choose(entry: Entry, _: float) -> Reason | None:
        return "asked" if wanted(entry) else None

    return _run(
        layout,
        choose,
        Limits(),
        for_people=for_people,
        lock_timeout=lock_timeout,
        sink=sink,
        listed=listed,
        dry_run=dry_run,
        seconds=None,
        job=job,
    )


def _run(
    layout: Layout,
    choose: Callable[[Entry, float], Reason | None],
    limits: Limits,
    *,
    for_people: float | None,
    lock_timeout: float,
    sink: EventSink,
    listed: Callable[[Entry], bool] | None,
    dry_run: bool,
    seconds: float | None,
    job: str | None,
) -> Collection:
    with contextlib.ExitStack() as stack:
        if not dry_run:
            what = f"cleaning up the store {layout.root}"
            stack.enter_context(hold(layout.lock("gc"), timeout=lock_timeout, what=what, sink=sink, job=job))
        try:
            now = time.time() if dry_run else file_system_now(layout)
            collector = _Collector(layout, limits, listed, LeaseWatch(layout, now=now), dry_run=dry_run, sink=sink)
            deadline = None if seconds is None else time.monotonic() + seconds
            return collector.run(choose, deadline, for_people)
        except OSError as error:
            raise explain(error, doing="clean the store up", path=error.filename or layout.root) from error


def file_system_now(layout: Layout) -> float:
    """Return the time of the store's file system; that of this host where the disk has no room to ask it.

    :raises OSError: the store cannot be written.
    """
    try:
        return file_system_time(layout)
    except OSError as error:
        if not is_full(error):
            raise
        return time.time()


class _Collector:
    """One run, with the lock held."""

    def __init__(
        self,
        layout: Layout,
        limits: Limits,
        listed: Callable[[Entry], bool] | None,
        leases: LeaseWatch,
        *,
        dry_run: bool,
        sink: EventSink,
    ) -> None:
        self._layout = layout
        self._limits = limits
        self._listed = listed
        self._leases = leases
        self._dry_run = dry_run
        self._sink = sink
        self._remover = Remover(layout, leases, sink=sink)
        self._result = Collection()
        self._sizes: dict[str, int] = {}
        self._targets: dict[str, tuple[str, ...]] = {}
        self._to_free = limits.set_free or 0

    def run(
        self, choose: Callable[[Entry, float], Reason | None], deadline: float | None, for_people: float | None
    ) -> Collection:
        """Remove what has to go; return what that was."""
        entries: list[Entry] = []
        debris: list[Debris] = []
        for each in survey(self._layout):
            if isinstance(each, Entry):
                entries.append(each)
            else:
                debris.append(each)
        self._remove_left_overs(debris, for_people)
        self._remove_stores_of_jobs()
        self._sizes = {entry.key: size_of(entry) for entry in entries}
        self._result.bytes = sum(self._sizes.values())
        if self._limits.min_free is not None:
            self._to_free = max(self._to_free, self._limits.min_free - free_bytes(self._layout))
        for used, entry in self._oldest_first(entries):
            if deadline is not None and time.monotonic() >= deadline:
                self._result.complete = False
                break
            self._consider(entry, used, choose)
        self._result.failures = self._remover.failures
        return self._result

    def _oldest_first(self, entries: list[Entry]) -> Iterator[tuple[float, Entry]]:
        """Yield entries with their last use. That of an entry counts for the documents that lead to it, too."""
        used = {entry.key: entry.used for entry in entries}
        ordered = []
        for entry in entries:
            targets = self._targets[entry.key] = leads_to(entry, document_of(entry))
            latest = max((used[key] for key in targets if key in used), default=0.0)
            ordered.append((max(entry.used, latest), bool(targets), entry))
        # A document after what it leads to: without it a wheel that was built is not found.
        ordered.sort(key=lambda item: (item[0], item[1], item[2].key))
        if self._to_free > 0:
            # An image and its wheels hold on to the same files. It is the one that costs nothing to make again.
            ordered.sort(key=lambda item: item[2].bucket != IMAGES)
        return ((latest, entry) for latest, _, entry in ordered)

    def _consider(self, entry: Entry, used: float, choose: Callable[[Entry, float], Reason | None]) -> None:
        reason = choose(entry, self._leases.now - used)
        if reason is None and self._limits.max_size is not None and self._result.bytes > self._limits.max_size:
            reason = "size"
        if reason is None and self._to_free <= 0:
            return
        if self._listed is not None and self._listed(entry):
            self._result.listed += reason is not None
            return
        size, freed = weigh(entry.path)
        if reason is None:
            # What environments hold on to makes no room; the manifest alone is no gain.
            if freed * 2 < size and entry.bucket != IMAGES:
                return
            reason = "space"
        if not self._remove(entry):
            return
        self._result.removed.append(Removed(entry=entry.key, bytes=size, freed=freed, used=used, reason=reason))
        self._result.bytes -= self._sizes[entry.key]
        self._to_free -= freed

    def _remove(self, entry: Entry) -> bool:
        targets = self._targets[entry.key]
        if self._dry_run:
            in_use = self._leases.is_used(entry.key, *targets)
            self._result.in_use += in_use
            return not in_use
        outcome = self._remover.entry(entry, targets)
        self._result.in_use += outcome == "in use"
        return outcome == "removed"

    def _remove_left_overs(self, debris: list[Debris], for_people: float | None) -> None:
        leases = self._leases.refresh()
        found = find_leftovers(self._layout, debris, leases, now=self._leases.now, for_people=for_people)
        for each in list(found):
            if self._dry_run or self._remover.left_over(each.path) == "removed":
                self._result.left_overs[each.kind] += 1

    def _remove_stores_of_jobs(self) -> None:
        for layer, there in dead_job_layers(self._layout, now=self._leases.now):
            if not self._dry_run:
                try:
                    if there:
                        remove_job_layer(layer.path, sink=self._sink)
                    layer.forget()
                except (OSError, StoreError) as error:
                    self._remover.failures.append(f"{layer.path}: {error}")
                    continue
            self._result.left_overs["store of a job" if there else "record of a job"] += 1


def free_bytes(layout: Layout) -> int:
    """Return how many bytes this user can still write to the store's file system.

    :raises OSError: the system does not tell.
    """
    import shutil  # slow to load, and rarely needed

    return shutil.disk_usage(os.fspath(system_path(layout.root))).free
