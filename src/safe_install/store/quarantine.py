"""Take damaged and half-made entries out of the way, and keep them with the reason.

::

    quarantine/<bucket>.<name>.<random>/
      reason.json     {"format": 1, "entry": "wheels-1/ab/…", "problems": […], "when": …, "user": …, "job": …,
                       "host": …, "machine": …, "pid": …, "born": …}
      entry           what was moved here: a folder or a file

Of one entry only the last damaged one is kept, so that a job that ruins the same files every night fills no disk.

::

    A and B find the damaged entry X.     A moves X aside, and publishes V.
    B, still believing in X, moves V.     B checks what it moved, finds it valid, and puts it back.

The lock taken around moving aside only makes that second line rare.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import time
from typing import TYPE_CHECKING, TypeVar

from ..errors import LockTimeoutError, StoreError
from ..events import SteppedDown
from ..fs import atomic
from ..fs._system import CREATE, set_mode, system_path, whoami
from ..fs.remove import remove_tree
from ..fs.retry import is_passing
from ..fs.rights import ensure_folder, make_folder
from ..locks import hold
from ..locks.processes import Process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from ..events import EventSink
    from .layout import Layout

T = TypeVar("T")

REASON = "reason.json"
ENTRY = "entry"
_FORMAT = 1
_LOCK_TIMEOUT = 10.0  # seconds


class Quarantine:
    """That of one store; safe to use from many threads.

    :param budget: seconds for errors that pass.
    :param job: the URL of this job.
    """

    def __init__(self, layout: Layout, *, budget: float, job: str | None, sink: EventSink) -> None:
        self._layout = layout
        self._budget = budget
        self._job = job
        self._sink = sink
        self.missing: set[str] = set()
        """Names of entries that were taken away by this process, and are not known to be there again."""

    def take(self, target: Path, problems: Sequence[str], load: Callable[[Path], T | None]) -> T | None:
        """Move the entry at *target* here, which is told; return a valid one that is there instead, if there is one.

        :param problems: what is wrong with it, as phrases.
        :param load: reads and checks the entry at a path: None when it is damaged, `OSError` when it cannot be read.
        :raises OSError: it could not be moved; it is where it was.
        """
        cell = self._cell(target)
        moved = cell / ENTRY
        with self._lock():
            try:
                # First, so that next to nothing lies between the last look and the rename.
                self._prepare(cell, target, problems)
                with contextlib.suppress(OSError):
                    if (winner := load(target)) is not None:
                        self._discard(cell)
                        return winner
                os.rename(system_path(target), system_path(moved))
            except OSError as error:
                self._discard(cell)
                if isinstance(error, FileNotFoundError) or is_passing(error):
                    return None
                raise
            if (valid := self._put_back(moved, target, load)) is not None:
                self._discard(cell)
                return valid
        self.missing.add(self._layout.entry_name(target))
        self._tell(target, problems)
        self._forget_earlier(cell)
        return None

    def _tell(self, target: Path, problems: Sequence[str]) -> None:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        message = f"{target} was damaged and is kept in {self._layout.quarantine}: {problems[0]}{more}"
        self._sink(SteppedDown(kind="damaged-entry", message=message))

    def _cell(self, target: Path) -> Path:
        name = self._layout.entry_name(target).replace("/", ".")
        return self._layout.quarantine / f"{name}.{secrets.token_hex(8)}"

    def _prepare(self, cell: Path, target: Path, problems: Sequence[str]) -> None:
        """Make the cell, with the reason in it, before there is anything to give a reason for."""
        ensure_folder(cell.parent)
        make_folder(cell)
        document = {
            "format": _FORMAT,
            "entry": target.relative_to(self._layout.root).as_posix(),
            "problems": list(problems),
            "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "user": whoami()[1],
            "job": self._job,
            **Process.this().to_json(),
        }
        descriptor = os.open(system_path(cell / REASON), CREATE, 0o600)
        with open(descriptor, "wb") as file:
            set_mode(descriptor, 0o444)
            file.write(json.dumps(document, indent=1).encode() + b"\n")

    def _put_back(self, moved: Path, target: Path, load: Callable[[Path], T | None]) -> T | None:
        """Return what was moved to its place if it is valid after all: then it was published a moment ago."""
        try:
            if load(moved) is None:
                return None
        except OSError:
            return None
        put = atomic.publish_folder if os.path.isdir(system_path(moved)) else atomic.publish_file
        put(moved, target, budget=self._budget, sink=self._sink)
        return load(target)

    def _forget_earlier(self, kept: Path) -> None:
        """Remove what was put aside of the same entry before. What cannot be removed stays for a clean-up."""
        beginning = kept.name.rpartition(".")[0] + "."
        with contextlib.suppress(OSError):
            for name in os.listdir(system_path(kept.parent)):
                if name.startswith(beginning) and name != kept.name:
                    self._discard(kept.parent / name)

    @staticmethod
    def _discard(cell: Path) -> None:
        with contextlib.suppress(OSError):
            remove_tree(cell, budget=0)

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        """Hold the lock of moving aside, or pass it by."""
        with contextlib.ExitStack() as stack:
            try:
                place = self._layout.lock("aside")
                timeout = min(_LOCK_TIMEOUT, self._budget)
                stack.enter_context(
                    hold(place, timeout=timeout, what="damaged entries", sink=self._sink, job=self._job)
                )
            except (LockTimeoutError, StoreError) as error:
                self._sink(SteppedDown(kind="lock-passed-by", message=error.message))
            yield
