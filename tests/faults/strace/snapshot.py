"""A folder tree that is put back as it was, by replacing only what is not the same any more.

A store has more than a thousand folders, so copying all of it would take most of the time of an injection.
"""

from __future__ import annotations

import os
import shutil
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


@dataclass(frozen=True)
class _Kept:
    """How a file, link or folder was. :param twin: the first of several names of one file, or its own."""

    state: os.stat_result
    content: bytes | str | None
    twin: str


def walk(root: str, empty: Mapping[str, tuple[int, int]] | None = None) -> Iterator[tuple[str, os.stat_result]]:
    """Yield everything below *root*, folders before what is in them, sorted, with paths relative to it.

    :param empty: inode and time of folders that were empty. Those that have not changed since are not looked into.
    """
    known = empty or {}
    pending = [""]
    while pending:
        folder = pending.pop()
        try:
            with os.scandir(os.path.join(root, folder)) as found:
                entries = sorted((entry.name, entry.stat(follow_symlinks=False)) for entry in found)
        except FileNotFoundError:
            continue  # whoever walks removes as well
        for name, state in entries:
            path = os.path.join(folder, name)
            yield path, state
            if stat.S_ISDIR(state.st_mode) and known.get(path) != (state.st_ino, state.st_mtime_ns):
                pending.append(path)


class Snapshot:
    """Everything below *root* as it is now.

    :ivar empty: its empty folders, for `walk`.
    """

    def __init__(self, root: Path) -> None:
        self._root = str(root)
        self._kept: dict[str, _Kept] = {}
        first: dict[tuple[int, int], str] = {}
        for path, state in walk(self._root):
            place = os.path.join(self._root, path)
            content: bytes | str | None = None
            if stat.S_ISLNK(state.st_mode):
                content = os.readlink(place)
            elif stat.S_ISREG(state.st_mode):
                with open(place, "rb") as file:
                    content = file.read()
            self._kept[path] = _Kept(state, content, first.setdefault((state.st_dev, state.st_ino), path))
        self._now = {path: kept.state for path, kept in self._kept.items()}
        full = {os.path.dirname(path) for path in self._kept}
        self.empty = {
            path: (kept.state.st_ino, kept.state.st_mtime_ns)
            for path, kept in self._kept.items()
            if stat.S_ISDIR(kept.state.st_mode) and path not in full
        }

    def restore(self) -> None:
        """Make everything as it was, its times included."""
        touched = self._remove_what_differs()
        made = {path for path in self._kept if path not in self._now}
        # All names of a file are made again when one is.
        twins = {self._kept[path].twin for path in made}
        for path, kept in self._kept.items():
            if kept.twin in twins and path not in made and not stat.S_ISDIR(kept.state.st_mode):
                os.unlink(os.path.join(self._root, path))
                made.add(path)
        folders = {os.path.dirname(path) for path in made} | touched
        for path in self._kept:
            if path in made:
                self._make(path)
        for path in sorted(
            folders | {path for path in made if stat.S_ISDIR(self._kept[path].state.st_mode)}, reverse=True
        ):
            if path in self._kept:
                self._set_times(path)
        for path in made | folders:
            if path in self._kept:
                self._now[path] = os.lstat(os.path.join(self._root, path))

    def _remove_what_differs(self) -> set[str]:
        """Forget in `_now` what is not as it was, and remove what must not be there; return the folders touched."""
        found: dict[str, os.stat_result] = {}
        touched: set[str] = set()
        for path, state in walk(self._root, self.empty):
            found[path] = state
            if self._is_same(path, state):
                continue
            place = os.path.join(self._root, path)
            is_folder = stat.S_ISDIR(state.st_mode)
            if is_folder and path in self._kept and stat.S_ISDIR(self._kept[path].state.st_mode):
                os.chmod(place, stat.S_IMODE(self._kept[path].state.st_mode))
                touched.add(path)
                continue
            del found[path]
            touched.add(os.path.dirname(path))
            if is_folder:
                shutil.rmtree(place)
            else:
                os.unlink(place)
        self._now = {path: self._now[path] for path in self._kept if path in found and path in self._now}
        return touched

    def _is_same(self, path: str, state: os.stat_result) -> bool:
        known = self._now.get(path)
        return known is not None and (
            known.st_ino,
            known.st_mode,
            known.st_ctime_ns,
            known.st_size,
            known.st_nlink,
        ) == (
            state.st_ino,
            state.st_mode,
            state.st_ctime_ns,
            state.st_size,
            state.st_nlink,
        )

    def _make(self, path: str) -> None:
        kept = self._kept[path]
        place = os.path.join(self._root, path)
        mode = stat.S_IMODE(kept.state.st_mode)
        if kept.twin != path:
            os.link(os.path.join(self._root, kept.twin), place, follow_symlinks=False)
            return
        if isinstance(kept.content, str):
            os.symlink(kept.content, place)
            return
        if kept.content is None:
            os.mkdir(place)
        else:
            with open(place, "wb") as file:
                file.write(kept.content)
        os.chmod(place, mode)
        self._set_times(path)

    def _set_times(self, path: str) -> None:
        state = self._kept[path].state
        os.utime(os.path.join(self._root, path), ns=(state.st_atime_ns, state.st_mtime_ns))
