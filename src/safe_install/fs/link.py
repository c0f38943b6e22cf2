"""Place the files of a store entry in an environment: reflink, hard link or copy (design section 7).

Whether a way works is found by the first real file between two devices, and remembered, so that a way which does not
work costs one call and not one per file. Only `LinkMode.AUTO` falls back: for good where a way is refused or goes on
failing, for one file that has as many names as it may have.
"""

from __future__ import annotations

import errno
import os
import threading
from typing import TYPE_CHECKING, NamedTuple

from ..errors import StoreError
from ..events import SteppedDown
from ..models import LinkMode
from ._system import FolderPair, cannot_clone, cannot_link, has_no_more_names, is_passing, reflinks, system_path
from .failures import explain
from .filesystem import is_network
from .retry import DEFAULT_BUDGET, retry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..events import EventSink

_PATIENCE = 2.0
"""Seconds to wait out what passes where there is another way (reflinks fail with EAGAIN at times, uv#19674)."""

_TOLD = {LinkMode.HARDLINK: "files are linked", LinkMode.COPY: "files are copied"}


class LinkEntry(NamedTuple):
    """One file of a folder. :param name: without any folder."""

    name: str
    executable: bool


class _Way:
    """How files are placed between two devices: the modes left to try, best first, and why the better ones are gone.

    :param usual: a mode that is what people expect here, and is not told; its reason is in the report.
    """

    def __init__(self, modes: list[LinkMode], reason: str | None = None, usual: LinkMode | None = None) -> None:
        self.modes = modes
        self.reason = reason
        self.usual = usual
        self.proven = False
        self.between: dict[tuple[str, str], _Way] | None = None
        """Where one device is mounted more than once, and that matters: the ways between these mounts."""

    def lower(self, modes: list[LinkMode], reason: str, *, refused: bool) -> None:
        """Leave only *modes*. :param refused: the better one can never work; else it is told whatever is left."""
        self.modes, self.reason, self.proven = modes, reason, False
        if not refused:
            self.usual = None


