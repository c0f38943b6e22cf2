"""Notes of what was written or hashed since this system was booted, so that it is not hashed again (`verify`).

::

    checked/<boot>/<name>       empty
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..fs._system import set_mode, system_path
from ..fs.remove import remove_tree
from ..fs.rights import ensure_folder

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from .layout import Layout

# Guests of one machine may share the folder, each with a boot of its own, so those of other boots get some time.
_OLD = 7 * 86400.0  # seconds


class Notes:
    """Which entries of any store are known to be whole on the disk since this boot; kept in one store.

    Safe to use from many threads and processes. What cannot be written is not known.
    """

    def __init__(self, layout: Layout, boot: str | None) -> None:
        self._folder = layout.checked(boot) if boot is not None else None
        self._known: set[str] | None = None

    def has(self, name: str) -> bool:
        """Whether it is noted."""
        if self._folder is None:
            return False
        if self._known is None:
            self._known = set(_names(self._folder))
        if name not in self._known and os.path.lexists(system_path(self._folder / name)):
            self._known.add(name)
        return name in self._known

    def add(self, name: str) -> None:
        """Note it."""
        if self._folder is None:
            return
        place = system_path(self._folder / name)
        try:
            try:
                _touch(place)
            except FileNotFoundError:
                self._begin()
                _touch(place)
        except OSError:
            return
        if self._known is not None:
            self._known.add(name)

    def _begin(self) -> None:
        """Make the folder of this boot, and remove those of boots long ago."""
        assert self._folder is not None
        ensure_folder(self._folder.parent)
        ensure_folder(self._folder)
        now = os.stat(system_path(self._folder)).st_mtime
        for name in _names(self._folder.parent):
            place = system_path(self._folder.parent / name)
            if now - os.lstat(place).st_mtime > _OLD:
                remove_tree(place, budget=0)


def _names(folder: Path) -> Iterable[str]:
    try:
        return os.listdir(system_path(folder))
    except OSError:
        return ()


def _touch(place: str) -> None:
    descriptor = os.open(place, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        set_mode(descriptor, 0o444)
    finally:
        os.close(descriptor)
