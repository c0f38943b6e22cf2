"""An image: everything that a set of wheels puts into an environment, merged once for all environments of its kind.

::

    environment/<path>     what a set of wheels brings, at its path relative to the root, without scripts
    recipe.json            how scripts are made, whose first line names the environment; which rows of which RECORD
                           change with them; and what lies outside of the folders of modules

An image is a tree of a store. Its files are names of those of the wheels' entries where the file system can do that.
"""

from __future__ import annotations

import json
import os
from base64 import b64decode, b64encode
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..errors import StoreError
from ..fs._system import system_path
from ..fs.link import LinkEntry
from ..models import LinkMode
from .contents import CACHE_FOLDER, below, check_failed, join, make_folder, write_file
from .record import Row, row_of
from .scripts import shebang_token

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ..events import EventSink
    from ..fs.link import Linker
    from ..store.manifest import FileEntry
    from ..store.trees import TreeWriter, WheelTree
    from .environment import Environment
    from .placement import Placement, PreparedWheel

FORMAT = 1
CONTENT = "environment"
RECIPE = "recipe.json"
# A root that no environment has, whose path needs no quoting.
_NOWHERE = os.path.join(os.sep, "safe-install-image")


def build_image(
    writer: TreeWriter,
    wheels: Sequence[PreparedWheel],
    environment: Environment,
    *,
    installer_name: str,
    folds_case: bool,
    sink: EventSink,
) -> None:
    """Write the image of *wheels* with *writer*.

    Python scripts whose first line names the interpreter get no bytecode, which nothing would ever import.

    :param environment: one of the kind that the image is for.
    :param folds_case: as for `merge`.
    :raises IntegrityError: as `place` and `merge`.
    :raises StoreError: as `TreeWriter.add`.
    """
    from .merging import merge
    from .placement import place

    python = os.path.join(_NOWHERE, os.path.relpath(environment.python, environment.root))
    neutral = replace(environment, root=_NOWHERE, python=python)
    placements = [place(wheel, neutral, installer_name=installer_name) for wheel in wheels]
    merged = merge(placements, folds_case=folds_case, sink=sink)
    building = _Building(writer, neutral)
    for placement in merged.placements:
        building.add(placement)
    building.finish()


class _Building:
    """The work of `build_image`."""

    def __init__(self, writer: TreeWriter, environment: Environment) -> None:
        self._writer = writer
        self._environment = environment
        self._token = shebang_token(environment.python, environment.interpreter)
        self._scripts: list[list[Any]] = []
        self._records: list[list[Any]] = []
        self._outside: list[list[Any]] = []
        self._libraries = tuple(f"{library}/" for library in environment.libraries)

    def add(self, placement: Placement) -> None:
        """Add what one wheel brings."""
        tree = placement.wheel.tree.tree
        bytecode = self._bytecode(placement)
        for folder in placement.linked:
            for name, entry in folder.files.items():
                path = join(folder.target, name)
                if path not in bytecode:
                    self._link(path, tree / entry.path, entry)
        for path, (source, entry) in bytecode.items():
            self._link(path, source, entry)
        changing = []
        for file in placement.written:
            before, found, after = file.content.partition(self._token)
            if not found:
                self._writer.add(f"{CONTENT}/{file.path}", [file.content], executable=file.executable)
                assert file.path.startswith(self._libraries)  # metadata: all other files that are written are scripts
                continue
            number = len(self._scripts)
            self._scripts.append([file.path, _text(before), _text(after), file.executable])
            row = row_of(placement.relative(file.path), file.content)
            changing.append([number, *row])
        self._add_record(placement, sorted(bytecode), changing)

    def _link(self, path: str, source: Path, entry: FileEntry) -> None:
        self._writer.link(f"{CONTENT}/{path}", source, entry)
        if not path.startswith(self._libraries):
            self._outside.append([path, entry.executable])

    def _bytecode(self, placement: Placement) -> dict[str, tuple[Path, FileEntry]]:
        """Path in the environment to the file and the entry of each ``.pyc`` that was compiled of the wheel."""
        from .bytecode import bytecode_path

        cached = placement.wheel.bytecode
        if cached is None:
            return {}
        interpreter = self._environment.interpreter
        return {
            bytecode_path(join(folder.target, name), interpreter): (cached.tree / entry.path, entry)
            for folder, compiled in placement.bytecode(interpreter)
            for name, entry in compiled.items()
        }

    def _add_record(self, placement: Placement, bytecode: list[str], changing: list[list[Any]]) -> None:
        self._writer.add(f"{CONTENT}/{placement.record_path}", [placement.record(bytecode)], executable=False)
        if changing:
            self._records.append([placement.record_path, changing])

    def finish(self) -> None:
        """Write the recipe."""
        document = {
            "format": FORMAT,
            "scripts": self._scripts,
            "records": self._records,
            "outside": self._outside,
        }
        self._writer.add(RECIPE, [json.dumps(document).encode()], executable=False)