class Linker:
    """Places files, and remembers how well that went. Safe to share between threads.

    :param mode: obeyed or failed with, but for `LinkMode.AUTO`, which chooses and falls back: reflink, hard link,
        copy on Unix; reflink, copy on Windows; copy where either side is a network file system.
    :param own_files: never share a file with the source: no hard links (``--isolation strict``).
    :param retry_budget: seconds for errors that pass.
    """

    def __init__(
        self, mode: LinkMode, *, sink: EventSink, own_files: bool = False, retry_budget: float = DEFAULT_BUDGET
    ) -> None:
        if own_files and mode is LinkMode.HARDLINK:
            raise ValueError("a hard link shares the file with its source")
        self._mode = mode
        self._own_files = own_files
        self._sink = sink
        self._budget = retry_budget
        self._ways: dict[tuple[int, int, int], _Way] = {}
        self._told: set[str] = set()
        self._lock = threading.Lock()
        self.used: dict[LinkMode, int] = {}
        """How many files were placed in which way."""
        self.reason: str | None = None
        """Why not a better mode was used; None while the best that was asked for works."""

    def link_files(self, source_dir: str, target_dir: str, entries: Sequence[LinkEntry]) -> None:
        """Place files of one folder in another, which must exist; what stands in their place is removed, not written.

        With hard links they carry the store's modes; else those of pip (0o666 or 0o777 without the umask), and the
        store's times.

        :raises StoreError: ``link-mode-impossible`` for an explicit mode, ``entry-vanished`` when the source is gone,
            else as `explain` says. The files before the failing one are placed, of that one nothing.
        """
        source, target = system_path(source_dir), system_path(target_dir)
        counts: dict[LinkMode, int] = {}
        name = ""
        try:
            with FolderPair(source, target) as pair:
                way = self._way(pair, source_dir, target_dir)
                for name, executable in entries:
                    mode, way = self._place(pair, way, name, executable)
                    counts[mode] = counts.get(mode, 0) + 1
        except OSError as error:
            raise self._failure(error, os.path.join(source_dir, name), os.path.join(target_dir, name)) from error
        finally:
            with self._lock:
                for mode, count in counts.items():
                    self.used[mode] = self.used.get(mode, 0) + count

    def _way(self, pair: FolderPair, source: str, target: str) -> _Way:
        key = pair.key()
        with self._lock:
            if (way := self._ways.get(key)) is None:
                way = self._ways[key] = self._first_way(source, target)
            if way.between is not None:
                mounts = pair.mounts()
                way = way.between.setdefault(mounts, _Way(way.modes, way.reason, way.usual))
            return way

    def _first_way(self, source: str, target: str) -> _Way:
        if self._mode is not LinkMode.AUTO:
            return _Way([self._mode])
        for place in (source, target):
            if is_network(place):
                return _Way([LinkMode.COPY], f"{place} is on a network file system")
        ways = [LinkMode.REFLINK] if reflinks() else []
        if os.name == "nt":
            # A hard link cannot be deleted there while another job has the file open under its own name (measured).
            return _Way([*ways, LinkMode.COPY], usual=LinkMode.COPY)
        if not self._own_files:
            ways.append(LinkMode.HARDLINK)
        return _Way([*ways, LinkMode.COPY], usual=LinkMode.HARDLINK)

    def _place(self, pair: FolderPair, way: _Way, name: str, executable: bool) -> tuple[LinkMode, _Way]:
        """Place one file in the best way that is left; return the mode taken, and the way for those that follow."""
        modes = way.modes
        for mode in modes:
            is_last = mode is modes[-1]
            try:
                self._place_as(pair, mode, name, executable, self._budget if is_last else min(self._budget, _PATIENCE))
            except OSError as error:
                refused = _refused(mode, error)
                if is_last or not (refused or is_passing(error)):
                    raise
                reason = f"{mode.value} failed with: {error.strerror}{_why(error, pair, name)}"
                if has_no_more_names(error):
                    self._tell(f"some files are copied: {reason}")
                else:
                    way = self._between_mounts(pair, way, error)
                    way.lower(modes[modes.index(mode) + 1 :], reason, refused=refused)
            else:
                if not way.proven:
                    self._prove(way)
                return mode, way
        raise AssertionError("the last mode either works or raises")

    def _between_mounts(self, pair: FolderPair, way: _Way, error: OSError) -> _Way:
        """The way that *error* speaks of: that between two mounts, when both have one device.

        So a seed that is mounted into a container from the disk of the environment loses the links of nobody else.
        """
        source, target, _ = key = pair.key()
        if error.errno != errno.EXDEV or source != target:
            return way
        with self._lock:
            common = self._ways[key]
            if common.between is None:
                common.between = {}
            return common.between.setdefault(pair.mounts(), _Way(way.modes, way.reason, way.usual))

    def _place_as(self, pair: FolderPair, mode: LinkMode, name: str, executable: bool, budget: float) -> None:
        place = pair.hardlink
        if mode is not LinkMode.HARDLINK:
            place = pair.copy if mode is LinkMode.COPY else pair.reflink
        try:
            place(name, executable)
        except FileExistsError:
            self._replace(pair, place, name, executable, budget)
        except OSError as error:
            if _refused(mode, error) or not is_passing(error):
                raise
            self._replace(pair, place, name, executable, budget)

    def _replace(
        self, pair: FolderPair, place: Callable[[str, bool], None], name: str, executable: bool, budget: float
    ) -> None:
        """Unlink what has the name, and place the file, waiting out what passes."""

        def attempt() -> None:
            try:
                pair.unlink(name)
            except FileNotFoundError:
                pass
            place(name, executable)

        retry(attempt, what=f"place {name}", budget=budget, sink=self._sink)

    def _prove(self, way: _Way) -> None:
        """The first file was placed: from now on the way is known, and a lower one than usual is told, once."""
        way.proven = True
        if way.reason is None:
            return
        self.reason = way.reason
        if way.modes[0] is not way.usual:
            self._tell(f"{_TOLD[way.modes[0]]}: {way.reason}")

    def _tell(self, message: str) -> None:
        with self._lock:
            if message in self._told:
                return
            self._told.add(message)
        self._sink(SteppedDown(kind="link-mode", message=message))

    def _failure(self, error: OSError, source: str, target: str) -> StoreError:
        if self._mode is not LinkMode.AUTO and _refused(self._mode, error):
            return StoreError(
                f"could not place {target} with --link-mode {self._mode.value}: {error.strerror}",
                code="link-mode-impossible",
                context=(f"its source is {source}",),
                hint="use --link-mode auto, or keep store and environment on one file system that can do it",
            )
        if isinstance(error, FileNotFoundError) and not os.path.lexists(system_path(source)):
            return StoreError(
                f"could not place {target}: its source {source} is gone from the store",
                code="entry-vanished",
                hint="run the command again; somebody may have cleaned the store",
            )
        return explain(error, doing="place a file", path=target, option="--venv")


def _refused(mode: LinkMode, error: OSError) -> bool:
    """Whether *error* says that files can never be placed this way here, rather than that this file cannot now."""
    if mode is LinkMode.REFLINK:
        return cannot_clone(error)
    return mode is LinkMode.HARDLINK and cannot_link(error)


def _why(error: OSError, pair: FolderPair, name: str) -> str:
    """What the system's own words leave out, in parentheses; an empty text where they say it all."""
    if error.errno == errno.EXDEV:
        return " (the two are on different file systems, or under different mounts of one)"
    if error.errno == errno.EPERM and pair.is_foreign(name):
        return " (the store's files belong to another user: fs.protected_hardlinks)"
    return ""
