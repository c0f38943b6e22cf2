"""Hold a lock file among processes and hosts: one try, then one line, then a bounded wait.

Who holds it is told by a note beside it (`notes`), which changes every few seconds as long as its writer lives. Waits
are bounded from the last such change: a long build is waited for, and a holder that stands still or was on a host
that died is not. Native locks of the dead are freed by the system. Lock files are never removed on Unix, since that
would split waiters across two files.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from typing import TYPE_CHECKING

from ..errors import LockTimeoutError
from ..events import Noticed, Waiting
from ..fs._system import host_name, system_path
from ..fs.failures import explain
from ..fs.retry import is_passing, retry
from ..fs.rights import ensure_folder, file_mode
from .kinds import KINDS, LockKind, is_unsupported, load_library, new_lock
from .notes import OwnNote, read_note, read_note_bytes, read_owner
from .pulse import PULSE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from filelock import BaseFileLock

    from ..events import EventSink

_BEAT_SECONDS = 10.0
# Beats within one time-out, when that is short.
_BEATS_PER_TIMEOUT = 4
# Seconds for errors of a single try that pass.
_TRY_BUDGET = 1.0

__all__ = ["Lock", "Patience", "hold", "read_owner"]


class Lock:
    """One lock file and its note. Not held at first; for one holder at a time, and one thread.

    :param timeout: seconds that others wait for a sign of life: the note changes at least as often.
    :param what: what the lock protects, for messages.
    :param job: the URL of this job, for the note.
    """

    def __init__(self, path: Path, *, timeout: float, what: str, sink: EventSink, job: str | None = None) -> None:
        self.path = path
        self._what = what
        self._sink = sink
        self._interval = min(_BEAT_SECONDS, timeout / _BEATS_PER_TIMEOUT) if timeout > 0 else _BEAT_SECONDS
        self._job = job
        self._lock: BaseFileLock | None = None

    def attempt(self) -> bool:
        """Take it if it is free; return whether it is held now.

        :raises LockTimeoutError: ``lock-unavailable``: no kind of lock works in its folder.
        :raises StoreError: the lock file cannot be made or opened.
        """
        load_library()
        folder = self.path.parent
        try:
            if not os.path.isdir(system_path(folder)):
                os.makedirs(system_path(folder.parent), exist_ok=True)
                ensure_folder(folder)
            while (choice := KINDS.of(folder)).kind is not LockKind.NONE:
                try:
                    return self._attempt(choice.kind)
                except OSError as error:
                    if not is_unsupported(error):
                        raise
                    KINDS.demote(folder, choice.kind, error.strerror or str(error), self._sink)
        except OSError as error:
            raise explain(error, doing=f"lock {self._what}", path=self.path) from error
        raise LockTimeoutError(
            f"no kind of lock works in {folder}",
            code="lock-unavailable",
            context=(f"it is needed for {self._what}", choice.reason),
            hint="use a folder on a local disk, or on a file system with locks or hard links",
        )

    def _attempt(self, kind: LockKind) -> bool:
        from filelock import Timeout

        lock = new_lock(self.path, kind)
        if kind is LockKind.CLAIM:
            self._release_dead(lock)
        try:
            retry(
                lambda: lock.acquire(timeout=0),
                what=f"lock {self.path}",
                budget=_TRY_BUDGET,
                sink=self._sink,
                passing=self._is_passing,
            )
        except Timeout:
            return False
        self._lock = lock
        return True

    def _is_passing(self, error: OSError) -> bool:
        """Also that another member of a group has made the lock file, and not given it its mode yet."""
        shared = isinstance(error, PermissionError) and file_mode(self.path.parent) & stat.S_IWGRP
        return is_passing(error) or bool(shared)

    def _release_dead(self, lock: BaseFileLock) -> None:
        """Take away the claim of a process of this machine that is no more: nothing else ever does."""
        from filelock import StrictSoftFileLock

        note = read_note(self.path)
        if note is None or not note.process.has_left_its_number():
            return
        assert isinstance(lock, StrictSoftFileLock)
        try:
            for claim in lock.claims:
                if (claim.pid, claim.hostname) == (note.process.pid, host_name()):
                    lock.force_break(claim.name)
        except FileNotFoundError:
            pass  # somebody else took it away, or there never was one

    @contextlib.contextmanager
    def held(self) -> Iterator[OwnNote]:
        """Show, after a successful `attempt`, that it is held; yield the note; release it at the end."""
        assert self._lock is not None
        try:
            note = OwnNote(self.path, job=self._job)
            note.write()
            try:
                with PULSE.beating(note.beat, interval=self._interval):
                    yield note
            finally:
                # Before somebody else can hold it and write the next one.
                note.withdraw()
        finally:
            lock, self._lock = self._lock, None
            self._release(lock)

    def _release(self, lock: BaseFileLock) -> None:
        """Let go; a lock that cannot be given back ends with its file's descriptor, and fails nobody's work."""
        try:
            retry(
                lock.release,
                what=f"unlock {self.path}",
                budget=_TRY_BUDGET,
                sink=self._sink,
                passing=lambda _error: True,
            )
        except OSError as error:
            self._sink(Noticed(message=f"could not unlock {self.path}: {error.strerror}", detail=True))


class Patience:
    """How long to wait for a lock that somebody else holds.

    :param timeout: seconds since the note changed last, seen by the own clock, beginning now.
    """

    def __init__(self, path: Path, *, timeout: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._timeout = timeout
        self._clock = clock
        self._seen = read_note_bytes(path)
        self._since = clock()

    def is_over(self) -> bool:
        """Look at the note again."""
        seen = read_note_bytes(self._path)
        if seen != self._seen:
            self._seen, self._since = seen, self._clock()
        return self._clock() - self._since >= self._timeout


@contextlib.contextmanager
def hold(
    path: Path, *, timeout: float, what: str, sink: EventSink, job: str | None = None, poll: float = 0.1
) -> Iterator[None]:
    """Hold the lock file *path* in the body; it and its folder are made when missing.

    :param timeout: seconds to wait after the holder's last sign of life; 0 means one try alone.
    :param what: what the lock protects, for messages, such as ``the environment /ci/.venv``.
    :param job: the URL of this job, for the note.
    :param poll: seconds between tries.
    :raises LockTimeoutError: ``lock-timeout``; ``lock-unavailable``: there are no locks. The lock is not held.
    :raises StoreError: the lock file cannot be opened.
    """
    lock = Lock(path, timeout=timeout, what=what, sink=sink, job=job)
    if not lock.attempt():
        sink(Waiting(lock=what, holder=read_owner(path)))
        patience = Patience(path, timeout=timeout)
        while not lock.attempt():
            if patience.is_over():
                raise LockTimeoutError(
                    f"waited {timeout:g} s for the lock of {what} at {path}",
                    code="lock-timeout",
                    context=(f"held by {read_owner(path)}, without a sign of life in that time",),
                    hint="is another installation running? Raise the limit with --lock-timeout or "
                    "SAFE_INSTALL_LOCK_TIMEOUT",
                )
            time.sleep(poll)
    with lock.held():
        yield
