"""Copies of source trees, so that a build never touches the user's checkout (design promise 6)."""

from __future__ import annotations

import os
import shutil
import stat
from typing import TYPE_CHECKING

from ..errors import BuildError
from ..fs.failures import explain

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path


def copy_tree(tree: Path, target: Path, *, left_out: Collection[Path] = ()) -> None:
    """Copy *tree* to *target*, which must not exist.

    Everything counts as source, ``.git`` too (setuptools-scm reads the version there), but for virtual
    environments, *left_out*, and what is neither file, folder nor link. Links stay links. Files keep their times, and
    their modes but for set-user-ID and the like; the owner may always write, for some backends edit their input.

    :param left_out: folders that are no source although they lie in the tree: scratch, a store.
    :raises StoreError: something cannot be read or written. What was copied stays, for the caller to remove.
    """
    skipped = {os.path.realpath(path) for path in left_out}
    waiting = [(str(tree), str(target))]
    try:
        while waiting:
            source, copy = waiting.pop()
            os.mkdir(copy)
            with os.scandir(source) as entries:
                for entry in entries:
                    place = os.path.join(copy, entry.name)
                    if entry.is_symlink():
                        os.symlink(os.readlink(entry.path), place)
                    elif entry.is_file():
                        _copy_file(entry, place)
                    elif entry.is_dir() and not _is_left_out(entry, skipped):
                        waiting.append((entry.path, place))
    except OSError as error:
        raise explain(error, doing="copy a source tree", path=error.filename or tree, option="--scratch") from error


def inner_folder(tree: Path, subdirectory: str | None) -> Path:
    """Return the folder *subdirectory* of *tree*.

    :raises BuildError: ``subdirectory-invalid``: it leaves the tree or is no folder.
    """
    if not subdirectory:
        return tree
    folder = tree / subdirectory
    if not folder.resolve().is_relative_to(tree.resolve()) or not folder.is_dir():
        raise BuildError(
            f"{tree.name} cannot be built: its subdirectory {subdirectory!r} is no folder inside it",
            code="subdirectory-invalid",
            hint="check #subdirectory= in the requirement",
        )
    return folder


def _copy_file(entry: os.DirEntry[str], place: str) -> None:
    shutil.copyfile(entry.path, place)
    found = entry.stat(follow_symlinks=False)
    os.chmod(place, stat.S_IMODE(found.st_mode) & 0o777 | 0o600)
    os.utime(place, ns=(found.st_atime_ns, found.st_mtime_ns))


def _is_left_out(entry: os.DirEntry[str], skipped: set[str]) -> bool:
    return os.path.realpath(entry.path) in skipped or os.path.exists(os.path.join(entry.path, "pyvenv.cfg"))
