"""What stands in the way of a new tree in an environment that exists. Nothing is changed here."""

from __future__ import annotations

import hashlib
import os
import posixpath
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..fs._system import system_path
from ..fs.hashing import hash_file
from ..fs.paths import folded, is_within
from .listing import names_in
from .merging import Conflict, drop, tell_conflict
from .record import read_record
from .removal import source_stem

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from ..events import EventSink
    from .environment import Environment
    from .installed import Installed
    from .merging import Merged
    from .placement import Placement

_NOBODY = "something that no distribution lists"


@dataclass(slots=True)
class Survey:
    """What was found. All paths are relative to the root.

    :param aside: has to make room, beyond what is removed anyway.
    :param folders: have to be made, parents first.
    :param unchanged: files of the tree that are there already with the same content, of a distribution that stays.
    """

    aside: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    unchanged: set[str] = field(default_factory=set)


def survey(
    environment: Environment, merged: Merged, removed: Collection[str], staying: Sequence[Installed], sink: EventSink
) -> Survey:
    """Compare the tree *merged* with what is there; take out of its placements what is there already.

    :param removed: files that go, relative to the root.
    :param staying: distributions that stay, to name whom a replaced file belongs to. Told as ``file-conflict``.
    """
    work = _Surveying(environment, merged, frozenset(removed))
    work.folders()
    work.files()
    work.bytecode()
    for conflict in work.conflicts(staying):
        tell_conflict(conflict, sink)
    return work.found


class _Surveying:
    """The work of `survey`."""

    def __init__(self, environment: Environment, merged: Merged, removed: frozenset[str]) -> None:
        self.found = Survey()
        self._environment = environment
        self._merged = merged
        self._removed = removed
        self._real_root = os.path.realpath(environment.root)
        self._names: dict[str, list[str]] = {}
        self._replaced: list[tuple[str, Placement]] = []

    def folders(self) -> None:
        """Tell the folders that are there from those that have to be made."""
        missing: set[str] = set()
        self._names[""] = os.listdir(system_path(self._environment.root))
        for folder in self._merged.folders:
            if folder.rpartition("/")[0] in missing or not self._is_usable(folder):
                missing.add(folder)
                self.found.folders.append(folder)
            else:
                self._names[folder] = os.listdir(system_path(self._environment.path(folder)))

    def files(self) -> None:
        """Find the files that are there already, or have to make room."""
        by_path = {path: placement for placement in self._merged.placements for path in _placed(placement)}
        for folder, sizes in self._merged.sizes.items():
            present = {folded(name): name for name in self._names.get(folder, ())}
            for name in sizes:
                other = present.get(folded(name))
                path, there = _join(folder, name), _join(folder, other or name)
                if other is None or there in self._removed or path not in by_path:
                    continue
                if other != name and not self._is_same_file(path, there):
                    continue  # two names, where case counts
                if self._is_equal(there, by_path[path]):
                    self.found.unchanged.add(path)
                    drop(by_path[path], path)
                else:
                    self.found.aside.append(there)
                    self._replaced.append((there, by_path[path]))
        for placement in self._merged.placements:
            # Left without the rest of its distribution: told by nobody, wanted by nobody.
            folder, _, name = placement.record_path.rpartition("/")
            if name in self._names.get(folder, ()) and placement.record_path not in self._removed:
                self.found.aside.append(placement.record_path)

    def bytecode(self) -> None:
        """Bytecode of what is replaced makes room too; design section 5."""
        stems: dict[str, set[str]] = {}
        for placement in self._merged.placements:
            for path in placement.sources:
                if path not in self.found.unchanged:
                    folder, _, name = path.rpartition("/")
                    stems.setdefault(folder, set()).add(name[: -len(".py")])
        for folder, names in stems.items():
            if "__pycache__" in self._names.get(folder, ()):
                cache = _join(folder, "__pycache__")
                there = (_join(cache, name) for name in self._list(cache) if source_stem(name) in names)
                known = self._removed.union(self.found.aside)
                self.found.aside += [path for path in there if path not in known]

    def conflicts(self, staying: Iterable[Installed]) -> list[Conflict]:
        """Whose files are replaced by whom."""
        found: dict[tuple[str, str], Conflict] = {}
        owners = self._owners(staying) if self._replaced else {}
        for path, placement in self._replaced:
            pair = owners.get(path, _NOBODY), str(placement.wheel.pin)
            found.setdefault(pair, Conflict(*pair, paths=[])).paths.append(path)
        return list(found.values())

    def _is_usable(self, folder: str) -> bool:
        """Whether *folder* is a folder of this environment; anything else with its name has to make room."""
        place = system_path(self._environment.path(folder))
        try:
            mode = os.lstat(place).st_mode
        except FileNotFoundError:
            return False
        if stat.S_ISDIR(mode):
            return True
        # `lib64` is a link to `lib` in many environments. One that leads elsewhere is never written through.
        if stat.S_ISLNK(mode) and os.path.isdir(place) and is_within(self._real_root, os.path.realpath(place)):
            return True
        if folder not in self._removed:
            self.found.aside.append(folder)
        return False

    def _is_same_file(self, path: str, other: str) -> bool:
        """Whether the file system takes the two names for one."""
        try:
            one = os.lstat(system_path(self._environment.path(path)))
            return os.path.samestat(one, os.lstat(system_path(self._environment.path(other))))
        except OSError:
            return False

    def _is_equal(self, path: str, placement: Placement) -> bool:
        place = self._environment.path(path)
        if not stat.S_ISREG(os.lstat(system_path(place)).st_mode):
            return False
        digest = hash_file(place)["sha256"]
        folder, _, name = path.rpartition("/")
        for linked in placement.linked:
            if linked.target == folder and name in linked.files:
                return linked.files[name].sha256 == digest
        written = [file.content for file in placement.written if file.path == path]
        return any(hashlib.sha256(content).hexdigest() == digest for content in written)

    def _owners(self, staying: Iterable[Installed]) -> dict[str, str]:
        found: dict[str, str] = {}
        for item in staying:
            if item.has_record:
                with open(system_path(self._environment.path(f"{item.path}/RECORD")), "rb") as file:
                    paths = read_record(file.read())
                found.update((posixpath.normpath(_join(item.library, path)), str(item)) for path in paths)
        return found

    def _list(self, folder: str) -> Iterable[str]:
        return names_in(system_path(self._environment.path(folder))) or ()


def _placed(placement: Placement) -> list[str]:
    found = [_join(folder.target, name) for folder in placement.linked for name in folder.files]
    return found + [file.path for file in placement.written]


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name
