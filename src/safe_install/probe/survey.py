"""Look over the folders of a store: what is missing, closed to its group, of other users, or empty.

Only names, owners, modes and sizes down to the entries are read; `cache verify` reads content.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from ..fs._system import system_path, user_name
from ..models import Sharing
from ..store.layout import BUCKETS, DOCUMENT_BUCKETS, FILES, MANIFEST, TREE_BUCKETS, WHEELS
from ..store.sharing import INNER_MODES, ROOT_MODES
from .facts import StoreState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..store.layout import Layout

# The first few are named.
_NAMED = 5
# Entries that are looked at; of a larger store, those that come first.
_MOST = 50_000


class _Found:
    """The first few of a kind, and how many there are."""

    def __init__(self) -> None:
        self.first: list[str] = []
        self.count = 0

    def add(self, text: str) -> None:
        self.count += 1
        if self.count <= _NAMED:
            self.first.append(text)


def survey(layout: Layout, sharing: Sharing, *, problem: str, message: str, strangers: str, remedy: str) -> StoreState:
    """Return what there is of the store, with the texts that are given."""
    root = os.lstat(os.path.realpath(system_path(layout.root)))
    missing, closed, foreign, empty = _Found(), _Found(), _Found(), _Found()
    for folder in folders_needed(layout):
        if not os.path.isdir(system_path(layout.root / folder)):
            missing.add(folder)
    if sharing is Sharing.GROUP and not _is_open(root, ROOT_MODES[sharing]):
        closed.add(".")
    sample = ""
    for number, (name, state) in enumerate(_walk(layout)):
        if number >= _MOST:
            break
        is_folder = stat.S_ISDIR(state.st_mode)
        depth = name.count("/")
        if sharing is Sharing.GROUP and is_folder and depth < 2 and not _is_open(state, INNER_MODES[sharing]):
            closed.add(name)
        if sharing is Sharing.PRIVATE and state.st_uid != root.st_uid:
            foreign.add(f"{name} ({user_name(state.st_uid)})")
        if depth == 2 and _is_empty(layout, name, state):
            empty.add(name)
        if not sample and depth == 2 and is_folder and name.startswith(f"{WHEELS}/"):
            sample = _first_file(system_path(layout.root / name / "tree"))
    return StoreState(
        problem=problem,
        message=message,
        present=True,
        sharing=sharing.value,
        strangers=strangers,
        remedy=remedy,
        missing=tuple(missing.first),
        missing_count=missing.count,
        closed=tuple(closed.first),
        closed_count=closed.count,
        foreign=tuple(foreign.first),
        foreign_count=foreign.count,
        empty=tuple(empty.first),
        empty_count=empty.count,
        sticky=sharing is Sharing.GROUP and bool(root.st_mode & stat.S_ISVTX),
        sample=sample,
    )


def folders_needed(layout: Layout) -> list[str]:
    """Return the folders that nobody makes when they are first used, relative."""
    return [folder for folder in layout.folders() if folder.partition(os.sep)[0] in {*BUCKETS, "staging"}]


def _is_open(state: os.stat_result, mode: int) -> bool:
    """Whether the group has what *mode* gives it, and what is made in the folder belongs to it as well."""
    wanted = mode & (stat.S_ISGID | stat.S_IRWXG)
    return os.name == "nt" or state.st_mode & wanted == wanted


def _walk(layout: Layout) -> Iterator[tuple[str, os.stat_result]]:
    """Every folder of the store, and every entry; nothing within entries. What vanishes meanwhile is left out."""
    for folder in layout.folders():
        place = system_path(layout.root / folder)
        try:
            yield folder.replace(os.sep, "/"), os.lstat(place)
        except OSError:
            continue
    for folder in layout.folders():
        if os.sep in folder:
            yield from _entries(layout, folder.replace(os.sep, "/"))


def _entries(layout: Layout, folder: str) -> Iterator[tuple[str, os.stat_result]]:
    try:
        with os.scandir(system_path(layout.root / folder)) as found:
            items = sorted(found, key=lambda item: item.name)
    except OSError:
        return
    for item in items:
        try:
            yield f"{folder}/{item.name}", os.lstat(item.path)
        except OSError:
            continue


def _is_empty(layout: Layout, name: str, state: os.stat_result) -> bool:
    """Whether an entry is a file without content, or its manifest is."""
    bucket = name.partition("/")[0]
    if bucket in TREE_BUCKETS:
        try:
            return os.lstat(system_path(layout.root / name / MANIFEST)).st_size == 0
        except OSError:
            return False  # an entry that is half made, or gone
    return bucket in {FILES, *DOCUMENT_BUCKETS} and stat.S_ISREG(state.st_mode) and state.st_size == 0


def _first_file(tree: str) -> str:
    for folder, _, files in os.walk(tree):
        for name in sorted(files):
            place = os.path.join(folder, name)
            if stat.S_ISREG(os.lstat(place).st_mode):
                return place
    return ""
