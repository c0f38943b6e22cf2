"""Rules for names inside archives: what may become a file, on any target system, and which names would meet.

Nothing here touches a disk, and nothing depends on the system it runs on. Names are as archives spell them: parts
separated by ``/``, relative to the root. A folder's trailing slash is the caller's to strip.
"""

from __future__ import annotations

import os
import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# NAME_MAX of Linux and NTFS (the former in bytes, the latter in UTF-16 units, which are never more).
_MAX_PART = 255
# PATH_MAX is 4096 on Linux and 1024 on macOS; a store or an environment needs room in front of the name.
_MAX_NAME = 1024
_CONTROL = re.compile("[\x01-\x1f\x7f-\x9f]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_DRIVE = re.compile("[A-Za-z]:")
# https://learn.microsoft.com/windows/win32/fileio/naming-a-file#naming-conventions, superscript digits included
_RESERVED = re.compile("(CON|PRN|AUX|NUL|CONIN\\$|CONOUT\\$|(COM|LPT)[0-9\u00b9\u00b2\u00b3])", re.IGNORECASE)
_WINDOWS_FORBIDDEN = re.compile('[<>"|?*]')


_WHOLE_RULES: tuple[tuple[Callable[[str], object], str], ...] = (
    (lambda name: not name, "is empty"),
    (lambda name: "\0" in name, "contains a NUL"),
    (lambda name: name.startswith(("\\\\", "//")), "is a UNC path"),
    (lambda name: "\\" in name, "contains a backslash"),
    (lambda name: name.startswith("/"), "is an absolute path"),
    (_DRIVE.match, "names a drive"),
    (_CONTROL.search, "contains a control character"),
    (_SURROGATE.search, "is not valid Unicode"),
    (lambda name: len(name.encode()) > _MAX_NAME, f"is longer than {_MAX_NAME} bytes"),
)
_PART_RULES: tuple[tuple[Callable[[str], object], str], ...] = (
    (lambda part: not part, "has an empty part"),
    (lambda part: part == "..", "contains `..`"),
    (lambda part: part == ".", "contains `.` as a part"),
    (lambda part: len(part.encode()) > _MAX_PART, f"has a part of more than {_MAX_PART} bytes"),
)
_WINDOWS_RULES: tuple[tuple[Callable[[str], object], str], ...] = (
    (lambda part: part.endswith((".", " ")), "has a part that ends with a dot or a space, which Windows drops"),
    (lambda part: ":" in part, "contains a colon, which names a stream on Windows"),
    (_WINDOWS_FORBIDDEN.search, "contains a character that Windows does not allow"),
    # Windows looks at what stands before the first dot, without spaces at its end.
    (lambda part: _RESERVED.fullmatch(part.partition(".")[0].rstrip(" ")), "has a part that is reserved on Windows"),
)


def problem_with_member(name: str, *, portable: bool = True) -> str | None:
    """Return what is wrong with a file name in an archive, as a phrase; None when it may be used everywhere.

    What is refused either leaves the tree on some system, names a device or a stream there, or becomes another name
    than the archive says (Windows drops trailing dots and spaces).

    :param portable: False leaves out what is wrong on Windows alone and leads out of no tree there.
    """
    for breaks, text in _WHOLE_RULES:
        if breaks(name):
            return text
    part_rules = (*_PART_RULES, *_WINDOWS_RULES) if portable else _PART_RULES
    for part in name.split("/"):
        for breaks, text in part_rules:
            if breaks(part):
                return text
    return None


def is_reserved(name: str) -> bool:
    """Whether a part of *name* is a device on Windows, which other systems keep as a file like any other."""
    return any(_RESERVED.fullmatch(part.partition(".")[0].rstrip(" ")) for part in name.split("/"))


def folded(name: str) -> str:
    """Return the key under which a system that ignores case and Unicode form keeps *name*.

    Coarser than any one system on purpose: compatibility forms and full case folding together, after the definition
    of a compatibility caseless match (Unicode section 3.13, D146).
    """
    if name.isascii():
        return name.lower()
    step = unicodedata.normalize("NFKD", unicodedata.normalize("NFD", name).casefold()).casefold()
    return unicodedata.normalize("NFKD", step)


def find_collisions(names: Iterable[str]) -> list[tuple[str, str]]:
    """Return the pairs of file names that would be one place: on some system by `folded`, or on every system.

    A file meets another file, or a folder that a longer name implies (``a`` and ``A/b``). Folders alone do not meet:
    ``Pkg/x`` and ``pkg/y`` share one folder there, and nothing is lost. A name given twice meets itself.
    """
    files: dict[str, str] = {}
    found = []
    ordered = list(names)
    for name in ordered:
        key = folded(name)
        if key in files:
            found.append((files[key], name))
        else:
            files[key] = name
    seen: set[str] = set()
    for name in ordered:
        key, _, _ = folded(name).rpartition("/")
        while key and key not in seen:
            seen.add(key)
            if key in files:
                found.append((files[key], name))
            key, _, _ = key.rpartition("/")
    return found


def is_within(root: str | os.PathLike[str], path: str | os.PathLike[str]) -> bool:
    """Whether *path* is *root* or below it, by its text alone: links are not looked at."""
    top = os.path.normcase(os.path.abspath(root))
    place = os.path.normcase(os.path.abspath(path))
    return place == top or place.startswith(top.rstrip(os.sep) + os.sep)
