"""Which files belong to an installed distribution. Nothing is removed here: `transaction` moves them aside.

RECORD decides (PEP 376). A path that leaves the environment, by its text or by a link on its way, is never followed.
"""

from __future__ import annotations

import os
import posixpath
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..errors import TargetError
from ..events import SteppedDown
from ..fs._system import system_path
from ..fs.paths import is_within
from .entry_points import is_protected_script
from .environment import CONFIGURATION
from .installed import Kind
from .listing import names_in
from .record import read_record

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..events import EventSink
    from .environment import Environment
    from .installed import Installed

_EASY_INSTALL = "easy-install.pth"
_SHOWN = 5


@dataclass(slots=True)
class Removal:
    """What goes.

    :param files: existing files and links, relative to the root, sorted.
    :param edited: files that lose lines: path to new content.
    """

    files: list[str] = field(default_factory=list)
    edited: dict[str, bytes] = field(default_factory=dict)


def plan_removal(
    environment: Environment, going: Sequence[Installed], staying: Iterable[Installed], sink: EventSink
) -> Removal:
    """Return what *going* consist of, without what one of *staying* lists too (``nvidia/__init__.py``).

    Files that are gone already are passed over. Paths that lead out of the environment, or to its interpreter, are
    left alone and told as a step down of kind ``outside-environment``.

    :raises TargetError: ``uninstall-impossible``: a distribution does not say what it consists of.
        ``environment-unreadable``: a folder of it cannot be read.
    """
    if not going:
        return Removal()
    work = _Listing(environment)
    removal = Removal()
    wanted: set[str] = set()
    for item in going:
        wanted |= work.paths(item, removal)
        if work.refused:
            _tell_refused(environment, item, work.refused, sink)
            work.refused = []
    for item in staying:
        if wanted and item.has_record:
            wanted -= work.shared(item, wanted)
    work.refused = []
    removal.files = sorted(work.existing(wanted))
    return removal


def source_stem(name: str) -> str | None:
    """``a.b`` of ``a.b.cpython-311.opt-1.pyc`` (PEP 3147, PEP 488)."""
    if not name.endswith(".pyc"):
        return None
    stem = name[:-4]
    head, _, tail = stem.rpartition(".")
    if tail.startswith("opt-"):
        head = head.rpartition(".")[0]
    return head or None


