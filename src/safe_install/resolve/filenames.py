"""What the names of wheels and sdists tell, read as loosely as the files of old projects demand.

`packaging.utils` is strict where indexes are not: it refuses ``foo__bar-1.0-py3-none-any.whl`` and takes the name of
``a-b-1.0.tar.gz`` for granted. Here a name that makes no sense is None, never an error: an index lists much besides.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, NamedTuple

from packaging.tags import InvalidTag, Tag, parse_tag
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

if TYPE_CHECKING:
    from packaging.utils import NormalizedName

# Best first: PEP 625 allows only .tar.gz, PEP 527 also .zip; the others are found on old projects' pages.
SDIST_SUFFIXES = (".tar.gz", ".zip", ".tar.bz2", ".tar.xz", ".tgz", ".tbz", ".txz", ".tar", ".tar.lzma", ".tlz")
ARCHIVE_SUFFIXES = (".whl", *SDIST_SUFFIXES)
_BUILD = re.compile(r"(\d+)(.*)", re.ASCII | re.DOTALL)


class Identity(NamedTuple):
    """A distribution, as a file name gives it. :param version: None when the name tells none that PEP 440 knows."""

    name: NormalizedName
    version: Version | None


class WheelParts(NamedTuple):
    """The unread parts of a wheel's file name."""

    name: str
    version: str
    build: str
    tags: str


def wheel_parts(filename: str) -> WheelParts | None:
    """Split the name of a wheel (binary distribution format, "File name convention"); None if it is none."""
    parts = filename.removesuffix(".whl").split("-")
    if not filename.endswith(".whl") or len(parts) not in {5, 6}:
        return None
    build = parts[2] if len(parts) == 6 else ""
    return WheelParts(parts[0], parts[1], build, "-".join(parts[-3:]))


def wheel_identity(filename: str) -> Identity | None:
    """The project and version of a wheel's file name."""
    parts = wheel_parts(filename)
    return Identity(canonicalize_name(parts.name), version_or_none(parts.version)) if parts else None


def sdist_stem(filename: str) -> str | None:
    """An sdist's file name without its suffix; None when the suffix is no sdist's."""
    lowered = filename.lower()
    suffix = next((suffix for suffix in SDIST_SUFFIXES if lowered.endswith(suffix)), None)
    return filename[: -len(suffix)] if suffix else None


def sdist_identity(filename: str) -> Identity | None:
    """The project and version of an sdist's file name, the version being what follows the last hyphen."""
    stem = sdist_stem(filename)
    if stem is None:
        return None
    name, _, version = stem.rpartition("-")
    parsed = version_or_none(version)
    return Identity(canonicalize_name(name), parsed) if name and parsed else None


def sdist_version_text(filename: str, project: NormalizedName) -> str | None:
    """The version part of the name of one of *project*'s sdists; None if the file is not its sdist.

    The project decides where the version begins: ``a-b-1.0.tar.gz`` is ``1.0`` of ``a-b``, and ``a-1.0-1.tar.gz``
    is ``1.0-1`` (PEP 440, implicit post release) of ``a``.
    """
    stem = sdist_stem(filename)
    if stem is None:
        return None
    for hyphen in (found.start() for found in re.finditer("-", stem)):
        if canonicalize_name(stem[:hyphen]) == project:
            return stem[hyphen + 1 :]
    return None


def sdist_rank(filename: str) -> int:
    """Which of several sdists of a version is taken: the lowest."""
    lowered = filename.lower()
    return next((rank for rank, suffix in enumerate(SDIST_SUFFIXES) if lowered.endswith(suffix)), len(SDIST_SUFFIXES))


@functools.lru_cache(maxsize=4096)
def wheel_tags(text: str) -> frozenset[Tag]:
    """Expand a compressed tag set such as ``py2.py3-none-any``; empty when it is malformed."""
    try:
        return parse_tag(text)
    except (InvalidTag, ValueError):
        return frozenset()


def build_order(build: str) -> tuple[int, str]:
    """Sort key of a build tag: none first, then by number (binary distribution format)."""
    found = _BUILD.fullmatch(build)
    return (int(found[1]), found[2]) if found else (-1, "")


def version_or_none(text: str) -> Version | None:
    """Parse *text* by PEP 440."""
    try:
        return Version(text)
    except InvalidVersion:
        return None
