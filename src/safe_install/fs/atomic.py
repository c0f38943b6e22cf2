"""Make files and folders appear under their name in one step.

Two kinds: `write_atomically` replaces what has the name; `publish_folder` and `publish_file` never do, and tell who
came first. What is seen under the name is whole at any moment. Whether it survives a power cut is the caller's
choice: only what was flushed does.
"""

from __future__ import annotations

import os
import secrets
import stat
from typing import TYPE_CHECKING

from ..events import ignore
from ..interruption import shielded
from ._system import CREATE, cannot_link, is_exists, revalidate, seal, set_mode, system_path
from .retry import DEFAULT_BUDGET, is_removal_passing, retry

if TYPE_CHECKING:
    from ..events import EventSink

    PathLike = str | os.PathLike[str]


# Seconds that a scanner may look at a file that nobody needs.
_DISCARD_BUDGET = 1.0


def write_atomically(
    path: PathLike,
    data: bytes,
    *,
    mode: int = 0o666,
    exact: bool = False,
    flush: bool = False,
    budget: float = DEFAULT_BUDGET,
    sink: EventSink = ignore,
) -> None:
    """Put *data* at *path*, whatever was there before; its folder exists.

    :param mode: rights, from which the umask is taken, unless they are *exact*.
    :param flush: bring the bytes to the disk first, so that a crash leaves the old or the new file.
    :param budget: seconds to wait for somebody who holds the old file open (Windows).
    :raises OSError: the old file is intact, and nothing is left beside it.
    """
    target = system_path(path)
    staged = f"{target}.{secrets.token_hex(6)}.tmp"
    try:
        _write(staged, data, mode=mode, exact=exact, flush=flush)
        retry(lambda: os.replace(staged, target), what=f"replace {path}", budget=budget, sink=sink)
    except BaseException:
        _discard(staged)
        raise


def _write(path: str, data: bytes, *, mode: int, exact: bool, flush: bool) -> None:
    with open(os.open(path, CREATE, 0o600 if exact else mode), "wb") as file:
        if exact:
            set_mode(file.fileno(), mode)
        file.write(data)
        if flush:
            file.flush()
            os.fsync(file.fileno())


def publish_folder(
    staged: PathLike, target: PathLike, *, budget: float = DEFAULT_BUDGET, sink: EventSink = ignore
) -> bool:
    """Rename the folder *staged* to *target*; return False when there is something already, which is left alone.

    On Unix an empty folder counts as nothing. Both are on one file system.

    :param budget: seconds to wait where a scanner holds a file in it (Windows).
    :raises OSError: *staged* is intact.
    """
    source, place = system_path(staged), system_path(target)
    ours = _identity(source)

    def attempt() -> bool:
        try:
            os.rename(source, place)
        except FileNotFoundError:
            # An NFS client repeats a call whose answer was lost; the second one finds nothing to rename.
            if _is_ours(place, ours):
                return True
            raise
        except OSError as error:
            if is_exists(error, place):
                return False
            raise
        return True

    return retry(attempt, what=f"publish {target}", budget=budget, sink=sink)


def publish_file(
    staged: PathLike, target: PathLike, *, budget: float = DEFAULT_BUDGET, sink: EventSink = ignore
) -> bool:
    """Move the file *staged* to *target*; return False when there is one already, which is left alone.

    :raises OSError: as `add_name`.
    """
    if not add_name(staged, target, budget=budget, sink=sink):
        return False
    _discard(system_path(staged))
    return True


def add_name(source: PathLike, target: PathLike, *, budget: float = DEFAULT_BUDGET, sink: EventSink = ignore) -> bool:
    """Make the file *source* appear at *target* as well; return False when there is one already, which is left alone.

    By a second link, since a rename would replace silently. Where links are missing, by an exclusive create: for a
    moment the file is there without its full content and with a wrong time, so readers check one or the other.

    :raises OSError: nothing of it is at *target*.
    """
    origin, place = system_path(source), system_path(target)

    def attempt() -> bool:
        try:
            os.link(origin, place, follow_symlinks=False)
        except FileExistsError:
            # As above: our own link, repeated.
            return _is_ours(place, _identity(origin))
        except OSError as error:
            if not cannot_link(error):
                raise
            return _create_exclusively(origin, place)
        return True

    return retry(attempt, what=f"publish {target}", budget=budget, sink=sink)


def _create_exclusively(source: str, target: str) -> bool:
    found = os.stat(source)
    try:
        descriptor = os.open(target, CREATE, 0o600)
    except FileExistsError:
        return False
    try:
        try:
            with open(source, "rb", buffering=0) as file:
                while chunk := file.read(1 << 20):
                    view = memoryview(chunk)
                    while view:
                        view = view[os.write(descriptor, view) :]
            os.fsync(descriptor)
            # The time comes last: it tells a whole file from one whose writer was killed.
            seal(descriptor, target, executable=bool(found.st_mode & stat.S_IXUSR), time=found.st_mtime_ns)
        finally:
            os.close(descriptor)
    except BaseException:
        _discard(target)
        raise
    return True


def _identity(path: str) -> tuple[int, int]:
    found = os.lstat(path)
    return found.st_dev, found.st_ino


def _is_ours(path: str, identity: tuple[int, int]) -> bool:
    revalidate(os.path.dirname(path))
    try:
        return _identity(path) == identity
    except FileNotFoundError:
        return False


@shielded
def _discard(path: str) -> None:
    """Remove a temporary file of ours; one that stays is found by the next clean-up of its folder."""
    try:
        retry(
            lambda: os.unlink(path),
            what=f"remove {path}",
            budget=_DISCARD_BUDGET,
            sink=ignore,
            passing=is_removal_passing,
        )
    except OSError:
        pass
