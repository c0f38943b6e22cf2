"""Notes beside lock files: who holds the lock, since when, and that they are alive (``<lock>.owner``).

A note is never part of the locking: it may be missing, of an earlier holder, or garbage. Times in it are for people
only: hosts disagree about them, so who waits looks whether the note *changes*, and counts by the own clock. A lock
file itself is never written, since on Windows a locked region cannot be read.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

from ..fs._system import system_path
from ..fs.atomic import write_atomically
from ..fs.remove import remove_file
from ..fs.rights import file_mode
from .processes import Process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# Seconds. On Windows a note is neither replaced nor removed at the moment in which a waiter reads it.
_BUDGET = 0.2


class Note(NamedTuple):
    """What a note says.

    :param since: seconds since 1970 by the holder's clock.
    :param job: the URL of the holder's job.
    :param waits: names of the locks that the holder waits for at the moment.
    :param failures: how many holders in a row failed at what the lock is for.
    """

    process: Process
    since: float
    job: str | None
    waits: tuple[str, ...]
    failures: int


def note_of(lock: Path) -> Path:
    """Return where the note of the lock file *lock* lies."""
    return lock.with_name(lock.name + ".owner")


def read_note(lock: Path) -> Note | None:
    """Return the note of the lock file *lock*; None when there is none that can be read."""
    data = read_note_bytes(lock)
    try:
        document = json.loads(data or b"")
        return Note(
            process=Process.of(document),
            since=float(document["since"]),
            job=str(document["job"]) if document.get("job") else None,
            waits=tuple(map(str, document.get("waits", ()))),
            failures=int(document.get("failures", 0)),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def read_note_bytes(lock: Path) -> bytes | None:
    """Return the note of the lock file *lock* as it is, to see whether it changes."""
    try:
        with open(system_path(note_of(lock)), "rb") as file:
            return file.read()
    except OSError:
        return None


def read_owner(lock: Path) -> str:
    """Return who holds the lock file *lock*, as far as its note tells: ``pid 7 on host a since 10:42:07``."""
    note = read_note(lock)
    if note is None:
        return "an unknown process"
    try:
        since = time.strftime("%H:%M:%S", time.localtime(note.since))
    except (OverflowError, ValueError, OSError):
        since = "an unknown time"
    text = f"{note.process} since {since}"
    if note.process.is_gone():
        text += " (which has ended)"
    return f"{text}, job {note.job}" if note.job else text


class OwnNote:
    """The note of a lock that this process holds; safe to use from many threads. What cannot be written is left."""

    def __init__(self, lock: Path, *, job: str | None) -> None:
        self._lock_file = lock
        self._document: dict[str, object] = {**Process.this().to_json(), "since": time.time(), "job": job}
        self._failures = 0
        self._failed = False
        self._waits: list[str] = []
        self._beats = 0
        self._writing = threading.Lock()

    def write(self) -> None:
        """Write it for the first time, over that of the holder before."""
        before = read_note(self._lock_file)
        self._failures = before.failures if before else 0
        self._update(lambda: None)

    def beat(self) -> None:
        """Change it, as a sign of life."""
        self._update(self._count)

    @contextlib.contextmanager
    def waiting_for(self, name: str) -> Iterator[None]:
        """Tell for as long as the body runs that the holder waits for the lock *name*."""
        self._update(lambda: self._waits.append(name))
        try:
            yield
        finally:
            self._update(lambda: self._waits.remove(name))

    def tell_failure(self) -> None:
        """Let those who wait know that the holder failed; `withdraw` then leaves it for them."""
        self._failed = True
        self._failures += 1
        self._update(self._count)

    def withdraw(self) -> None:
        """Remove it; before the lock is released."""
        if self._failed:
            return
        with contextlib.suppress(OSError):
            remove_file(note_of(self._lock_file), budget=_BUDGET)

    def _count(self) -> None:
        self._beats += 1

    def _update(self, change: Callable[[], object]) -> None:
        with self._writing:
            change()
            document = {**self._document, "waits": self._waits, "failures": self._failures, "beats": self._beats}
            with contextlib.suppress(OSError):
                data = json.dumps(document).encode() + b"\n"
                mode = file_mode(self._lock_file.parent)
                write_atomically(note_of(self._lock_file), data, mode=mode, exact=True, budget=_BUDGET)
