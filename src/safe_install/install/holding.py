"""Hold an environment: nobody else of us changes it, and nothing that an earlier run left half done is in it.

The lock lies beside the environment, so that removing the environment does not remove the lock. Where the folder above
cannot be written (a mounted volume) it lies inside: a lock in a temporary folder would not be seen by other hosts. So
two users, of whom only one can write above, do not exclude each other.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import TargetError
from ..fs._system import system_path
from ..fs.failures import explain
from ..locks.holding import hold
from . import staging, transaction
from .environment import INNER_LOCK, EnvironmentState, is_below_a_file, is_denied, read_only, recognise

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..events import EventSink


@contextlib.contextmanager
def hold_environment(
    root: str | os.PathLike[str], *, timeout: float, sink: EventSink, job: str | None = None
) -> Iterator[EnvironmentState]:
    """Hold the environment at *root*, made or not, in the body; yield what lies there.

    What a killed run left is undone or finished first. Folders above *root* are made when missing.

    :param timeout: seconds to wait for another run that holds it.
    :param job: the URL of this job, told to those who wait.
    :raises LockTimeoutError: ``lock-timeout``.
    :raises TargetError: as `recognise`, and ``environment-read-only``.
    """
    place = os.path.abspath(root)
    with hold(lock_of(place), timeout=timeout, what=f"the environment {place}", sink=sink, job=job):
        staging.remove_leftovers(place, sink=sink)
        transaction.recover(place, sink=sink)
        yield recognise(place)


def lock_of(root: str) -> Path:
    """Return the lock file of the environment at *root*, whose folder exists; it can be opened for writing.

    :raises TargetError: ``environment-read-only``; ``environment-is-a-file``.
    """
    real = os.path.realpath(root)
    beside = os.path.join(os.path.dirname(real), f".{os.path.basename(real)}.safe-install.lock")
    try:
        os.makedirs(system_path(os.path.dirname(real)), exist_ok=True)
        _try_open(beside)
    except OSError as error:
        if isinstance(error, (FileExistsError, NotADirectoryError)) or is_below_a_file(real):
            raise TargetError(
                f"cannot make an environment at {root}: a folder above it is a file",
                code="environment-is-a-file",
                hint="remove it, or name another folder with --venv",
            ) from error
        if not is_denied(error):
            raise explain(error, doing="make the lock of an environment", path=beside, option="--venv") from error
        return Path(_inner_lock(root, real, error))
    return Path(beside)


def _inner_lock(root: str, real: str, cause: OSError) -> str:
    inside = os.path.join(real, INNER_LOCK)
    try:
        _try_open(inside)
    except NotADirectoryError:
        # `recognise` has better words for a file.
        recognise(root)
        raise
    except OSError as error:
        raise read_only(root, cause if isinstance(error, FileNotFoundError) else error) from error
    return inside


def _try_open(path: str) -> None:
    os.close(os.open(system_path(path), os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666))
