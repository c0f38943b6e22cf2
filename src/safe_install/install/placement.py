"""Where the files of an unpacked wheel go in an environment. Reads the few files that decide it, and writes nothing.

The rules are those of the binary distribution format (spreading ``.data`` over the scheme, rewriting ``#!python``,
commands from entry points), with pip's answers where it leaves a choice.
"""

from __future__ import annotations

import json
import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import IntegrityError, StoreError
from ..fs._system import system_path
from .bytecode import bytecode_path
from .entry_points import is_protected_script, parse_entry_points
from .environment import ATTACHED, CONFIGURATION, INNER_LOCK, JOURNAL_FOLDER
from .record import Row, installed_record, row_of
from .scripts import commands, is_command, with_shebang

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from packaging.utils import NormalizedName

    from ..models import Interpreter, Pin
    from ..store.manifest import FileEntry
    from ..store.trees import WheelTree
    from .entry_points import EntryPoint
    from .environment import Environment

_RESERVED_IN_ROOT = frozenset({CONFIGURATION, JOURNAL_FOLDER, INNER_LOCK, ATTACHED})


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedWheel:
    """A wheel that is ready to be installed.

    :param direct_url: what ``direct_url.json`` shall say (PEP 610); None when an index chose the wheel.
    :param bytecode: that of its Python files, below ``__pycache__`` folders beside where they are; None where it is
        made in the environment.
    """

    pin: Pin
    tree: WheelTree
    bytecode: WheelTree | None = None
    direct_url: Mapping[str, Any] | None = None

    @property
    def name(self) -> NormalizedName:
        """The normalized name of its project."""
        return self.pin.name

    def __str__(self) -> str:
        return self.tree.manifest.filename


class WrittenFile(NamedTuple):
    """A file that is the environment's own. :param path: relative to the root."""

    path: str
    content: bytes
    executable: bool


class LinkedFolder(NamedTuple):
    """Files of one folder of a wheel that go to one folder of the environment.

    :param source: relative to the wheel's tree; :param target: relative to the root.
    :param files: by name, without any folder.
    """

    source: str
    target: str
    files: dict[str, FileEntry]


@dataclass(slots=True, kw_only=True)
class Placement:
    """What one wheel brings. All paths are relative, with ``/``.

    :param library: the folder of its modules, relative to the root; RECORD is relative to it.
    :param record_path: of its RECORD, which is written last, relative to the root.
    :param linked: and *written*: what is to be placed. What another wheel brings instead is taken out (`merging`),
        but goes on being listed in RECORD, as with pip.
    :param sources: the Python files that it brings, relative to the root.
    """

    wheel: PreparedWheel
    library: str
    record_path: str
    linked: list[LinkedFolder]
    written: list[WrittenFile]
    sources: Sequence[str]
    _own: Sequence[Row]
    _dist_info: str
    _moved: dict[str, str]
    _unlisted: Sequence[str]

    def record(self, bytecode: Iterable[str]) -> bytes:
        """Return the content of the installed RECORD.

        :param bytecode: paths of ``.pyc``, relative to the root.
        :raises StoreError: ``entry-damaged``: the wheel's RECORD cannot be read any more.
        """
        unhashed = [_relative_to(self.library, path) for path in bytecode]
        # Read when it is wanted: those of all wheels together take megabytes.
        record = _text(_read(self.wheel, f"{self._dist_info}/RECORD"))
        return installed_record(record, moved=self._moved, own=self._own, unhashed=unhashed, unlisted=self._unlisted)

    def relative(self, path: str) -> str:
        """Return a path relative to the root as RECORD has it."""
        return _relative_to(self.library, path)

    def bytecode(self, interpreter: Interpreter) -> Iterator[tuple[LinkedFolder, dict[str, FileEntry]]]:
        """Yield each folder with Python files that are still to be linked, and what was compiled of them, by name."""
        compiled = self.wheel.bytecode
        there = {entry.path: entry for entry in compiled.manifest.files} if compiled is not None else {}
        for folder in self.linked:
            names = [name for name in folder.files if name.endswith(".py")]
            paths = {name: bytecode_path(_join(folder.source, name), interpreter) for name in names}
            if names:
                yield folder, {name: there[path] for name, path in paths.items() if path in there}


