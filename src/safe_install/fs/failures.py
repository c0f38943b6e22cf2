"""Turn an error of a system call into one that a tired person can act upon."""

from __future__ import annotations

import errno
import io
import os
import stat

from ..errors import StoreError
from ._system import meaning, system_path, user_name, whoami

_FULL = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})
_DENIED = frozenset({errno.EACCES, errno.EPERM})
_BUSY = frozenset({errno.EBUSY, errno.ETXTBSY})
# What disks, servers, quotas, rights and limits say. Not so ENOENT, EBADF, EINVAL and their kin: these may be mistakes.
_OF_THE_SYSTEM = frozenset(
    getattr(errno, name)
    for name in [
        "EIO",
        "ENOSPC",
        "EDQUOT",
        "EROFS",
        "EACCES",
        "EPERM",
        "ESTALE",
        "EBUSY",
        "EMFILE",
        "ENFILE",
        "ENOMEM",
        "EINTR",
        "ENOLCK",
        "ETXTBSY",
        "ENXIO",
        "ENODEV",
        "EREMOTEIO",
        "ETIMEDOUT",
        "EAGAIN",
        "EMLINK",
        "EXDEV",
        "EFBIG",
    ]
    if hasattr(errno, name)
)


def is_of_the_system(error: OSError) -> bool:
    """Whether *error* is what a disk, a server, a quota, a right or a limit says, and no mistake of a program."""
    if isinstance(error, io.UnsupportedOperation):
        # A buffered file takes an `lseek` that fails, such as with ESTALE, for a file that has no positions at all.
        return "seekable" in str(error)
    return meaning(error) in _OF_THE_SYSTEM


def is_full(error: OSError) -> bool:
    """Whether the disk is full, or what this user may have of it."""
    return meaning(error) in _FULL


def explain(
    error: OSError, *, doing: str, path: str | os.PathLike[str], option: str = "--cache-dir", hint: str | None = None
) -> StoreError:
    """Return the `StoreError` for *error*.

    Its code is ``disk-full``, ``read-only``, ``permission-denied``, ``in-use`` or ``io-error``.

    :param doing: what failed, as an infinitive: ``write a file of the store``.
    :param path: on what.
    :param option: the option with which another place can be chosen.
    """
    place = os.fspath(path)
    message = f"could not {doing} at {place}: {error.strerror or error}"
    if is_full(error):
        code, context, advice = "disk-full", _space(place), f"free some space, or choose another disk with {option}"
    elif meaning(error) == errno.EROFS:
        code, context = "read-only", _rights(place)
        advice = f"mount it writable, or choose another folder with {option}"
    elif meaning(error) in _DENIED:
        code, context = "permission-denied", _rights(place)
        advice = f"make it writable for {_me()}, or choose another folder with {option}"
    elif meaning(error) in _BUSY:
        code, context = "in-use", ()
        advice = "end the program that has it open (an editor, an indexer, a virus scanner), and run the command again"
    else:
        code, context, advice = "io-error", (), None
    return StoreError(message, code=code, context=context, hint=hint or advice)


def _me() -> str:
    number, name = whoami()
    return f"user {name} (uid {number})" if number >= 0 else f"user {name}"


def _nearest(path: str) -> str:
    """The path itself, or the nearest folder above it that exists."""
    while not os.path.lexists(system_path(path)):
        above = os.path.dirname(path)
        if above == path:
            break
        path = above
    return path


def _space(path: str) -> tuple[str, ...]:
    place = _nearest(path)
    place = place if os.path.isdir(system_path(place)) else os.path.dirname(place)
    import shutil  # slow to load, and rarely needed

    try:
        usage = shutil.disk_usage(place)
    except OSError:
        return ()
    facts = [f"{usage.free:,} of {usage.total:,} bytes are free on the file system of {place}"]
    if hasattr(os, "statvfs"):
        counts = os.statvfs(place)
        if counts.f_files:
            facts.append(f"{counts.f_favail:,} of {counts.f_files:,} files (inodes) can still be made")
    return tuple(facts)


def _rights(path: str) -> tuple[str, ...]:
    facts: list[str] = []
    place = _nearest(path)
    if os.name == "nt":
        return (f'see who may write it with: icacls "{place}"', f"this process runs as {_me()}")
    for candidate in dict.fromkeys((place, os.path.dirname(place))):
        try:
            found = os.lstat(system_path(candidate))
        except OSError:
            continue
        owner = user_name(found.st_uid)
        facts.append(f"{candidate} is owned by {owner} (uid {found.st_uid}), mode {stat.filemode(found.st_mode)}")
    return (*facts, f"this process runs as {_me()}")
