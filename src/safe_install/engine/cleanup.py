"""Clean a store up: to its limits, of everything or of projects; by itself after a job, at most once a day."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from ..errors import LockTimeoutError, SafeInstallError
from ..events import Cleaned, Noticed, SteppedDown
from ..fs._system import system_path
from ..fs.atomic import write_atomically
from ..fs.failures import explain
from ..fs.rights import file_mode
from ..store.gc import Limits, clean, collect, file_system_now
from ..store.projects import subject_of
from ..store.seeds import Seed, WritableSeed
from ..store.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from ..events import EventSink
    from ..settings import Settings
    from ..store.entries import Entry
    from ..store.gc import Collection
    from ..store.layout import Layout
    from ..store.seed_cleanup import Collected

_DAY = 86400.0
_AFTER_A_JOB = 60.0
"""Seconds that a job may be made longer by, once a day; the next day goes on."""
_GENERATION_MIN_AGE = 172_800.0
"""Seconds that a replaced generation lives at least (design section 4)."""


def limits_of(settings: Settings) -> Limits:
    """Return what ``--max-size``, ``--max-age`` and ``--min-free`` say."""
    return Limits(max_size=settings.max_size, max_age=settings.max_age, min_free=settings.min_free)


def collect_garbage(
    settings: Settings, root: Path, sink: EventSink, *, keep: int | None, dry_run: bool, job: str | None
) -> tuple[Collection, Collected | None]:
    """Clean the store at *root* up to the limits of the settings.

    :param keep: of a seed, how many generations to keep; None for all.
    :return: what went, and what the generations of a seed set free.
    :raises LockTimeoutError: somebody else collects, or changes the seed.
    :raises StoreError: as `Store.open` and `collect`.
    """
    layout = _open(settings, root, sink, dry_run=dry_run)
    with _unchanging(settings, layout, sink, dry_run=dry_run):
        gone = _collect_generations(settings, layout, sink, keep=keep, dry_run=dry_run)
        found = collect(
            layout,
            limits_of(settings),
            lock_timeout=settings.lock_timeout,
            sink=sink,
            listed=_listed(settings, layout, sink, gone),
            dry_run=dry_run,
            job=job,
        )
    _tell_failures(found, sink)
    return found, gone


def clean_store(
    settings: Settings, root: Path, sink: EventSink, *, names: Sequence[str], dry_run: bool, job: str | None
) -> Collection:
    """Remove everything from the store at *root*, or what belongs to the projects *names*. Errors as `collect_garbage`.

    :param names: normalized here.
    """
    from packaging.utils import canonicalize_name

    wanted = {canonicalize_name(name) for name in names}

    def is_wanted(entry: Entry) -> bool:
        return not wanted or subject_of(entry).project in wanted

    layout = _open(settings, root, sink, dry_run=dry_run)
    with _unchanging(settings, layout, sink, dry_run=dry_run):
        found = clean(
            layout,
            is_wanted,
            lock_timeout=settings.lock_timeout,
            sink=sink,
            listed=_listed(settings, layout, sink),
            for_people=None if wanted else 0.0,
            dry_run=dry_run,
            job=job,
        )
    _tell_failures(found, sink)
    return found


def tidy_after_job(settings: Settings, layout: Layout, sink: EventSink, *, job: str | None) -> None:
    """Clean the store up if nobody did so for a day. Whatever goes wrong is told, and fails nothing."""
    try:
        if not _is_due(layout):
            return
        _stamp(layout)
        found = collect(
            layout,
            limits_of(settings),
            lock_timeout=0,
            sink=sink,
            listed=_listed(settings, layout, sink),
            seconds=_AFTER_A_JOB,
            job=job,
        )
    except LockTimeoutError:
        return  # somebody else is at it
    except SafeInstallError as error:
        sink(SteppedDown(kind="not-cleaned-up", message=f"the store was not cleaned up: {error.message}"))
        return
    sink(Cleaned(entries=len(found.removed), bytes=found.removed_bytes))
    if found.removed:
        sink(Noticed(message=f"cleaned the store up: removed {len(found.removed)} entries"))
    _tell_failures(found, sink)


def _is_due(layout: Layout) -> bool:
    """Whether the last time was a day ago; then it is now."""
    place = system_path(layout.last_cleanup)
    try:
        # A stamp of the future was made by a clock that was wrong.
        if 0 <= file_system_now(layout) - os.lstat(place).st_mtime < _DAY:
            return False
    except FileNotFoundError:
        pass
    except OSError as error:
        raise explain(error, doing="clean the store up", path=place) from error
    return True


def _stamp(layout: Layout) -> None:
    try:
        write_atomically(layout.last_cleanup, b"", mode=file_mode(layout.last_cleanup.parent), budget=0)
    except OSError as error:
        raise explain(error, doing="clean the store up", path=layout.last_cleanup) from error


def _open(settings: Settings, root: Path, sink: EventSink, *, dry_run: bool) -> Layout:
    opening: Callable[..., Store] = Store.open_for_reading if dry_run else Store.open
    return opening(root, retry_budget=settings.retry_budget, sink=sink).layout


@contextlib.contextmanager
def _unchanging(settings: Settings, layout: Layout, sink: EventSink, *, dry_run: bool) -> Iterator[None]:
    """Let nobody publish a generation meanwhile: what it is about to list would be removed."""
    if dry_run or not _is_seed(layout):
        yield
        return
    seed = WritableSeed.open(layout.root, retry_budget=settings.retry_budget, sink=sink)
    with seed.held(timeout=settings.lock_timeout):
        yield


def _is_seed(layout: Layout) -> bool:
    return os.path.lexists(system_path(layout.current)) or os.path.lexists(system_path(layout.generations))


def _collect_generations(
    settings: Settings, layout: Layout, sink: EventSink, *, keep: int | None, dry_run: bool
) -> Collected | None:
    if keep is None or not _is_seed(layout):
        return None
    from ..store.seed_cleanup import collect as collect_generations

    seed = WritableSeed.open(layout.root, retry_budget=settings.retry_budget, sink=sink)
    return collect_generations(seed, keep=keep, min_age=_GENERATION_MIN_AGE, dry_run=dry_run, sink=sink)


def _listed(
    settings: Settings, layout: Layout, sink: EventSink, without: Collected | None = None
) -> Callable[[Entry], bool] | None:
    """Return what tells whether a generation of the seed lists an entry.

    :raises IntegrityError, StoreError: the current generation cannot be read, so nobody knows.
    """
    if not _is_seed(layout):
        return None
    from ..store.seed_cleanup import listed_in

    seed = Seed.open_for_reading(layout.root, retry_budget=settings.retry_budget, sink=sink)
    listed = listed_in(seed, without=without.generations if without else ())
    return lambda entry: listed.has(entry.bucket, entry.path.name)


def _tell_failures(found: Collection, sink: EventSink) -> None:
    for failure in found.failures:
        sink(SteppedDown(kind="not-removed", message=f"could not remove {failure}"))
