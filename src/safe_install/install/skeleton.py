"""A bare virtual environment as a text: made once by the virtualenv library, and written from then on in 2 ms.

The library takes 80 ms to import and to ask the interpreter, for a dozen small files that differ from environment to
environment only in the path of the root and in its name. A skeleton is what it made at a place whose path nothing else
contains. It stands for paths that no shell has to quote; the others are left to the library.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ..fs._system import system_path
from .contents import below, make_folder, write_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_FORMAT = 1
# What `shlex.quote` leaves as it is.
_PLAIN = re.compile(r"[A-Za-z0-9_@%+=,./-]+")
_LARGEST = 1 << 18
"""Bytes of all files. Where the interpreter itself is copied, the library does that better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skeleton:
    """What a new environment holds. All paths are relative, with ``/``.

    :param root: the path in the files that stands for that of the environment; its last part stands for the name.
    :param folders: parents first.
    :param links: path and target of each symbolic link.
    :param files: path, content, and whether it can be executed.
    """

    root: str
    folders: Sequence[str]
    links: Sequence[tuple[str, str]]
    files: Sequence[tuple[str, str, bool]]

    def fits(self, root: str) -> bool:
        """Whether it can be written for an environment at *root*."""
        return _PLAIN.fullmatch(root) is not None

    def write(self, place: str, root: str) -> None:
        """Make the environment in *place*, a folder that is empty or missing, for it to lie at *root*.

        :raises StoreError: it could not be written. What was made so far is at *place*.
        :raises OSError: as before, a link.
        """
        name, real_name = os.path.basename(self.root), os.path.basename(root)
        make_folder(place)
        for folder in self.folders:
            make_folder(below(place, folder))
        for path, target in self.links:
            os.symlink(target.replace(self.root, root), below(place, path))
        for path, content, executable in self.files:
            text = content.replace(self.root, root).replace(name, real_name)
            write_file(below(place, path), text.encode(), executable=executable)

    def to_document(self) -> dict[str, Any]:
        """Return it as plain values for JSON."""
        return {"format": _FORMAT, **asdict(self)}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Skeleton | None:
        """Return what `to_document` was given; None where another release wrote it."""
        if document.get("format") != _FORMAT:
            return None
        return cls(**{key: document[key] for key in ("root", "folders", "links", "files")})


def read_skeleton(root: str) -> Skeleton | None:
    """Return the skeleton of the bare environment at *root*, whose name occurs nowhere else; None where it has none.

    :raises OSError: it cannot be read.
    """
    folders: list[str] = []
    links: list[tuple[str, str]] = []
    files: list[tuple[str, str, bool]] = []
    left = _LARGEST
    for folder, names, others in os.walk(system_path(root)):
        for name in sorted((*names, *others)):
            place = os.path.join(folder, name)
            path = os.path.relpath(place, system_path(root)).replace(os.sep, "/")
            state = os.lstat(place)
            left -= state.st_size
            if stat.S_ISLNK(state.st_mode):
                links.append((path, os.readlink(place)))
            elif stat.S_ISDIR(state.st_mode):
                folders.append(path)
            elif left < 0 or not stat.S_ISREG(state.st_mode):
                return None
            else:
                with open(place, "rb") as file:
                    content = file.read()
                try:
                    files.append((path, content.decode(), bool(state.st_mode & stat.S_IXUSR)))
                except UnicodeDecodeError:
                    return None
    return Skeleton(root=root, folders=sorted(folders), links=links, files=files)
