"""Join what several wheels bring into one tree, and decide what happens where two bring the same path.

The same content is merged (the ``nvidia/__init__.py`` of many wheels). Different content is told by name, and the
later wheel in alphabetical order wins, so that the result does not depend on the order of anything.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from ..errors import IntegrityError
from ..events import SteppedDown
from ..fs.paths import folded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..events import EventSink
    from .placement import Placement

_SHOWN = 3


@dataclass(slots=True)
class Conflict:
    """Paths that two distributions bring with different content. :param loser: whose files are not installed."""

    loser: str
    winner: str
    paths: list[str]


class _Owner(NamedTuple):
    """Who brings a file. :param digest: SHA-256, hexadecimal."""

    placement: Placement
    path: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """One tree. All paths are relative to the environment's root.

    :param placements: sorted by name; what they link and write no longer meets.
    :param folders: every folder that has to exist, parents first, without the root.
    :param sizes: folder to name to bytes, for every file of the tree but the RECORDs.
    """

    placements: Sequence[Placement]
    folders: Sequence[str]
    sizes: dict[str, dict[str, int]]


def merge(placements: Sequence[Placement], *, folds_case: bool, sink: EventSink) -> Merged:
    """Return the tree that *placements* make together; they are changed where they lose a path.

    :param folds_case: whether the file system takes names that differ in case or Unicode form for one.
    :raises IntegrityError: ``file-conflict``: one wheel brings a file where another one brings a folder.
    """
    ordered = sorted(placements, key=lambda placement: placement.wheel.name)
    tree = _Tree(folded if folds_case else None)
    for placement in ordered:
        tree.add(placement)
    tree.refuse_folders_in_place_of_files()
    for conflict in tree.conflicts.values():
        tell_conflict(conflict, sink)
    return Merged(placements=ordered, folders=_with_parents(tree.folders), sizes=_sizes(ordered))


def tell_conflict(conflict: Conflict, sink: EventSink) -> None:
    """Report a conflict that was settled."""
    shown = ", ".join(conflict.paths[:_SHOWN])
    more = f" and {len(conflict.paths) - _SHOWN} more" if len(conflict.paths) > _SHOWN else ""
    text = f"{conflict.loser} and {conflict.winner} both bring {shown}{more}, with different content"
    sink(SteppedDown(kind="file-conflict", message=f"{text}; installed is that of {conflict.winner}"))


class _Tree:
    """Who brings what, by the keys under which the file system keeps names."""

    def __init__(self, key: Callable[[str], str] | None) -> None:
        self.folders: set[str] = set()
        self.conflicts: dict[tuple[str, str], Conflict] = {}
        self._key = key
        self._files: dict[str, dict[str, _Owner]] = {}

    def add(self, placement: Placement) -> None:
        for folder in placement.linked:
            self._claim(folder.target, placement, {name: entry.sha256 for name, entry in folder.files.items()})
        for file in placement.written:
            target, _, name = file.path.rpartition("/")
            self._claim(target, placement, {name: hashlib.sha256(file.content).hexdigest()})

    def _claim(self, target: str, placement: Placement, digests: dict[str, str]) -> None:
        self.folders.add(target)
        prefix = f"{target}/" if target else ""
        owners = {name: _Owner(placement, prefix + name, digest) for name, digest in digests.items()}
        if self._key is not None:
            owners = {self._key(name): owner for name, owner in owners.items()}
        table = self._files.setdefault(self._key(target) if self._key else target, {})
        for key in sorted(owners.keys() & table.keys()) if table else ():
            self._settle(table[key], owners[key])
        table.update(owners)

    def _settle(self, loser: _Owner, winner: _Owner) -> None:
        """The file of *loser* is not placed."""
        drop(loser.placement, loser.path)
        if loser.digest != winner.digest:
            pair = str(loser.placement.wheel.pin), str(winner.placement.wheel.pin)
            self.conflicts.setdefault(pair, Conflict(*pair, paths=[])).paths.append(winner.path)

    def refuse_folders_in_place_of_files(self) -> None:
        for folder in _with_parents(self.folders):
            above, _, name = (self._key(folder) if self._key else folder).rpartition("/")
            owner = self._files.get(above, {}).get(name)
            if owner is not None:
                raise IntegrityError(
                    f"{owner.placement.wheel} brings the file {folder}, and another wheel a folder of that name",
                    code="file-conflict",
                    hint="one of the two has to go; ask the projects to rename it",
                )


def drop(placement: Placement, path: str) -> None:
    """Let *placement* not place the file *path*, relative to the root. Its RECORD goes on listing it, as pip's does."""
    target, _, name = path.rpartition("/")
    placement.written = [file for file in placement.written if file.path != path]
    for folder in placement.linked:
        if folder.target == target:
            folder.files.pop(name, None)


def _with_parents(folders: set[str]) -> list[str]:
    found = set()
    for folder in folders:
        above = folder
        while above and above not in found:
            found.add(above)
            above = above.rpartition("/")[0]
    return sorted(found)


def _sizes(placements: Sequence[Placement]) -> dict[str, dict[str, int]]:
    sizes: dict[str, dict[str, int]] = {}
    for placement in placements:
        for folder in placement.linked:
            sizes.setdefault(folder.target, {}).update((name, entry.size) for name, entry in folder.files.items())
        for file in placement.written:
            target, _, name = file.path.rpartition("/")
            sizes.setdefault(target, {})[name] = len(file.content)
    return sizes
