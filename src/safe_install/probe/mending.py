"""Put right what can be put right safely, in folders of our own: rights that are too wide, folders that are missing.

Never the content of a store, and never what belongs to another user.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from ..fs._system import is_ours, set_mode, system_path
from ..fs.failures import explain
from ..fs.remove import remove_tree
from ..fs.rights import ensure_folder
from ..models import Sharing
from ..store.layout import Layout
from ..store.sharing import INNER_MODES, ROOT_MODES
from .survey import folders_needed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .facts import PlaceFacts

# Seconds, for folders that somebody may still have open.
_REMOVAL = 2.0


def mend(code: str, place: PlaceFacts) -> str | None:
    """Put right what the finding *code* of a place tells; return what was done, or None where nothing is safe to do.

    :raises StoreError: it could not be done; a part of it may have been.
    """
    action = _MENDS.get(code)
    if action is None:
        return None
    try:
        return action(place)
    except OSError as error:
        raise explain(error, doing=f"mend `{code}`", path=place.path) from error


def _close_to_strangers(place: PlaceFacts) -> str | None:
    root = system_path(place.path)
    found = os.stat(root)
    if not is_ours(found):
        return None
    # A group that shares the store by the set-group-id bit keeps what it has.
    by_group = bool(place.store and place.store.sharing == Sharing.GROUP.value and found.st_mode & stat.S_ISGID)
    mode = stat.S_IMODE(found.st_mode) & ~(stat.S_IWOTH if by_group else stat.S_IWOTH | stat.S_IWGRP)
    set_mode(root, mode)
    return f"took from strangers the right to write {place.path}, which now has mode {mode:o}"


def _open_to_group(place: PlaceFacts) -> str | None:
    layout = Layout(Path(place.path))
    folders = [(layout.root, ROOT_MODES[Sharing.GROUP])]
    folders += [(layout.root / folder, INNER_MODES[Sharing.GROUP]) for folder in layout.folders()]
    count = 0
    for folder, mode in folders:
        try:
            found = os.lstat(system_path(folder))
        except FileNotFoundError:
            continue
        wanted = mode & (stat.S_ISGID | stat.S_IRWXG)
        if stat.S_ISDIR(found.st_mode) and is_ours(found) and found.st_mode & wanted != wanted:
            set_mode(system_path(folder), stat.S_IMODE(found.st_mode) | wanted)
            count += 1
    return f"opened {count:,} folders of {place.path} to its group" if count else None


def _take_sticky_bit(place: PlaceFacts) -> str | None:
    root = system_path(place.path)
    found = os.stat(root)
    if not is_ours(found):
        return None
    set_mode(root, stat.S_IMODE(found.st_mode) & ~stat.S_ISVTX)
    return f"took the sticky bit from {place.path}"


def _make_folders(place: PlaceFacts) -> str | None:
    layout = Layout(Path(place.path))
    missing = [folder for folder in folders_needed(layout) if not os.path.lexists(system_path(layout.root / folder))]
    for folder in missing:
        ensure_folder(layout.root / folder)
    return f"made {len(missing):,} folders of {place.path}" if missing else None


def _remove_left_overs(place: PlaceFacts) -> str | None:
    paths = place.left_overs.paths if place.left_overs else ()
    for path in paths:
        remove_tree(path, budget=_REMOVAL)
    return f"removed {', '.join(paths)}" if paths else None


_MENDS: Mapping[str, Callable[[PlaceFacts], str | None]] = {
    "strangers-can-write": _close_to_strangers,
    "closed-to-group": _open_to_group,
    "sticky-store": _take_sticky_bit,
    "store-incomplete": _make_folders,
    "probes-left": _remove_left_overs,
}
MENDED = frozenset(_MENDS)
"""Codes of findings that can be mended."""
