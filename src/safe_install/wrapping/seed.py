"""The cache of a tool as jobs begin with it.

A seed is a folder with generations, each a whole copy of a cache, and a file that names the current one. Jobs copy from
it, by reflinks where the disk has them, and never link: a tool may write to any file of its cache. So whatever a job
does to its copy, the seed and the caches of other jobs stay as they are. Publishing makes a new generation beside the
others and then names it; a generation that was replaced stays for those who are copying it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import time
from typing import TYPE_CHECKING

from ..errors import StoreError
from ..events import Noticed, SteppedDown
from ..fs._system import strangers_who_write, system_path
from ..fs.atomic import write_atomically
from ..fs.failures import explain
from ..fs.link import LinkEntry, Linker
from ..fs.remove import remove_tree
from ..locks.holding import hold
from ..models import LinkMode

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ..events import Event, EventSink

_CURRENT = "current"
_GENERATION = "generation-"
_TRASH = "trash-"
_LONGEST_NAME = 100
_MIN_AGE = 3600.0  # seconds that a generation stays after it was replaced, for those who copy it
_REMOVAL_BUDGET = 5.0


class ToolSeed:
    """The seed of one tool's cache. :param root: its folder, which may be missing."""

    def __init__(self, root: Path, *, sink: EventSink) -> None:
        self.root = root
        self._sink = sink

    def fill(self, cache: Path) -> bool:
        """Make *cache*, which is not there, a copy of the current generation; empty when there is none.

        A generation that vanishes meanwhile, cannot be read, or can be written by strangers costs the head start and
        nothing else; that is told.

        :raises StoreError: *cache* cannot be made. It is removed.
        :returns: whether it is a copy.
        """
        failure: StoreError | None = None
        for _ in range(2):
            try:
                generation = self._current()
                if generation is None:
                    break
                copy_cache(generation, cache, sink=self._sink)
            except StoreError as error:
                remove_tree(cache, budget=_REMOVAL_BUDGET)
                failure = error
            else:
                return True
        if failure is not None:
            self._sink(SteppedDown(kind="seed-passed-by", message=f"{self.root} is not used: {failure.message}"))
        try:
            cache.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise explain(error, doing="make a cache", path=cache, option="--scratch") from error
        return False

    def publish(self, cache: Path, *, lock_timeout: float, job: str | None) -> bool:
        """Make a copy of *cache* the current generation, under the seed's lock; return False when there is no cache.

        :raises LockTimeoutError: somebody else publishes.
        :raises StoreError: the copy could not be made. The seed is as it was.
        """
        if not cache.is_dir():
            return False
        try:
            for folder in (self.root.parent, self.root):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise explain(error, doing="make a seed", path=self.root) from error
        self._refuse_strangers()
        with hold(self.root / ".lock", timeout=lock_timeout, what=f"the seed {self.root}", sink=self._sink, job=job):
            # Before copying: a full disk may have left halves of earlier ones.
            self._collect()
            self._switch(cache)
        return True

    def _switch(self, cache: Path) -> None:
        new = self.root / f"{_GENERATION}{secrets.token_hex(8)}"
        before = self._current()
        try:
            copy_cache(cache, new, sink=self._sink)
            write_atomically(self.root / _CURRENT, new.name.encode("ascii"), flush=True)
        except BaseException as error:
            with contextlib.suppress(OSError):
                remove_tree(new, budget=_REMOVAL_BUDGET)
            if isinstance(error, OSError):
                raise explain(error, doing="publish a seed", path=self.root) from error
            raise
        if before is not None:
            # From now on it is old.
            with contextlib.suppress(OSError):
                os.utime(before)

    def _current(self) -> Path | None:
        """The generation that counts; None where there is none.

        :raises StoreError: ``seed-unsafe``: strangers can write the seed.
        """
        pointer = self.root / _CURRENT
        try:
            if not stat.S_ISREG(os.lstat(pointer).st_mode):
                return None
            name = pointer.read_text(encoding="ascii", errors="replace")[:_LONGEST_NAME].strip()
            path = self.root / name
            if not name.startswith(_GENERATION) or os.path.basename(name) != name:
                return None
            if not stat.S_ISDIR(os.lstat(path).st_mode):
                return None
        except (OSError, ValueError):
            return None
        self._refuse_strangers()
        return path

    def _refuse_strangers(self) -> None:
        """:raises StoreError: ``seed-unsafe``: others than this user can write what jobs would read."""
        for folder in (self.root.parent, self.root):
            found = strangers_who_write(system_path(folder), by_group=False)
            if found is not None:
                who, mend = found
                raise StoreError(f"{who}: {folder}", code="seed-unsafe", hint=mend)

    def _collect(self) -> None:
        """Remove what was replaced long enough ago that nobody copies it any more, and halves of the dead."""
        before = time.time() - _MIN_AGE
        current = self._current()
        for path in (*self.root.glob(f"{_GENERATION}*"), *self.root.glob(f"{_TRASH}*")):
            try:
                if path == current or path.lstat().st_mtime >= before:
                    continue
                aside = path
                if not path.name.startswith(_TRASH):
                    aside = path.with_name(f"{_TRASH}{secrets.token_hex(8)}")
                    path.rename(aside)
                remove_tree(aside, budget=_REMOVAL_BUDGET)
            except OSError as error:
                self._sink(Noticed(message=f"could not remove {path}: {error.strerror}", detail=True))


def copy_cache(source: Path, target: Path, *, sink: EventSink) -> None:
    """Copy the folders, files and links below *source* to *target*, which is not there; links into it stay within.

    :raises StoreError: something could not be read or written. What there is of *target* stays.
    """
    linker = Linker(LinkMode.AUTO, sink=_only_serious(sink), own_files=True)
    root = os.path.realpath(source)
    pending = [""]
    while pending:
        folder = pending.pop()
        here, there = os.path.join(root, folder), os.path.join(target, folder)
        files = []
        try:
            os.makedirs(system_path(there), exist_ok=not folder)
            with os.scandir(system_path(here)) as entries:
                for entry in entries:
                    path = os.path.join(folder, entry.name)
                    if entry.is_symlink():
                        link = _within(os.readlink(entry.path), (root, os.path.abspath(source)), path)
                        os.symlink(link, system_path(os.path.join(target, path)))
                    elif entry.is_dir():
                        pending.append(path)
                    elif entry.is_file():
                        mode = entry.stat().st_mode
                        files.append(LinkEntry(entry.name, bool(mode & stat.S_IXUSR)))
        except OSError as error:
            raise explain(error, doing="copy a cache", path=there) from error
        if files:
            linker.link_files(here, there, files)


def _within(link: str, roots: Sequence[str], path: str) -> str:
    """Where the link at *path* leads: what is an absolute path into the cache becomes one that stays right in a copy.

    :param roots: the cache, by all its names.
    """
    if os.path.isabs(link):
        for root in roots:
            inside = os.path.relpath(os.path.normpath(link), root)
            if inside != os.pardir and not inside.startswith(os.pardir + os.sep):
                return os.path.relpath(inside, os.path.dirname(path) or os.curdir)
    return link


def _only_serious(sink: EventSink) -> EventSink:
    """Leave out that files are copied: a cache is always copied, and by reflinks only where that is free."""

    def note(event: Event) -> None:
        if not (isinstance(event, SteppedDown) and event.kind == "link-mode"):
            sink(event)

    return note
