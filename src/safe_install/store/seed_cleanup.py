"""Remove from a seed what no generation that is kept lists.

A generation is kept when it is current, when it is among the latest so many, and for a while after it was replaced:
jobs follow the generation that they began with. An entry that nobody lists is kept for as long after it was made.
Readers are never waited for: one that uses what is removed finds it missing, and gets it elsewhere (design promise 9).
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import IntegrityError, StoreError
from ..events import Noticed
from ..fs._system import system_path
from ..fs.failures import explain
from ..fs.remove import remove_tree
from .layout import BUILT, FILES, INDEX, SELECTIONS, TREE_BUCKETS, name_of
from .leases import file_system_time
from .leftovers import moved_or_staged

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

    from ..events import EventSink
    from ..models import Digest
    from .generations import Generation, Pointer
    from .seeds import Seed, WritableSeed

_BUDGET = 10.0
"""Seconds for a name that somebody holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What was removed, or would be. :param bytes: of files that no other name holds on to, as far as is known."""

    generations: tuple[Digest, ...]
    entries: int
    bytes: int


def collect(seed: WritableSeed, *, keep: int, min_age: float, dry_run: bool, sink: EventSink) -> Collected:
    """Remove generations and entries. The seed's lock is held.

    :param keep: how many of the latest generations stay at least, the current one among them; 1 or more.
    :param min_age: seconds since a generation was replaced, and since an unlisted entry was made.
    :raises IntegrityError, StoreError: the current generation cannot be read, so what it lists is not known; or
        something could not be removed. What is listed is untouched.
    """
    now = _now(seed)
    pointer = seed.pointer()
    stay = _kept(seed, pointer, keep=keep, before=now - min_age)
    gone = [digest for digest in seed.generations() if digest not in stay]
    listed = Listed(_readable(seed, pointer, stay))
    old = [path for path in _unlisted(seed, listed) if _made(path) <= now - min_age]
    size = sum(map(_size, old))
    if not dry_run:
        # The lists first: what a list names is there as long as the list is.
        for digest in gone:
            _remove(seed, seed.layout.generation(digest), sink)
        for path in (*old, *_leftovers(seed)):
            _remove(seed, path, sink)
        for left in moved_or_staged(seed.layout, now=now):
            _delete(left.path, sink)
    return Collected(generations=tuple(gone), entries=len(old), bytes=size)


class Listed:
    """The names of all entries that generations list, by bucket."""

    def __init__(self, generations: Iterable[Generation]) -> None:
        self.names: dict[str, set[str]] = {bucket: set() for bucket in (*TREE_BUCKETS, FILES, BUILT, SELECTIONS, INDEX)}
        for each in generations:
            for bucket, listed in each.trees.items():
                self.names.setdefault(bucket, set()).update(map(name_of, listed))
            self.names[FILES].update(map(name_of, each.all_files))
            self.names[INDEX].update(each.pages)
            for bucket, names in each.documents.items():
                self.names.setdefault(bucket, set()).update(names)

    def has(self, bucket: str, name: str) -> bool:
        """Whether an entry is listed. :param name: of its file or folder."""
        return name.partition(".")[0] in self.names.get(bucket, ())


def listed_in(seed: Seed, *, without: Collection[Digest] = ()) -> Listed:
    """Return what the generations of *seed* list, but for those in *without*.

    :raises IntegrityError, StoreError: the current one cannot be read, so what it lists is not known.
    """
    return Listed(_readable(seed, seed.pointer(), set(seed.generations()).difference(without)))


def _kept(seed: WritableSeed, pointer: Pointer, *, keep: int, before: float) -> set[Digest]:
    replaced = pointer.replaced()
    latest = [pointer.current, *reversed(replaced)]
    stay = set(latest[:keep]) | {digest for digest, since in replaced.items() if since > before}
    # One that never was current: somebody was killed before the switch, or is older than the history.
    for digest in seed.generations():
        if digest not in replaced and _made(seed.layout.generation(digest)) > before:
            stay.add(digest)
    return stay


def _readable(seed: Seed, pointer: Pointer, stay: set[Digest]) -> Iterator[Generation]:
    for digest in stay:
        try:
            yield seed.generation(digest)
        except (StoreError, IntegrityError):
            # Nobody can use an older one that is damaged.
            if digest == pointer.current:
                raise


def _unlisted(seed: WritableSeed, listed: Listed) -> Iterator[Path]:
    for bucket in listed.names:
        top = seed.root / bucket
        try:
            for prefix in os.listdir(system_path(top)):
                for name in os.listdir(system_path(top / prefix)):
                    if not listed.has(bucket, name):
                        yield top / prefix / name
        except OSError as error:
            raise explain(error, doing="list the entries of the seed", path=top) from error


def _leftovers(seed: WritableSeed) -> Iterator[Path]:
    """Files of publishers that were killed; nobody else publishes, since the lock is held."""
    for folder, beginning in ((seed.root, seed.layout.current.name), (seed.layout.generations, "")):
        try:
            names = os.listdir(system_path(folder))
        except FileNotFoundError:
            continue
        yield from (folder / name for name in names if name.startswith(beginning) and name.endswith(".tmp"))


def _now(seed: WritableSeed) -> float:
    try:
        return file_system_time(seed.layout)
    except OSError as error:
        raise explain(error, doing="clean up the seed", path=seed.root) from error


def _made(path: Path) -> float:
    """When an entry appeared: its status changed then, while the times of files follow from their content."""
    try:
        return os.lstat(system_path(path)).st_ctime
    except FileNotFoundError:
        return float("inf")  # somebody else removed it


def _size(path: Path) -> int:
    total = 0
    try:
        if stat.S_ISREG(os.lstat(system_path(path)).st_mode):
            return os.lstat(system_path(path)).st_size
        for folder, _, files in os.walk(system_path(path)):
            total += sum(os.lstat(os.path.join(folder, name)).st_size for name in files)
    except OSError:
        pass
    return total


def _remove(seed: WritableSeed, path: Path, sink: EventSink) -> None:
    """Move aside, so that nobody finds a part of it, then delete."""
    moved = seed.layout.trash()
    try:
        os.rename(system_path(path), system_path(moved))
    except FileNotFoundError:
        return
    except OSError as error:
        raise explain(error, doing="remove an entry of the seed", path=path) from error
    _delete(moved, sink)


def _delete(moved: Path, sink: EventSink) -> None:
    """Delete what is out of the way; what somebody holds is left to the next clean-up."""
    try:
        remove_tree(moved, budget=_BUDGET, sink=sink)
    except OSError as error:
        sink(Noticed(message=f"{moved} could not be deleted yet: {error.strerror}", detail=True))
