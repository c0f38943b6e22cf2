"""What the library tells while it works; the command line turns it into bars, lines and the report.

A library call takes an `EventSink` and calls it from any thread. Sinks must be quick and must not raise.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

Phase: TypeAlias = Literal["resolve", "fetch", "unpack", "prepare", "build", "link", "compile", "remove", "verify"]
"""``prepare`` asks a build backend for metadata; ``build`` makes a wheel; ``verify`` checks a whole store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseStarted:
    """A piece of work began. :param key: names it until `PhaseEnded`; :param total: bytes or files, when known."""

    phase: Phase
    key: str
    label: str
    total: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseAdvanced:
    """:param amount: since the last event: bytes (``fetch``), files (``link``, ``compile``, ``remove``) or entries
    (``verify``).
    """

    phase: Phase
    key: str
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseEnded:
    """It is over. :param seconds: wall time. :param succeeded: False after an error, or when it was stopped."""

    phase: Phase
    key: str
    seconds: float
    succeeded: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """Bytes came over the network. :param what: a file name; ``page`` for pages and metadata files."""

    what: str
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Retried:
    """An operation failed in a way that passes, and is tried again after *pause* seconds."""

    operation: str
    reason: str
    pause: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SteppedDown:
    """Something was done in a lesser way than asked or usual (promise 10). :param kind: kebab-case."""

    kind: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Noticed:
    """Worth a line, but nothing was lost: a yanked version is pinned, an option of pip has no meaning here.

    :param detail: of interest only to who asked for every detail (``--verbose``).
    """

    message: str
    detail: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A lock is held by somebody else. :param holder: who, as far as its note tells."""

    lock: str
    holder: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Awaited:
    """Another process was waited for, and what it made is used. :param what: as the `Waiting` before called it."""

    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """An entry of the store that was found damaged is there again, whole. :param what: bucket and name."""

    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """Files of an entry had a wrong mode or time, and the right content; they have the right ones again.

    :param what: for people; :param entry: bucket and name.
    """

    what: str
    entry: str
    files: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaned:
    """The store was cleaned up after the work. :param entries: how many were removed."""

    entries: int
    bytes: int


Event: TypeAlias = (
    PhaseStarted
    | PhaseAdvanced
    | PhaseEnded
    | Fetched
    | Retried
    | SteppedDown
    | Noticed
    | Waiting
    | Awaited
    | Repaired
    | Touched
    | Cleaned
)
EventSink: TypeAlias = Callable[[Event], None]


def ignore(event: Event) -> None:
    """A sink that drops everything."""


@contextlib.contextmanager
def telling(sink: EventSink, phase: Phase, *, key: str, label: str, total: int | None = None) -> Iterator[None]:
    """Tell that the body begins, and how it ended. Parameters as `PhaseStarted`."""
    began = time.monotonic()
    succeeded = False
    sink(PhaseStarted(phase=phase, key=key, label=label, total=total))
    try:
        yield
        succeeded = True
    finally:
        sink(PhaseEnded(phase=phase, key=key, seconds=time.monotonic() - began, succeeded=succeeded))