def place(wheel: PreparedWheel, environment: Environment, *, installer_name: str) -> Placement:
    """Work out where everything in *wheel* goes.

    :param installer_name: the content of INSTALLER, without newline.
    :raises IntegrityError: ``wheel-data``: a file of ``.data`` is for no known scheme; ``replaces-environment``: a
        file would replace the interpreter, ``pyvenv.cfg`` or a file of ours; ``wheel-dist-info``: there is none.
    :raises StoreError: ``entry-damaged``: a file of the tree cannot be read.
    """
    return _Placing(wheel, environment, installer_name).run()


class _Placing:
    """The work of `place` on one wheel."""

    def __init__(self, wheel: PreparedWheel, environment: Environment, installer_name: str) -> None:
        self.wheel = wheel
        self.environment = environment
        self.installer_name = installer_name
        self.folders = _by_folder(wheel.tree.manifest.files)
        self.dist_info = self._dist_info()
        self.library = self._library()
        self.linked: list[LinkedFolder] = []
        self.written: list[WrittenFile] = []
        self.moved: dict[str, str] = {}

    def run(self) -> Placement:
        points = self._entry_points()
        names = frozenset(point.name for point in points)
        # `.data` comes after the rest and commands come last: of two files for one path the later one stays (pip).
        data = [source for source in self.folders if source.partition("/")[0].endswith(".data")]
        for source, files in self.folders.items():
            if source == self.dist_info:
                self._place_metadata(files)
            elif source not in data:
                self.linked.append(LinkedFolder(source, _join(self.library, source), files))
        for source in data:
            self._place_data(source, self.folders[source], names)
        sources = self._sources()
        scripts = self.environment.parts["scripts"]
        for script in commands(points, self.environment.python, self.environment.interpreter):
            self.written.append(WrittenFile(_join(scripts, script.name), script.content, executable=True))
        if data or self.written:
            self._drop_earlier()
        self._refuse_protected()
        return Placement(
            wheel=self.wheel,
            library=self.library,
            record_path=_join(self.library, f"{self.dist_info}/RECORD"),
            linked=self.linked,
            written=self.written,
            sources=sources,
            _own=[row_of(_relative_to(self.library, file.path), file.content) for file in self.written],
            _dist_info=self.dist_info,
            _moved=self.moved,
            _unlisted=self._signatures(),
        )

    def _dist_info(self) -> str:
        found = [folder for folder in self.folders if folder.endswith(".dist-info") and "/" not in folder]
        if len(found) != 1:
            raise self._refused("wheel-dist-info", f"it has {len(found)} .dist-info folders instead of one")
        return found[0]

    def _library(self) -> str:
        headers = _text(_read(self.wheel, f"{self.dist_info}/WHEEL")).splitlines()
        values = [line.partition(":")[2].strip() for line in headers if line.lower().startswith("root-is-purelib:")]
        return self.environment.parts["purelib" if values[:1] == ["true"] else "platlib"]

    def _entry_points(self) -> list[EntryPoint]:
        if "entry_points.txt" not in self.folders[self.dist_info]:
            return []
        path = f"{self.dist_info}/entry_points.txt"
        return parse_entry_points(_text(_read(self.wheel, path)), filename=f"{self.wheel}: {path}")

    def _sources(self) -> list[str]:
        found = [_join(folder.target, name) for folder in self.linked for name in folder.files if name.endswith(".py")]
        found += [file.path for file in self.written if file.path.endswith(".py")]
        return list(dict.fromkeys(found))

    def _drop_earlier(self) -> None:
        """Of the files that the wheel itself brings for one path, keep the last."""
        written = {file.path: file for file in self.written}
        self.written = list(written.values())
        taken: dict[str, set[str]] = {}
        for path in written:
            folder_name, _, name = path.rpartition("/")
            taken.setdefault(folder_name, set()).add(name)
        kept = []
        for folder in reversed(self.linked):
            names = taken.setdefault(folder.target, set())
            files = {name: entry for name, entry in folder.files.items() if name not in names}
            names.update(files)
            kept.append(LinkedFolder(folder.source, folder.target, files))
        self.linked = kept[::-1]

    def _place_metadata(self, files: dict[str, FileEntry]) -> None:
        """The metadata of the wheel, and what an installer adds to it."""
        own = {"INSTALLER": f"{self.installer_name}\n".encode()}
        if self.wheel.direct_url is not None:
            own["direct_url.json"] = json.dumps(self.wheel.direct_url, sort_keys=True).encode()
        if self.wheel.pin.requested:
            own["REQUESTED"] = b""
        target = _join(self.library, self.dist_info)
        self.written += [WrittenFile(f"{target}/{name}", content, executable=False) for name, content in own.items()]
        kept = {name: entry for name, entry in files.items() if name not in own and name != "RECORD"}
        self.linked.append(LinkedFolder(self.dist_info, target, kept))

    def _place_data(self, source: str, files: dict[str, FileEntry], names: frozenset[str]) -> None:
        """Spread a folder of ``.data`` over the scheme."""
        _, _, inner = source.partition("/")
        key, _, rest = inner.partition("/")
        if key not in self.environment.parts:
            raise self._refused("wheel-data", f"the folder {source!a} is for no scheme that an environment has")
        target = _join(self.environment.parts[key], rest)
        if key == "headers":
            # pip spells the name as whoever asked for it did; a lock, and so we, in its normalized form.
            target = _join(_join(self.environment.parts[key], self.wheel.name), rest)
        if key == "scripts":
            files = {name: entry for name, entry in files.items() if self._is_linked_script(name, entry, target, names)}
        for name, entry in files.items():
            self._move(entry.path, _join(target, name))
        if files:
            self.linked.append(LinkedFolder(source, target, files))

    def _is_linked_script(self, name: str, entry: FileEntry, target: str, names: frozenset[str]) -> bool:
        """Whether a script is installed as it is; if it names its interpreter, it is written anew here."""
        if is_command(name, names):
            return False
        start = _read(self.wheel, entry.path, limit=8)
        if start != b"#!python":
            return True
        environment = self.environment
        content = with_shebang(_read(self.wheel, entry.path), environment.python, environment.interpreter)
        assert content is not None
        path = _join(target, name)
        self._move(entry.path, path)
        self.written.append(WrittenFile(path, content, entry.executable))
        return False

    def _move(self, path: str, target: str) -> None:
        self.moved[path] = _relative_to(self.library, target)

    def _signatures(self) -> list[str]:
        """What RECORD may leave out: its own signatures, and itself in some wheels."""
        names = ("RECORD", "RECORD.jws", "RECORD.p7s")
        return [f"{self.dist_info}/{name}" for name in names if name in self.folders[self.dist_info]]

    def _refuse_protected(self) -> None:
        """Nothing that a wheel brings may replace the interpreter or what makes the folder an environment."""
        scripts = self.environment.parts["scripts"]
        found = [file.path for file in self.written]
        for folder in self.linked:
            if folder.target in {"", scripts}:
                found += [_join(folder.target, name) for name in folder.files]
        for path in found:
            folder_name, _, name = path.rpartition("/")
            in_root = folder_name == "" and name.lower() in _RESERVED_IN_ROOT
            if in_root or (folder_name == scripts and is_protected_script(name)):
                raise self._refused("replaces-environment", f"it would replace {path!a} of the environment")

    def _refused(self, code: str, reason: str) -> IntegrityError:
        return IntegrityError(f"refused {self.wheel}: {reason}", code=code)


def _read(wheel: PreparedWheel, path: str, limit: int = -1) -> bytes:
    place = wheel.tree.tree / path
    try:
        with open(system_path(place), "rb") as file:
            return file.read(limit)
    except OSError as error:
        raise StoreError(f"could not read {place}: {error.strerror}", code="entry-damaged") from error


def _text(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")


def _by_folder(files: Iterable[FileEntry]) -> dict[str, dict[str, FileEntry]]:
    folders: dict[str, dict[str, FileEntry]] = {}
    for entry in files:
        folder, _, name = entry.path.rpartition("/")
        folders.setdefault(folder, {})[name] = entry
    return folders


def _relative_to(library: str, path: str) -> str:
    prefix = f"{library}/"
    return path[len(prefix) :] if path.startswith(prefix) else posixpath.relpath(path, library or ".")


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder and name else folder or name
