"""Hold a lock file among processes and hosts: one try, then one line, then a bounded wait.

The system frees the lock when its holder dies, on NFS after the server's lease. Who holds it is told by a note
beside it, ``<lock>.owner``, which is never part of the locking: it may be missing or of an earlier holder. Lock files
are never removed, since that would split waiters across two files.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from typing import TYPE_CHECKING

from ..errors import LockTimeoutError
from ..events import Waiting
from ..fs._system import host_name, system_path
from ..fs.atomic import write_atomically
from ..fs.failures import explain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ..events import EventSink


@contextlib.contextmanager
def hold(
    path: Path, *, timeout: float, what: str, sink: EventSink, job: str | None = None, poll: float = 0.1
) -> Iterator[None]:
    """Hold the lock file *path* in the body; it and its folder are made when missing.

    :param timeout: seconds to wait after the first try; 0 means that try alone.
    :param what: what the lock protects, for messages, such as ``the environment /ci/.venv``.
    :param job: the URL of this job, for the note.
    :param poll: seconds between tries.
    :raises LockTimeoutError: ``lock-timeout``; the lock is not held.
    :raises StoreError: the lock file cannot be opened, or its file system has no locks.
    """
    # Imported here: 25 ms, and a warm run takes no lock.
    from filelock import FileLock, Timeout

    # Not bound to the thread: a context manager may be left in another one than it was entered in.
    lock = FileLock(system_path(path), thread_local=False, poll_interval=poll)
    try:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            sink(Waiting(lock=what, holder=read_owner(path)))
            lock.acquire(timeout=timeout)
    except Timeout as error:
        raise LockTimeoutError(
            f"waited {timeout:g} s for the lock of {what} at {path}",
            code="lock-timeout",
            context=(f"held by {read_owner(path)}",),
            hint="is another installation running? Raise the limit with --lock-timeout or SAFE_INSTALL_LOCK_TIMEOUT",
        ) from error
    except OSError as error:
        raise explain(error, doing=f"lock {what}", path=path) from error
    try:
        _write_owner(path, job)
        yield
    finally:
        lock.release()


def read_owner(path: Path) -> str:
    """Return who holds the lock file *path*, as far as the note beside it tells: ``pid 7 on host a since 10:42:07``."""
    try:
        with open(system_path(_note(path)), encoding="utf-8") as file:
            note = json.load(file)
        since = time.strftime("%H:%M:%S", time.localtime(note["since"]))
        text = f"pid {note['pid']} on {note['host']} since {since}"
        return f"{text}, job {note['job']}" if note.get("job") else text
    except (OSError, ValueError, KeyError, TypeError):
        return "an unknown process"


def _note(path: Path) -> Path:
    return path.with_name(path.name + ".owner")


def _write_owner(path: Path, job: str | None) -> None:
    note = {"host": host_name(), "pid": os.getpid(), "since": time.time(), "job": job}
    try:
        write_atomically(_note(path), json.dumps(note).encode() + b"\n", budget=0)
    except OSError:
        pass  # the note only helps people
