"""An image: everything that a set of wheels puts into an environment, merged once for all environments of its kind.

::

    environment/<path>     what is the same wherever the environment lies, at its path relative to the root
    records/<number>       the RECORD of a wheel that has scripts
    recipe.json            how scripts are made, whose first line names the environment, and which of their rows change

An image is a tree of a store. Its files are names of those of the wheels' entries where the file system can do that.
"""

from __future__ import annotations

import json
import os
from base64 import b64decode, b64encode
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import StoreError
from ..fs._system import system_path
from ..fs.link import LinkEntry
from ..models import LinkMode
from .bytecode import CACHE_FOLDER
from .contents import below, check_failed, join, make_folder, write_file
from .record import Row, row_of
from .scripts import shebang_token

if TYPE_CHECKING:
    from collections.abc import Sequence
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
_RECORDS = "records"
# A root that no environment has, whose path needs no quoting.
_NOWHERE = os.path.join(os.sep, "safe-install-image")


class Script(NamedTuple):
    """A file that names the environment's interpreter: what stands before and after that name."""

    path: str
    before: bytes
    after: bytes
    executable: bool

    def content(self, token: bytes) -> bytes:
        """Return it for one interpreter."""
        return self.before + token + self.after


def build_image(
    writer: TreeWriter,
    wheels: Sequence[PreparedWheel],
    environment: Environment,
    *,
    installer_name: str,
    folds_case: bool,
    sink: EventSink,
) -> bool:
    """Write the image of *wheels* with *writer*; return False where they need something that an image cannot have.

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
    if any(file.path.endswith(".py") for placement in placements for file in placement.written):
        return False  # compiled in the environment, like everything that is written there
    building = _Building(writer, neutral)
    for placement in merged.placements:
        building.add(placement)
    building.finish()
    return True


class _Building:
    """The work of `build_image`."""

    def __init__(self, writer: TreeWriter, environment: Environment) -> None:
        self._writer = writer
        self._environment = environment
        self._token = shebang_token(environment.python, environment.interpreter)
        self._scripts: list[list[Any]] = []
        self._records: list[list[Any]] = []

    def add(self, placement: Placement) -> None:
        """Add what one wheel brings."""
        tree = placement.wheel.tree.tree
        bytecode = self._bytecode(placement)
        for folder in placement.linked:
            for name, entry in folder.files.items():
                path = join(folder.target, name)
                if path not in bytecode:
                    self._writer.link(f"{CONTENT}/{path}", tree / entry.path, entry)
        for path, (source, entry) in bytecode.items():
            self._writer.link(f"{CONTENT}/{path}", source, entry)
        changing = []
        for file in placement.written:
            before, found, after = file.content.partition(self._token)
            if not found:
                self._writer.add(f"{CONTENT}/{file.path}", [file.content], executable=file.executable)
                continue
            number = len(self._scripts)
            self._scripts.append([file.path, _text(before), _text(after), file.executable])
            row = row_of(placement.relative(file.path), file.content)
            changing.append([number, *row])
        self._add_record(placement, sorted(bytecode), changing)

    def _bytecode(self, placement: Placement) -> dict[str, tuple[Path, FileEntry]]:
        """Path in the environment to the file and the entry of each ``.pyc`` that was compiled of the wheel."""
        cached = placement.wheel.bytecode
        if cached is None:
            return {}
        return {
            path: (cached.tree / entry.path, entry)
            for path, entry in placement.bytecode_paths(self._environment.interpreter)
        }

    def _add_record(self, placement: Placement, bytecode: list[str], changing: list[list[Any]]) -> None:
        content = placement.record(bytecode)
        if not changing:
            self._writer.add(f"{CONTENT}/{placement.record_path}", [content], executable=False)
            return
        number = len(self._records)
        self._writer.add(f"{_RECORDS}/{number}", [content], executable=False)
        self._records.append([placement.record_path, changing])

    def finish(self) -> None:
        """Write the recipe."""
        document = {"format": FORMAT, "scripts": self._scripts, "records": self._records}
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
        self._image = image
        self._linker = linker
        self._folders: dict[str, list[LinkEntry]] = {}
        self._sizes: dict[str, dict[str, int]] = {}
        self._sort_files()

    def _sort_files(self) -> None:
        prefix = f"{CONTENT}/"
        for entry in self._image.manifest.files:
            if entry.path.startswith(prefix):
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
        """Make all folders, and place every file but scripts and RECORDs that name them.

        :raises StoreError: as `Linker.link_files`.
        """
        made = {""}
        source = str(self._image.tree / CONTENT)
        for folder, entries in self._folders.items():
            self._make(folder, made)
            self._linker.link_files(below(source, folder), below(self._place, folder), entries)

    def _make(self, folder: str, made: set[str]) -> None:
        if folder in made:
            return
        self._make(folder.rpartition("/")[0], made)
        make_folder(below(self._place, folder))  # `lib` and `bin` are the environment's own
        made.add(folder)

    def write_scripts(self) -> None:
        """Write what names the environment, and the RECORDs that list it.

        :raises StoreError: ``entry-damaged``: the recipe cannot be read.
        """
        recipe = json.loads(self._read(RECIPE))
        token = shebang_token(self._environment.python, self._environment.interpreter)
        contents = []
        for path, before, after, executable in recipe["scripts"]:
            script = Script(path, b64decode(before), b64decode(after), executable)
            contents.append(script.content(token))
            self._write(path, contents[-1], executable=executable)
        for number, (path, changing) in enumerate(recipe["records"]):
            content = self._read(f"{_RECORDS}/{number}")
            for script, *row in changing:
                old = Row(*row)
                content = content.replace(_line(old), _line(row_of(old.path, contents[script])), 1)
            self._write(path, content, executable=False)

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

    def _read(self, path: str) -> bytes:
        place = self._image.tree / path
        try:
            with open(system_path(place), "rb") as file:
                return file.read()
        except OSError as error:
            raise StoreError(f"could not read {place}: {error.strerror}", code="entry-damaged") from error

    def _write(self, path: str, content: bytes, *, executable: bool) -> None:
        write_file(below(self._place, path), content, executable=executable)
        self.files += 1
        self.bytes += len(content)


def _line(row: Row) -> bytes:
    """A row as `csv` writes it, with its ending: paths with commas or quotes are quoted."""
    path = f'"{row.path.replace(chr(34), 2 * chr(34))}"' if set(row.path) & set(',"\r\n') else row.path
    return f"{path},{row.digest},{row.size}\r\n".encode("utf-8", "surrogateescape")


def _text(content: bytes) -> str:
    return b64encode(content).decode("ascii")
