"""The probes that need a second process: exclusive creation, and the kinds of locks.

`Partner` is that process: it does what it is told, one line at a time, and ends when nobody tells it any more.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..fs._system import CREATE
from ..fs.failures import is_full
from ..fs.remove import remove_tree
from ..locks.kinds import LockKind, load_library, new_lock
from .facts import Exclusion, LockTrial

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from filelock import BaseFileLock

    from .steps import Trial

# So many that two processes meet at some of them.
_NAMES = 100


class Partner:
    """The second process, seen from the first. A context manager. :param command: which runs `serve`."""

    def __init__(self, command: list[str]) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def tell(self, **request: object) -> None:
        """Let it begin something."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()

    def answer(self) -> Any:  # noqa: ANN401 - JSON
        """Return what came of it."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise OSError("the second process ended too early")
        return json.loads(line)

    def ask(self, **request: object) -> Any:  # noqa: ANN401 - JSON
        """Let it do something, and return what came of it."""
        self.tell(**request)
        return self.answer()

    def close(self) -> None:
        """Let it end."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(OSError):  # it has ended, and did not read all
            self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def serve(write: Callable[[bytes], None]) -> None:
    """Be the partner: answer each line of standard input."""
    held: dict[str, BaseFileLock] = {}
    for line in sys.stdin:
        request = json.loads(line)
        write(json.dumps(_serve(request, held)).encode() + b"\n")


def _serve(request: Mapping[str, Any], held: dict[str, BaseFileLock]) -> object:
    match request["do"]:
        case "listen":
            return ""
        case "race":
            return _race(request["folder"])
        case "take":
            return _take(held, request["path"], LockKind(request["kind"]))
        case "release":
            held.pop(request["path"]).release()
            return ""
        case unknown:
            raise ValueError(unknown)


def exclusion(trial: Trial, partner: Partner) -> Exclusion:
    """Make the same names in two processes at once: each must be made by one of them."""
    folder = os.path.join(trial.private, "race")
    os.mkdir(folder, 0o700)
    # Both begin at once: it takes a while until a new process listens.
    partner.ask(do="listen")
    partner.tell(do="race", folder=folder)
    own = _race(folder)
    theirs = partner.answer()
    remove_tree(folder, budget=0)
    neither = set(range(_NAMES)).difference(own, theirs)
    return Exclusion(wrong=len(neither) + len(set(own).intersection(theirs)))


def _race(folder: str) -> list[int]:
    made = []
    for number in range(_NAMES):
        try:
            os.close(os.open(os.path.join(folder, str(number)), CREATE, 0o600))
        except FileExistsError:
            continue
        made.append(number)
    return made


def claim_lock(trial: Trial, partner: Partner) -> LockTrial:
    """Try locks made of hard links."""
    return _lock(trial, partner, LockKind.CLAIM)


def native_lock(trial: Trial, partner: Partner) -> LockTrial:
    """Try the system's own locks; the last probe, since they may hang where the server does not answer."""
    return _lock(trial, partner, LockKind.NATIVE)


def _lock(trial: Trial, partner: Partner, kind: LockKind) -> LockTrial:
    # The library tries links where temporary files go.
    tempfile.tempdir = trial.private
    load_library()
    path = os.path.join(trial.private, f"{kind.value}.lock")
    held: dict[str, BaseFileLock] = {}
    if (answer := _take(held, path, kind)) != "taken":
        return LockTrial(problem=answer if answer != "refused" else "a lock that nobody holds is refused")
    answer = partner.ask(do="take", path=path, kind=kind.value)
    held.pop(path).release()
    if answer == "taken":
        return LockTrial(problem="two processes hold it at once")
    if answer != "refused":
        return LockTrial(problem=answer)
    answer = partner.ask(do="take", path=path, kind=kind.value)
    if answer != "taken":
        return LockTrial(problem="it cannot be had after it was released")
    partner.ask(do="release", path=path)
    return LockTrial(problem="")


def _take(held: dict[str, BaseFileLock], path: str, kind: LockKind) -> str:
    """Return ``taken``, ``refused``, or what is wrong with locks of this kind."""
    from filelock import Timeout

    tempfile.tempdir = os.path.dirname(path)
    lock = new_lock(Path(path), kind)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return "refused"
    except OSError as error:
        if is_full(error):
            raise  # says nothing about locks
        return error.strerror or str(error)
    held[path] = lock
    return "taken"