class _Listing:
    """Answers questions about the files of one environment, each folder being read once."""

    def __init__(self, environment: Environment) -> None:
        self.environment = environment
        self.refused: list[str] = []
        self._names: dict[str, frozenset[str]] = {}
        self._inside: dict[str, bool] = {"": True}
        self._root = os.path.realpath(environment.root)

    def paths(self, item: Installed, removal: Removal) -> set[str]:
        """Everything that *item* consists of, there or not."""
        match item.kind:
            case Kind.DIST_INFO:
                return self._of_dist_info(item)
            case Kind.EGG_INFO_FOLDER if "installed-files.txt" in item.files:
                return self._of_egg_info(item)
            case Kind.EGG_LINK:
                return self._of_egg_link(item, removal)
        raise _impossible(self.environment, item, "it was installed by a tool that wrote no list of its files")

    def shared(self, item: Installed, paths: set[str]) -> set[str]:
        """Those of *paths* that the RECORD of *item* lists, with their bytecode."""
        content = self._read(item, "RECORD") or b""
        return self._with_bytecode(self._resolved(item.library, read_record(content)) & paths)

    def existing(self, paths: Iterable[str]) -> list[str]:
        """Those of *paths* that are there, as files or links."""
        found = []
        for path in paths:
            folder, _, name = path.rpartition("/")
            if self._is_inside(folder) and name in self._list(folder) and not self._is_folder(path):
                found.append(path)
        return found

    def _of_dist_info(self, item: Installed) -> set[str]:
        content = self._read(item, "RECORD")
        if content is None:
            raise _impossible(self.environment, item, "its RECORD is missing")
        paths = self._with_bytecode(self._resolved(item.library, read_record(content)))
        # Other tools add to the folder without a row; what stays of it would still look installed.
        return paths | {f"{item.path}/{name}" for name in item.files}

    def _of_egg_info(self, item: Installed) -> set[str]:
        """``setup.py install --record``: paths relative to the metadata folder."""
        content = self._read(item, "installed-files.txt") or b""
        lines = [line for line in content.decode("utf-8", "surrogateescape").splitlines() if line.strip()]
        paths = self._with_bytecode(self._resolved(item.path, lines))
        return paths | {f"{item.path}/{name}" for name in item.files}

    def _of_egg_link(self, item: Installed, removal: Removal) -> set[str]:
        """``setup.py develop``: a file with the path of the source tree, and that path in ``easy-install.pth``."""
        place = self.environment.path(item.path)
        try:
            with open(system_path(place), encoding="utf-8") as file:
                target = file.readline().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise _impossible(self.environment, item, f"{place} cannot be read") from error
        table = f"{item.library}/{_EASY_INSTALL}"
        try:
            with open(system_path(self.environment.path(table)), "rb") as file:
                lines = file.read().splitlines(keepends=True)
        except FileNotFoundError:
            return {item.path}
        kept = [line for line in lines if line.strip().decode("utf-8", "surrogateescape") != target]
        if kept != lines:
            removal.edited[table] = b"".join(kept)
        return {item.path}

    def _read(self, item: Installed, name: str) -> bytes | None:
        place = self.environment.path(f"{item.path}/{name}")
        try:
            with open(system_path(place), "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _impossible(self.environment, item, f"{place} cannot be read: {error.strerror}") from error

    def _resolved(self, base: str, paths: Iterable[str]) -> set[str]:
        """Paths relative to *base* as paths relative to the root; those that lead out of it are refused."""
        found = set()
        for text in paths:
            path = self._from_root(base, text)
            if path is None or self._is_protected(path):
                self.refused.append(text)
            else:
                found.add(path)
        return found

    def _from_root(self, base: str, text: str) -> str | None:
        plain = text.replace("\\", "/") if os.sep == "\\" else text
        if os.path.isabs(text):
            # On Windows RECORD is absolute for another drive; elsewhere only broken tools write that.
            if not is_within(self.environment.root, text):
                return None
            plain, base = os.path.relpath(text, self.environment.root).replace(os.sep, "/"), ""
        path = posixpath.normpath(f"{base}/{plain}" if base else plain)
        if path == ".." or path.startswith(("../", "/")) or "\0" in path:
            return None
        return path if self._is_inside(path.rpartition("/")[0]) else None

    def _is_protected(self, path: str) -> bool:
        folder, _, name = path.rpartition("/")
        if folder == self.environment.parts["scripts"]:
            return is_protected_script(name)
        return path in {CONFIGURATION, "."}

    def _is_inside(self, folder: str) -> bool:
        """Whether *folder* really lies below the root, whatever links are on the way."""
        if (known := self._inside.get(folder)) is not None:
            return known
        above = self._is_inside(folder.rpartition("/")[0])
        place = self.environment.path(folder)
        inside = above and (not os.path.islink(place) or is_within(self._root, os.path.realpath(place)))
        self._inside[folder] = inside
        return inside

    def _with_bytecode(self, paths: set[str]) -> set[str]:
        """Add the bytecode that belongs to the Python files among *paths*, for every interpreter and optimisation."""
        stems: dict[str, set[str]] = {}
        for path in paths:
            if path.endswith(".py"):
                folder, _, name = path.rpartition("/")
                stems.setdefault(folder, set()).add(name[:-3])
        found = set(paths)
        for folder, names in stems.items():
            cache = f"{folder}/__pycache__" if folder else "__pycache__"
            found |= {f"{cache}/{name}" for name in self._list(cache) if source_stem(name) in names}
            # Before Python 3.2 it lay beside its source, and still does in folders without sources.
            beside = (f"{name}{ending}" for name in names for ending in (".pyc", ".pyo"))
            found |= {f"{folder}/{name}" if folder else name for name in beside if name in self._list(folder)}
        return found

    def _list(self, folder: str) -> frozenset[str]:
        if (names := self._names.get(folder)) is None:
            names = names_in(system_path(self.environment.path(folder))) or frozenset()
            self._names[folder] = names
        return names

    def _is_folder(self, path: str) -> bool:
        # Only what has no ending can be a folder that a RECORD lists by mistake; the rest is not asked.
        if "." in path.rpartition("/")[2]:
            return False
        return stat.S_ISDIR(os.lstat(system_path(self.environment.path(path))).st_mode)


def _tell_refused(environment: Environment, item: Installed, refused: list[str], sink: EventSink) -> None:
    shown = ", ".join(ascii(path) for path in refused[:_SHOWN])
    more = f" and {len(refused) - _SHOWN} more" if len(refused) > _SHOWN else ""
    text = f"the RECORD of {item} names {shown}{more}, which is no part of {environment.root} that may be removed"
    sink(SteppedDown(kind="outside-environment", message=f"{text}: left alone"))


def _impossible(environment: Environment, item: Installed, reason: str) -> TargetError:
    return TargetError(
        f"cannot remove {item} from {environment.root}: {reason}",
        code="uninstall-impossible",
        context=(f"its metadata is {environment.path(item.path)}",),
        hint="make the environment anew: remove its folder and run the command again",
    )
