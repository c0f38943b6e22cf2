"""The cache of a tool as jobs begin with it.

A seed is a folder with generations, each a whole copy of a cache, and a file that names the current one. Jobs copy from
it, by reflinks where the disk has them, and never link: a tool may write to any file of its cache. So whatever a job
does to its copy, the seed and the caches of other jobs stay as they are. Publishing makes a new generation beside the
others and then names it; a generation that was replaced stays for those who are copying it.
"""

from __future__ import annotations

import os
import secrets
import stat
import time
from typing import TYPE_CHECKING

from ..errors import StoreError
from ..events import Noticed, SteppedDown
from ..fs._system import system_path
from ..fs.atomic import write_atomically
from ..fs.failures import explain
from ..fs.link import LinkEntry, Linker
from ..fs.remove import remove_tree
from ..locks.holding import hold
from ..models import LinkMode

if TYPE_CHECKING:
    from pathlib import Path

    from ..events import EventSink

_CURRENT = "current"
_GENERATION = "generation-"
_MIN_AGE = 3600.0  # seconds that a generation stays after it was made, for those who copy it
_REMOVAL_BUDGET = 5.0


class ToolSeed:
    """The seed of one tool's cache. :param root: its folder, which may be missing."""

    def __init__(self, root: Path, *, sink: EventSink) -> None:
        self.root = root
        self._sink = sink

    def fill(self, cache: Path) -> bool:
        """Make *cache*, which is not there, a copy of the current generation; empty when there is none.

        A generation that vanishes meanwhile, or cannot be read, costs the head start and nothing else; that is told.

        :raises StoreError: *cache* cannot be made. It is removed.
        :returns: whether it is a copy.
        """
        failure: StoreError | None = None
        for _ in range(2):
            generation = self._current()
            if generation is None:
                break
            try:
                copy_cache(generation, cache, sink=self._sink)
            except StoreError as error:
                remove_tree(cache, budget=_REMOVAL_BUDGET)
                failure = error
            else:
                return True
        if failure is not None:
            self._sink(SteppedDown(kind="seed-passed-by", message=f"{self.root} cannot be copied: {failure.message}"))
        try:
            cache.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise explain(error, doing="make a cache", path=cache, option="--scratch") from error
        return False

    def publish(self, cache: Path, *, lock_timeout: float, job: str | None) -> bool:
        """Make a copy of *cache* the current generation, under the seed's lock; return False when there is no cache.

        :raises LockTimeoutError: somebody else publishes.
        :raises StoreError: the copy could not be made. The seed is as it was, but for what is left of the copy.
        """
        if not cache.is_dir():
            return False
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise explain(error, doing="make a seed", path=self.root) from error
        with hold(self.root / ".lock", timeout=lock_timeout, what=f"the seed {self.root}", sink=self._sink, job=job):
            new = self.root / f"{_GENERATION}{secrets.token_hex(8)}"
            try:
                copy_cache(cache, new, sink=self._sink)
                write_atomically(self.root / _CURRENT, new.name.encode("ascii"), flush=True)
            except OSError as error:
                raise explain(error, doing="publish a seed", path=self.root) from error
            self._collect(new.name)
        return True

    def _current(self) -> Path | None:
        try:
            name = (self.root / _CURRENT).read_text(encoding="ascii", errors="replace").strip()
        except OSError:
            return None
        path = self.root / name
        return path if name.startswith(_GENERATION) and "/" not in name and path.is_dir() else None

    def _collect(self, current: str) -> None:
        """Remove what is not current and old enough that nobody copies it: replaced generations, halves of the dead."""
        before = time.time() - _MIN_AGE
        for path in self.root.glob(f"{_GENERATION}*"):
            try:
                if path.name != current and path.stat().st_mtime < before:
                    remove_tree(path, budget=_REMOVAL_BUDGET)
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
                        os.symlink(
                            _within(os.readlink(entry.path), root, path), system_path(os.path.join(target, path))
                        )
                    elif entry.is_dir():
                        pending.append(path)
                    elif entry.is_file():
                        mode = entry.stat().st_mode
                        files.append(LinkEntry(entry.name, bool(mode & stat.S_IXUSR)))
        except OSError as error:
            raise explain(error, doing="copy a cache", path=there) from error
        if files:
            linker.link_files(here, there, files)


def _within(link: str, root: str, path: str) -> str:
    """Where the link at *path* leads: what is an absolute path into *root* becomes one that stays right in a copy."""
    if os.path.isabs(link) and os.path.normpath(link).startswith(root + os.sep):
        return os.path.relpath(os.path.normpath(link), os.path.dirname(os.path.join(root, path)))
    return link


def _only_serious(sink: EventSink) -> EventSink:
    """Leave out that files are copied: a cache is always copied, and by reflinks only where that is free."""

    def note(event: object) -> None:
        if not (isinstance(event, SteppedDown) and event.kind == "link-mode"):
            sink(event)  # type: ignore[arg-type]  # whatever came from there may go there

    return note
