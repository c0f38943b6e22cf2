"""The one module that makes things appear in a store (design section 5).

What is published was staged on the same file system and is whole. It appears in one step or not at all. Who finds
the place taken checks what is there: a valid winner is used and the own copy thrown away; a damaged or half-made one
is moved aside, and the place tried again. A valid entry is never replaced, and no lock is needed for that.

::

    A and B find the damaged entry X.     A moves X to trash/ and publishes V.
    B, still believing in X, moves V.     B checks what it moved, finds it valid, and puts it back.

The lock taken around moving aside only makes that second line rare.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from typing import TYPE_CHECKING, TypeVar

from ..errors import LockTimeoutError, StoreError
from ..events import Noticed, SteppedDown
from ..fs import atomic
from ..fs._system import revalidate, system_path
from ..fs.remove import remove_tree
from ..fs.retry import is_passing, pauses
from ..locks import hold
from .layout import MANIFEST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ..events import EventSink
    from .layout import Layout

T = TypeVar("T")

_ASIDE_LOCK_TIMEOUT = 10.0  # seconds
# Moving a damaged entry aside may have used up the budget, and somebody else may have been quicker again.
_TRIES_AFTER_THE_BUDGET = 3


class Publisher:
    """Publishes into one store.

    :param budget: seconds for errors that pass, and for a winner that is there but cannot be opened yet (NFS).
    """

    def __init__(self, layout: Layout, *, budget: float, sink: EventSink) -> None:
        self._layout = layout
        self._budget = budget
        self._sink = sink

    def publish(self, staged: Path, target: Path, *, made: T, load: Callable[[Path], T | None]) -> T:
        """Make *staged*, a file or a folder, appear at *target*; return *made*, or the winner that was there first.

        What is left at *staged* afterwards is the caller's to remove.

        :param load: reads and checks the entry at a path: None when it is damaged, `OSError` when it cannot be read.
        :raises OSError: nothing of *staged* is visible, and it can be published again.
        :raises StoreError: ``entry-unreadable``: somebody else's entry stayed unreadable for the whole budget.
        """
        deadline, spare = time.monotonic() + self._budget, _TRIES_AFTER_THE_BUDGET
        put = self._put_folder if os.path.isdir(system_path(staged)) else self._put_file
        for pause in pauses():
            if put(staged, target):
                return made
            if (winner := self._winner(target, load)) is not None:
                return winner
            if time.monotonic() >= deadline:
                if not spare:
                    raise _unreadable(target)
                spare -= 1
            time.sleep(pause)
        raise AssertionError("the pauses never end")

    def _put_file(self, staged: Path, target: Path) -> bool:
        return atomic.publish_file(staged, target, budget=self._budget, sink=self._sink)

    def _put_folder(self, staged: Path, target: Path) -> bool:
        try:
            return atomic.publish_folder(staged, target, budget=self._budget, sink=self._sink)
        except OSError as error:
            if not is_passing(error):
                raise
        self._fill(staged, target)
        # Whoever completed it, it is judged like anybody's entry.
        return False

    def _fill(self, staged: Path, target: Path) -> None:
        """Publish a folder file by file, the manifest last, where a scanner denies the rename for too long.

        Every name is made exclusively, so that two who do this at once, or one whose folder was taken for a
        half-made one and moved aside, notice it at the first file. What is staged stays whole for another try.
        """
        try:
            os.mkdir(system_path(target), 0o700)
        except FileExistsError:
            return
        self._sink(SteppedDown(kind="published-in-place", message=f"{target} could not be renamed into its place"))
        for folder, files in _walk(system_path(staged)):
            place = os.path.join(system_path(target), folder)
            if folder:
                os.mkdir(place, 0o700)
            for name in files:
                source = os.path.join(system_path(staged), folder, name)
                if not atomic.add_name(source, os.path.join(place, name), budget=self._budget, sink=self._sink):
                    return

    def _winner(self, target: Path, load: Callable[[Path], T | None]) -> T | None:
        """Return the valid entry that is at *target*; None when there is none now, or when it must be tried again."""
        revalidate(system_path(target.parent))
        try:
            if (winner := load(target)) is not None:
                return winner
        except OSError as error:
            # A name that another host made may be denied here for a while. Only a listing is believed.
            if not isinstance(error, FileNotFoundError) or _is_complete(target):
                return None
        return self._move_aside(target, load)

    def _move_aside(self, target: Path, load: Callable[[Path], T | None]) -> T | None:
        """Take a damaged entry out of the way; return a valid one when somebody was quicker."""
        moved = self._layout.trash()
        with self._aside_lock():
            with contextlib.suppress(OSError):
                if (winner := load(target)) is not None:
                    return winner
            try:
                os.rename(system_path(target), system_path(moved))
            except OSError as error:
                if isinstance(error, FileNotFoundError) or is_passing(error):
                    return None
                raise
            if (valid := self._put_back(moved, target, load)) is not None:
                return valid
        self._sink(Noticed(message=f"{target} was damaged and is made again"))
        with contextlib.suppress(OSError):
            remove_tree(moved, budget=0)
        return None

    def _put_back(self, moved: Path, target: Path, load: Callable[[Path], T | None]) -> T | None:
        """Return what was moved to its place if it is valid after all: then it was published a moment ago."""
        try:
            if load(moved) is None:
                return None
        except OSError:
            return None
        put = self._put_folder if os.path.isdir(system_path(moved)) else self._put_file
        put(moved, target)
        return load(target)

    @contextlib.contextmanager
    def _aside_lock(self) -> Iterator[None]:
        """Hold the lock of moving aside, or pass it by."""
        with contextlib.ExitStack() as stack:
            try:
                place = self._layout.lock("aside")
                timeout = min(_ASIDE_LOCK_TIMEOUT, self._budget)
                stack.enter_context(hold(place, timeout=timeout, what="damaged entries", sink=self._sink))
            except (LockTimeoutError, StoreError) as error:
                self._sink(SteppedDown(kind="lock-passed-by", message=error.message))
            yield


def _is_complete(target: Path) -> bool:
    """Whether the listing of an entry shows what makes it whole; False when the entry itself is gone or half-made."""
    place = system_path(target)
    try:
        if stat.S_ISDIR(os.lstat(place).st_mode):
            return MANIFEST in os.listdir(place)
        return True
    except FileNotFoundError:
        return target.name in os.listdir(system_path(target.parent))


def _walk(top: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each folder below *top*, relative, with the names of its files; parents first, the manifest alone last."""
    for folder, _, files in os.walk(top):
        place = os.path.relpath(folder, top) if folder != top else ""
        yield place, files if place else [name for name in files if name != MANIFEST]
    yield "", [MANIFEST]


def _unreadable(target: Path) -> StoreError:
    return StoreError(
        f"an entry of the store at {target} was made by somebody else and cannot be read",
        code="entry-unreadable",
        hint="check that every user and host of this store may read it, or choose another with --cache-dir",
    )
