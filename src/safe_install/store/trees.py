"""Unpacked wheels: writing one file by file, and checking one before it is used."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from ..errors import IntegrityError, StoreError
from ..fs._system import CREATE, is_ours, is_sealed, rights_below, seal, set_mode, system_path
from ..fs.failures import explain
from ..fs.hashing import content_time
from ..fs.remove import remove_file
from .manifest import FORMAT, FileEntry, Manifest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from ..models import Digest

_REMOVAL_BUDGET = 1.0  # seconds that a scanner may look at a file which nobody needs, on Windows

_CHUNK = 1 << 18
_READ_WRITE = os.O_RDWR | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)

TREE = "tree"
"""The folder of an entry that holds its files; the manifest lies beside it."""


class TreeWriter:
    """Writes the files of a wheel below ``folder/tree``, hashing them on the way.

    They are read-only and carry the time of their content, so that the tree can become an entry as it is. Names are
    taken as they are: the caller has refused those that leave the tree. For one thread.

    :param folder: exists; ``tree`` in it does not.
    :raises StoreError: the disk is full, or the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._tree = system_path(folder / TREE)
        self._folders = {""}
        self._files: list[FileEntry] = []
        try:
            self._folder_mode = rights_below(system_path(folder))[0]
            self._make_folder(self._tree)
        except OSError as error:
            raise explain(error, doing="make a folder", path=self._tree) from error

    def add(self, path: str, chunks: Iterable[bytes], *, executable: bool) -> FileEntry:
        """Write one file. Errors of *chunks* pass through; after any error nothing is left at *path*.

        :param path: relative to the tree, with ``/``.
        :raises IntegrityError: ``path-collision``: the name is taken, or one of its folders is a file.
        :raises StoreError: ``disk-full`` and the like.
        """
        place = self._place(path)
        digest = hashlib.sha256()
        size = 0
        descriptor = self._create(path, place)
        try:
            try:
                for chunk in chunks:
                    digest.update(chunk)
                    size += len(chunk)
                    self._write(descriptor, chunk, place)
                entry = FileEntry(path, size, digest.hexdigest(), executable)
                self._seal(descriptor, place, entry)
            finally:
                os.close(descriptor)
        except BaseException:
            remove_file(place, budget=_REMOVAL_BUDGET)
            raise
        self._files.append(entry)
        return entry

    def link(self, path: str, source: Path, entry: FileEntry) -> None:
        """Add a file of another entry under a name of its own; a copy of it where that cannot be. Errors as `add`.

        :param entry: what the file is; it is sealed. On Windows a name could not be removed while another is in use.
        :raises IntegrityError: ``entry-damaged``: it is not what *entry* says.
        """
        place = self._place(path)
        if os.name != "nt":
            try:
                os.link(system_path(source), place, follow_symlinks=False)
            except FileExistsError as error:
                raise _collision(path) from error
            except OSError:
                pass  # another device, as many names as there may be, somebody else's: whatever it is, a copy tells
            else:
                self._files.append(entry._replace(path=path))
                return
        if self.add(path, chunks_of(source), executable=entry.executable)[1:] != entry[1:]:
            raise IntegrityError(f"{source} is not what its entry says", code="entry-damaged")

    def reserve(self, path: str) -> str:
        """Make the folders of a file that somebody else writes; return its absolute path. Errors as `add`."""
        return self._place(path)

    def take(self, path: str) -> FileEntry:
        """Hash and seal a file that was written at the place `reserve` gave. Errors as `add`."""
        place = self._place(path)
        try:
            descriptor = os.open(place, _READ_WRITE)
            with open(descriptor, "rb", buffering=0) as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                entry = FileEntry(path, os.fstat(descriptor).st_size, digest, executable=False)
                self._seal(descriptor, place, entry)
        except OSError as error:
            raise explain(error, doing="read a file", path=place) from error
        self._files.append(entry)
        return entry

    def finish(self, *, digest: Digest, filename: str) -> Manifest:
        """Return the manifest of all that was added; nothing may be added afterwards.

        :param digest: SHA-256 of the wheel file; :param filename: its name.
        """
        return Manifest(FORMAT, digest, filename, tuple(sorted(self._files)))

    def _place(self, path: str) -> str:
        self._ensure_folder(path.rpartition("/")[0])
        return os.path.join(self._tree, *path.split("/")) if os.sep != "/" else f"{self._tree}/{path}"

    def _ensure_folder(self, folder: str) -> None:
        if folder in self._folders:
            return
        self._ensure_folder(folder.rpartition("/")[0])
        place = os.path.join(self._tree, *folder.split("/"))
        try:
            self._make_folder(place)
        except (FileExistsError, NotADirectoryError) as error:
            raise _collision(folder) from error
        except OSError as error:
            raise explain(error, doing="make a folder", path=place) from error
        self._folders.add(folder)

    def _make_folder(self, place: str) -> None:
        os.mkdir(place, 0o700)
        set_mode(place, self._folder_mode)

    def _create(self, path: str, place: str) -> int:
        try:
            return os.open(place, CREATE, 0o600)
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
            raise _collision(path) from error
        except OSError as error:
            raise explain(error, doing="make a file", path=place) from error

    def _write(self, descriptor: int, chunk: bytes, place: str) -> None:
        view = memoryview(chunk)
        try:
            while view:
                view = view[os.write(descriptor, view) :]
        except OSError as error:
            raise explain(error, doing="write a file", path=place) from error

    def _seal(self, descriptor: int, place: str, entry: FileEntry) -> None:
        try:
            seal(descriptor, place, executable=entry.executable, time=content_time(entry.sha256))
        except OSError as error:
            raise explain(error, doing="set mode and time of a file", path=place) from error


