"""What is checked of an entry at each use (design promise 5).

The paths, sizes, modes and times of all files, against the manifest. Their content is read as well when that proves
too little:

- on a network file system, where others write, and of files that another user owns;
- once per boot, since a crash can leave files of full size that hold zeros. What was written or hashed since this
  system was booted is noted below ``checked/<boot>/``, so that it is hashed once; a note that is lost costs the time of
  another reading;
- of files with another mode or time than they were given: a ``chmod -R`` or ``touch`` in an environment reaches files
  that are shared by hard links. When their content is right, mode and time are put back.

That finds accidents, and the work of jobs that mean no harm. It is no defence against somebody who may write the store.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from ..errors import IntegrityError
from ..events import Touched
from ..fs._system import boot_name, is_damage, is_ours, is_sealed, seal, set_mode, system_path
from ..fs.filesystem import is_network
from ..fs.hashing import content_time
from ..models import Verification
from .boot_notes import Notes
from .layout import MANIFEST

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from ..events import EventSink
    from ..models import Digest
    from .layout import Layout
    from .manifest import FileEntry
    from .trees import Survey, WheelTree

T = TypeVar("T")

_READ = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
# Below this many bytes, starting threads takes longer than they save.
_WORTH_THREADS = 1 << 23
_MOST_THREADS = 4
_KEPT_PROBLEMS = 20


def damaged(path: Path, problems: Sequence[str]) -> IntegrityError:
    """Return the error for a damaged entry. :param problems: as phrases, at least one."""
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return IntegrityError(
        f"{path} is damaged: {problems[0]}{more}", code="entry-damaged", context=tuple(problems[:_KEPT_PROBLEMS])
    )


@dataclass(slots=True, kw_only=True)
class Checks:
    """How one process checks what it uses, in all its layers.

    :param mode: as in ``--verify``.
    :param job: URL of the job, for what is found damaged.
    :param notes: of the first layer that can be written, for entries of those that cannot.
    """

    mode: Verification = Verification.SIZE
    job: str | None = None
    boot: str | None = field(default_factory=boot_name)
    notes: Notes | None = None


class Checker:
    """Checks the entries of one store.

    :param writable: whether modes and times may be put back, and notes be kept in this store.
    :param modes: whether the file system keeps modes.
    :param look_only: tell of wrong modes and times as if they had been put back, and leave them.
    """

    def __init__(
        self,
        layout: Layout,
        checks: Checks,
        *,
        writable: bool,
        modes: bool,
        sink: EventSink,
        look_only: bool = False,
    ) -> None:
        self._look_only = look_only
        self._layout = layout
        self._checks = checks
        self._writable = writable
        self._modes = modes
        self._sink = sink
        self._notes = Notes(layout, checks.boot)
        self._remote: bool | None = None
        if writable and checks.notes is None:
            checks.notes = self._notes

    def tree(self, tree: WheelTree) -> None:
        """Check a wheel, or what was made of one.

        :raises IntegrityError: ``entry-damaged``.
        :raises OSError: it cannot be told now.
        """
        if self._checks.mode is Verification.NONE:
            return
        survey = self._survey(tree)
        if problems := [each.problem for each in survey.differences if each.entry is None]:
            raise damaged(tree.folder, problems)
        changed = [each.entry for each in survey.differences if each.entry is not None]
        name, foreign = self._note_of(tree)
        read_all = (
            self._checks.mode is Verification.FULL
            or foreign
            or survey.foreign
            or self._is_remote()
            or not self._has(name)
        )
        suspects = set(changed)
        problems = self._problems(tree, changed, restore=not self._look_only)
        if read_all and not problems:
            problems = self._problems(tree, [each for each in tree.manifest.files if each not in suspects])
        if problems:
            raise damaged(tree.folder, problems)
        if changed:
            self._tell_touched(tree.folder, tree.manifest.filename, len(changed))
        if read_all:
            self._add(name)

    def was_checked_today(self, folder: Path) -> bool:
        """Whether `tree` found the entry *folder* whole since this boot and today.

        :raises OSError: it is not there.
        """
        return self._has(self._note_of_today(folder))

    def note_today(self, folder: Path) -> None:
        """Remember that `tree` found the entry *folder* whole."""
        self._add(self._note_of_today(folder))

    def note(self, tree: WheelTree) -> None:
        """Remember that the content of *tree* was written or read just now."""
        try:
            name, _ = self._note_of(tree)
        except OSError:
            return  # it is gone already
        self._add(name)

    def file(self, path: Path, digest: Digest) -> Path:
        """Check a file, whose content is always read: it is used once where a wheel is used many times.

        :raises IntegrityError: ``entry-damaged``.
        :raises OSError: it cannot be told now.
        """
        place = system_path(path)
        state = os.lstat(place)
        if not stat.S_ISREG(state.st_mode):
            raise damaged(path, ["it is no regular file"])
        if self._checks.mode is Verification.NONE:
            return path
        self._check_file(path, digest, state)
        return path

    def readable(self, path: Path, read: Callable[[Path], T]) -> T:
        """Return what *read* makes of a manifest, document or page, which gets back the right to be read if it lost it.

        :raises IntegrityError: ``entry-damaged``: *read* says so, or the disk lost it.
        """
        try:
            try:
                return read(path)
            except PermissionError:
                folder = path.name == MANIFEST and self.make_readable(path.parent)
                if not self.make_readable(path) and not folder:
                    raise
                return read(path)
        except IntegrityError as error:
            raise damaged(path, [error.message]) from error
        except (NotADirectoryError, IsADirectoryError) as error:
            raise damaged(path, ["it is no file in a folder"]) from error
        except OSError as error:
            if is_damage(error):
                raise damaged(path, [f"it cannot be read: {error.strerror}"]) from error
            raise

    def make_readable(self, path: Path) -> bool:
        """Give a file or folder of ours the rights to be read that it lost; return whether there is hope now."""
        try:
            state = os.lstat(system_path(path))
            if not self._writable or not is_ours(state) or stat.S_ISLNK(state.st_mode):
                return False
            wanted = stat.S_IMODE(state.st_mode) | (0o700 if stat.S_ISDIR(state.st_mode) else 0o444)
            if wanted == stat.S_IMODE(state.st_mode):
                return False
            set_mode(system_path(path), wanted)
        except OSError:
            return False
        self._tell_touched(path, path.name, 1)
        return True

    # Wheels

    def _survey(self, tree: WheelTree) -> Survey:
        """Survey it, with folders made readable that are not: one after the other, since each hides those in it."""
        while True:
            try:
                return tree.survey()
            except FileNotFoundError as error:
                if not os.path.lexists(system_path(tree.folder)):
                    raise
                raise damaged(tree.folder, [f"{error.filename} is missing"]) from error
            except NotADirectoryError as error:
                raise damaged(tree.folder, [f"{error.filename} is no folder"]) from error
            except PermissionError as error:
                if not self.make_readable(tree.folder.__class__(error.filename)):
                    raise
            except OSError as error:
                if is_damage(error):
                    raise damaged(tree.folder, [f"{error.filename} cannot be read: {error.strerror}"]) from error
                raise

    def _problems(self, tree: WheelTree, entries: Sequence[FileEntry], *, restore: bool = False) -> list[str]:
        """Read files, and (*restore*) put mode and time of those back that are right."""
        top = system_path(tree.tree)

        def check(entry: FileEntry) -> str | None:
            place = os.path.join(top, *entry.path.split("/"))
            problem = self._content_problem(place, entry.sha256, executable=entry.executable, restore=restore)
            return f"{entry.path} {problem}" if problem else None

        workers = min(_MOST_THREADS, os.cpu_count() or 1)
        if workers > 1 and sum(entry.size for entry in entries) >= _WORTH_THREADS:
            from concurrent.futures import ThreadPoolExecutor

            with ThreadPoolExecutor(workers) as pool:
                found = list(pool.map(check, entries))
        else:
            found = list(map(check, entries))
        return [problem for problem in found if problem is not None]

    def _content_problem(self, place: str, sha256: str, *, executable: bool, restore: bool) -> str | None:
        try:
            descriptor = self._open(place, executable=executable)
        except FileNotFoundError:
            return "is missing"
        except OSError as error:
            if isinstance(error, PermissionError) or is_damage(error):
                return f"cannot be read: {error.strerror}"
            raise
        with open(descriptor, "rb", buffering=0) as file:
            before = os.fstat(descriptor)
            try:
                found = hashlib.file_digest(file, "sha256").hexdigest()
            except OSError as error:
                if is_damage(error):
                    return f"cannot be read: {error.strerror}"
                raise
            if found != sha256:
                return "has other content"
            if restore and not self._restore(descriptor, place, before, sha256, executable=executable):
                return "has another mode or time than it was given, which cannot be put back"
        return None

    def _open(self, place: str, *, executable: bool) -> int:
        try:
            return os.open(place, _READ)
        except PermissionError:
            if not self._writable or not is_ours(os.lstat(place)):
                raise
            set_mode(place, 0o555 if executable else 0o444)
            return os.open(place, _READ)

    def _restore(self, descriptor: int, place: str, before: os.stat_result, sha256: str, *, executable: bool) -> bool:
        now = os.fstat(descriptor)
        # Somebody who still writes would have us seal what we did not read.
        if not self._writable or (now.st_mtime_ns, now.st_size) != (before.st_mtime_ns, before.st_size):
            return False
        wanted = content_time(sha256)
        try:
            seal(descriptor, place, executable=executable, time=wanted)
        except OSError:
            return False
        state = os.fstat(descriptor)
        return state.st_mtime_ns == wanted and (not self._modes or is_sealed(state, executable=executable))

    # Files

    def _check_file(self, path: Path, digest: Digest, state: os.stat_result) -> None:
        place = system_path(path)
        changed = state.st_mtime_ns != content_time(digest) or (self._modes and not is_sealed(state, executable=False))
        if problem := self._content_problem(place, digest, executable=False, restore=False):
            if not os.path.lexists(place):
                raise FileNotFoundError(2, "removed meanwhile", place)
            raise damaged(path, [f"it {problem}"])
        # Nobody links it, so nothing is wrong with it where its mode cannot be put back.
        if changed and self._writable and not self._content_problem(place, digest, executable=False, restore=True):
            self._tell_touched(path, path.name, 1)

    def _tell_touched(self, path: Path, what: str, files: int) -> None:
        self._sink(Touched(what=what, entry=self._layout.entry_name(path), files=files))

    # Notes

    def _note_of(self, tree: WheelTree) -> tuple[str, bool]:
        """Return the name under which *tree*, and none that takes its place, is noted; and whether others own it."""
        state = os.stat(system_path(tree.folder / MANIFEST))
        return f"{tree.folder.name}-{state.st_ino:x}-{state.st_mtime_ns:x}", not is_ours(state)

    def _note_of_today(self, folder: Path) -> str:
        state = os.stat(system_path(folder / MANIFEST))
        day = int(time.time() // 86400)
        return f"{folder.name}-{state.st_ino:x}-{state.st_mtime_ns:x}-{day}"

    def _has(self, name: str) -> bool:
        return self._notes.has(name) or (self._checks.notes is not None and self._checks.notes.has(name))

    def _add(self, name: str) -> None:
        notes = self._notes if self._writable else self._checks.notes
        if notes is not None and not self._is_remote() and not notes.has(name):
            notes.add(name)

    def _is_remote(self) -> bool:
        if self._remote is None:
            self._remote = is_network(self._layout.root)
        return self._remote