class ImageFilling:
    """Puts an image into a new environment. The caller undoes what an error leaves.

    :param place: the folder that is filled; it is *environment*'s root, or its staging folder.
    """

    def __init__(self, place: str, environment: Environment, image: WheelTree, linker: Linker) -> None:
        self.files = 0
        self.bytes = 0
        self._place = place
        self._environment = environment
        self._linker = linker
        self._tree = image.tree
        self._recipe = read_recipe(image.tree)
        self._folders: dict[str, list[LinkEntry]] = {}
        self._sizes: dict[str, dict[str, int]] = {}
        self._sort_files(image)

    def _sort_files(self, image: WheelTree) -> None:
        prefix = f"{CONTENT}/"
        changing = {f"{prefix}{path}" for path, _ in self._recipe["records"]}
        for entry in image.manifest.files:
            if entry.path.startswith(prefix) and entry.path not in changing:
                folder, _, name = entry.path.rpartition("/")
                folder = folder[len(prefix) :]
                if folder not in self._folders:
                    self._folders[folder], self._sizes[folder] = [], {}
                self._folders[folder].append(LinkEntry(name, entry.executable))
                self._sizes[folder][name] = entry.size
                if not folder.endswith(CACHE_FOLDER):
                    self.files += 1
                    self.bytes += entry.size

    def place_files(self) -> None:
        """Make all folders, and place every file but scripts and RECORDs that list them.

        :raises StoreError: as `Linker.link_files`.
        """
        place_folders(self._tree, self._folders, self._place, self._linker)

    def write_scripts(self) -> None:
        """Write what names the environment, and the RECORDs that list it.

        :raises StoreError: ``entry-damaged``: a RECORD cannot be read.
        """
        contents = write_scripts(self._recipe, self._place, self._environment)
        for path, changing in self._recipe["records"]:
            content = _read(self._tree, f"{CONTENT}/{path}")
            for script, *row in changing:
                old = Row(*row)
                content = content.replace(_line(old), _line(row_of(old.path, contents[script])), 1)
            write_file(below(self._place, path), content, executable=False)
            self.bytes += len(content)
        self.files += len(contents) + len(self._recipe["records"])
        self.bytes += sum(map(len, contents))

    def check(self) -> None:
        """As `Filling.check`.

        :raises TargetError: ``environment-check-failed``.
        """
        linked_only = set(self._linker.used) <= {LinkMode.HARDLINK}
        problems = []
        for folder, sizes in self._sizes.items():
            missing = set(sizes)
            with os.scandir(system_path(below(self._place, folder))) as found:
                for item in found:
                    missing.discard(item.name)
                    if not linked_only and item.name in sizes:
                        size = item.stat(follow_symlinks=False).st_size
                        if size != sizes[item.name]:
                            problems.append(f"{join(folder, item.name)} has {size} bytes, not {sizes[item.name]}")
            problems += [f"{join(folder, name)} is missing" for name in sorted(missing)]
        if problems:
            raise check_failed(self._environment.root, problems)


def read_recipe(tree: Path) -> dict[str, Any]:
    """Return the recipe of the image whose files lie in *tree*.

    :raises StoreError: ``entry-damaged``: it cannot be read.
    """
    recipe: dict[str, Any] = json.loads(_read(tree, RECIPE))
    return recipe


def place_folders(tree: Path, folders: Mapping[str, Sequence[LinkEntry]], place: str, linker: Linker) -> None:
    """Place files of an image in an environment, whose folders are made.

    :param folders: what to place, by folder, relative to the root.
    :raises StoreError: as `Linker.link_files`.
    """
    made = {""}
    source = str(tree / CONTENT)
    for folder, entries in folders.items():
        _make(place, folder, made)
        linker.link_files(below(source, folder), below(place, folder), entries)


def _make(place: str, folder: str, made: set[str]) -> None:
    if folder not in made:
        _make(place, folder.rpartition("/")[0], made)
        make_folder(below(place, folder))  # `lib` and `bin` are the environment's own
        made.add(folder)


def write_scripts(recipe: Mapping[str, Any], place: str, environment: Environment) -> list[bytes]:
    """Write the scripts of an image; return their contents.

    :raises StoreError: as `write_file`.
    """
    token = shebang_token(environment.python, environment.interpreter)
    contents = []
    for path, before, after, executable in recipe["scripts"]:
        contents.append(b64decode(before) + token + b64decode(after))
        write_file(below(place, path), contents[-1], executable=executable)
    return contents


def _read(tree: Path, path: str) -> bytes:
    try:
        with open(system_path(tree / path), "rb") as file:
            return file.read()
    except OSError as error:
        raise StoreError(f"could not read {tree / path}: {error.strerror}", code="entry-damaged") from error


def _line(row: Row) -> bytes:
    """A row as `csv` writes it, with its ending: paths with commas or quotes are quoted."""
    path = f'"{row.path.replace(chr(34), 2 * chr(34))}"' if set(row.path) & set(',"\r\n') else row.path
    return f"{path},{row.digest},{row.size}\r\n".encode("utf-8", "surrogateescape")


def _text(content: bytes) -> str:
    return b64encode(content).decode("ascii")