def chunks_of(path: Path) -> Iterator[bytes]:
    """Yield the content of a file of an entry.

    :raises StoreError: ``entry-vanished``, or it cannot be read.
    """
    try:
        with open(system_path(path), "rb", buffering=0) as file:
            while chunk := file.read(_CHUNK):
                yield chunk
    except FileNotFoundError as error:
        raise StoreError(f"{path} is gone from its store", code="entry-vanished") from error
    except OSError as error:
        raise explain(error, doing="read an entry of the store", path=path) from error


def _collision(path: str) -> IntegrityError:
    return IntegrityError(f"two files of the archive want the place `{path}`", code="path-collision")


class Difference(NamedTuple):
    """One difference between a tree and its manifest, as a phrase.

    :param entry: of the file, when only its time or mode differs, so that its content may be right.
    """

    problem: str
    entry: FileEntry | None = None


@dataclass(slots=True)
class Survey:
    """What was found about a tree without reading content. :param foreign: whether others own a file of it."""

    differences: list[Difference] = field(default_factory=list)
    foreign: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelTree:
    """An unpacked wheel: an entry of a store, or an unshared tree in scratch.

    :param folder: holds ``tree`` and, in a store, ``manifest.json``.
    :param modes: whether the file system keeps the modes that files are given.
    :param runs: whether modules are imported from where they are, so that Python may write bytecode of its own there.
    """

    digest: Digest
    folder: Path
    manifest: Manifest = field(repr=False)
    modes: bool = True
    runs: bool = False

    @property
    def tree(self) -> Path:
        """The folder that holds its files."""
        return self.folder / TREE

    def damage(self) -> list[str]:
        """Compare path set, size, time and mode of every file with the manifest; return what differs, as phrases.

        No content is read. Takes about 3 µs a file.
        """
        try:
            return [each.problem for each in self.survey().differences]
        except OSError as error:
            return [f"cannot be read: {error.strerror}"]

    def survey(self) -> Survey:
        """As `damage`, with more to know.

        :raises OSError: a folder of it cannot be read.
        """
        expected = {entry.path: entry for entry in self.manifest.files}
        survey = Survey()
        self._compare(system_path(self.tree), "", expected, survey)
        survey.differences += [Difference(f"{path} is missing") for path in expected]
        return survey

    def _compare(self, folder: str, prefix: str, expected: dict[str, FileEntry], survey: Survey) -> None:
        """Take every file below *folder* out of *expected*, and tell those that differ or are not in it."""
        with os.scandir(folder) as found:
            for item in found:
                path = prefix + item.name
                if item.is_dir(follow_symlinks=False):
                    self._compare(item.path, path + "/", expected, survey)
                elif (entry := expected.pop(path, None)) is None:
                    if self.runs and prefix.endswith("__pycache__/"):
                        continue
                    survey.differences.append(Difference(f"{path} does not belong to it"))
                else:
                    state = item.stat(follow_symlinks=False)
                    survey.foreign = survey.foreign or not is_ours(state)
                    if (difference := self._difference(entry, state)) is not None:
                        survey.differences.append(difference)

    def _difference(self, entry: FileEntry, state: os.stat_result) -> Difference | None:
        if not stat.S_ISREG(state.st_mode):
            return Difference(f"{entry.path} is no regular file")
        if state.st_size != entry.size:
            return Difference(f"{entry.path} has {state.st_size} bytes instead of {entry.size}")
        if state.st_mtime_ns != content_time(entry.sha256):
            return Difference(f"{entry.path} was changed", entry)
        if self.modes and not is_sealed(state, executable=entry.executable):
            return Difference(f"{entry.path} has the mode {stat.filemode(state.st_mode)}", entry)
        return None
