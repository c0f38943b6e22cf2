"""Which kind of lock works in a folder (design section 6).

::

    native   flock or LockFileEx: freed by the system when the holder dies. Local file systems; NFS too, where the
             server keeps the locks: exact between hosts, and freed after the server's lease (measured)
    claim    hard links of claims (`filelock.StrictSoftFileLock`): exact between hosts as well, but a host that dies
             never frees it. Where the mount table says that locks stay on this host (``nolock``, ``local_lock=``),
             and where native ones fail or hang
    none     where links do not work either

Hosts that mount one folder in different ways may come to different kinds, and then do not exclude one another.
"""

from __future__ import annotations

import errno
import os
import secrets
import sys
import threading
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from ..events import SteppedDown
from ..fs._system import mount_type, system_path
from ..fs.filesystem import is_network
from ..fs.rights import file_mode
from ..interruption import shielded

if TYPE_CHECKING:
    from pathlib import Path

    from filelock import BaseFileLock

    from ..events import EventSink

# Seconds for starting an interpreter and one lock call. Over NFS a call may hang for ever (cargo#2615).
_TRIAL_SECONDS = 15.0
_TRIAL = """
import fcntl, os, sys
descriptor = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
os.unlink(sys.argv[1])
fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
"""
# Without a lock daemon: ENOLCK (uv#11878); switched off: ENOSYS (uv#9050); 524 is the kernel's ENOTSUPP, which it
# should not show. On Windows: invalid function, not supported.
_UNSUPPORTED = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EBADF, errno.EINVAL, 524})
_UNSUPPORTED_WINDOWS = frozenset({1, 50})


class LockKind(Enum):
    """See the module."""

    NATIVE = "native"
    CLAIM = "claim"
    NONE = "none"


class Choice(NamedTuple):
    """:param reason: why it is not a better one; empty for native locks."""

    kind: LockKind
    reason: str


class LockKinds:
    """What was found out about folders; each is looked at once a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: dict[str, Choice] = {}

    def of(self, folder: Path) -> Choice:
        """Return the kind for lock files in *folder*, which exists."""
        with self._lock:
            if (found := self._found.get(str(folder))) is None:
                found = self._found[str(folder)] = _first(folder)
            return found

    def demote(self, folder: Path, kind: LockKind, reason: str, sink: EventSink) -> None:
        """Note that locks of *kind* do not work in *folder*, whatever was thought before."""
        lower = LockKind.CLAIM if kind is LockKind.NATIVE else LockKind.NONE
        with self._lock:
            known = self._found.get(str(folder))
            if known is not None and known.kind is not kind:
                return
            self._found[str(folder)] = Choice(lower, reason)
        if lower is LockKind.CLAIM:
            sink(SteppedDown(kind="lock-kind", message=f"locks in {folder} are made of hard links: {reason}"))


KINDS = LockKinds()
"""Those of this process."""


@shielded
def load_library() -> None:
    """Import the lock library: 25 ms, and a warm run takes no store lock.

    It tries links in the temporary folder meanwhile, which an interrupt would leave there.
    """
    import filelock  # noqa: F401 - for what it does on the way


def new_lock(path: Path, kind: LockKind) -> BaseFileLock:
    """Return a lock of *kind*, not held. The two kinds use names of their own, and may follow one another.

    :param kind: not `LockKind.NONE`.
    """
    from filelock import FileLock, StrictSoftFileLock

    # Whoever shares the folder takes the lock too, and needs to write its file for that, on NFS.
    mode = file_mode(path.parent)
    # Not bound to the thread: a context manager may be left in another one than it was entered in.
    if kind is LockKind.CLAIM:
        return StrictSoftFileLock(system_path(path.with_suffix(".claim")), mode=mode, thread_local=False)
    # Without a fallback of its own: a lock file of the soft kind is removed by age.
    return FileLock(system_path(path), mode=mode, thread_local=False, fallback_to_soft=False, preserve_lock_file=True)


def is_unsupported(error: OSError) -> bool:
    """Whether *error* of a lock says that there are no locks of its kind, rather than that this one cannot be had."""
    from filelock import SoftFileLockProtocolError

    if isinstance(error, SoftFileLockProtocolError):
        return True
    if getattr(error, "winerror", None) in _UNSUPPORTED_WINDOWS:
        return True
    return error.errno in _UNSUPPORTED


def keeps_locks_to_itself(options: str) -> bool:
    """Whether an NFS mount with these *options* asks no server for locks, so that other hosts do not see them."""
    known = dict(part.partition("=")[::2] for part in options.split(","))
    return "nolock" in known or known.get("local_lock", "none") != "none"


def _first(folder: Path) -> Choice:
    if sys.platform == "win32" or not is_network(folder):
        return Choice(LockKind.NATIVE, "")
    if keeps_locks_to_itself(mount_type(os.fspath(folder))[1]):
        return Choice(LockKind.CLAIM, "its mount keeps locks on this host")
    problem = _try_native(folder)
    return Choice(LockKind.CLAIM, problem) if problem else Choice(LockKind.NATIVE, "")


def _try_native(folder: Path) -> str:
    """Return what is wrong with native locks in *folder*, found in a process that may be left hanging; or nothing."""
    import subprocess  # slow to load, and rarely needed

    place = folder / f".{secrets.token_hex(8)}.trial"
    child = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _TRIAL, place],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    )
    try:
        _, output = child.communicate(timeout=_TRIAL_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        # One that hangs in the kernel does not end; waiting for it would hang us as well.
        threading.Thread(target=child.communicate, daemon=True).start()
        return f"trying one took more than {_TRIAL_SECONDS:g} s"
    last = output.strip().splitlines()[-1:] or [f"the trial ended with {child.returncode}"]
    return f"trying one failed with {last[0]}" if child.returncode else ""
