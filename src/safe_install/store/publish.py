"""The one module that makes things appear in a store (design section 5).

What is published was staged on the same file system and is whole. It appears in one step or not at all. Who finds
the place taken checks what is there: a valid winner is used and the own copy thrown away; a damaged or half-made one
is moved aside (`quarantine`), and the place tried again. A valid entry is never replaced, and no lock is needed for
that.
"""

from __future__ import annotations

import os
import stat
import time
from typing import TYPE_CHECKING, TypeVar

from ..errors import StoreError
from ..events import SteppedDown
from ..fs import atomic
from ..fs._system import revalidate, system_path
from ..fs.retry import is_passing, pauses
from ..fs.rights import make_folder
from .layout import MANIFEST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ..events import EventSink
    from .quarantine import Quarantine

T = TypeVar("T")

# Moving a damaged entry aside may have used up the budget, and somebody else may have been quicker again.
_TRIES_AFTER_THE_BUDGET = 3


class Publisher:
    """Publishes into one store.

    :param budget: seconds for errors that pass, and for a winner that is there but cannot be opened yet (NFS).
    """

    def __init__(self, quarantine: Quarantine, *, budget: float, sink: EventSink) -> None:
        self._quarantine = quarantine
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
        is_folder = os.path.isdir(system_path(staged))
        put = self._put_folder if is_folder else self._put_file
        for pause in pauses():
            if put(staged, target):
                return made
            if (winner := self._winner(target, load, is_folder=is_folder)) is not None:
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
            make_folder(target)
        except FileExistsError:
            return
        self._sink(SteppedDown(kind="published-in-place", message=f"{target} could not be renamed into its place"))
        for folder, files in _walk(system_path(staged)):
            place = os.path.join(system_path(target), folder)
            if folder:
                make_folder(place)
            for name in files:
                source = os.path.join(system_path(staged), folder, name)
                if not atomic.add_name(source, os.path.join(place, name), budget=self._budget, sink=self._sink):
                    return

    def _winner(self, target: Path, load: Callable[[Path], T | None], *, is_folder: bool) -> T | None:
        """Return the valid entry that is at *target*; None when there is none now, or when it must be tried again."""
        revalidate(system_path(target.parent))
        try:
            if (winner := load(target)) is not None:
                return winner
        except OSError as error:
            # A name that another host made may be denied here for a while. Only a listing is believed.
            if not isinstance(error, FileNotFoundError) or _is_complete(target, is_folder=is_folder):
                return None
        return self._quarantine.take(target, ["it was there half-made when another was published"], load)


def _is_complete(target: Path, *, is_folder: bool) -> bool:
    """Whether the listing of an entry shows what makes it whole; False when the entry itself is gone or half-made.

    :param is_folder: what it should be. Windows says of a name below a file that it is not found, as below a folder.
    """
    place = system_path(target)
    try:
        if stat.S_ISDIR(os.lstat(place).st_mode):
            return MANIFEST in os.listdir(place)
        return not is_folder
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
