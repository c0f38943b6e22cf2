"""List what lies in the buckets of a store, entries and what should not be there.

No link is followed: a bucket, a folder of a bucket or an entry that is one leads out of the store, where nothing is
ours (uv#19542). Buckets of other releases are listed too; what their entries mean is not known.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..errors import IntegrityError
from ..fs._system import system_path
from ..models import Digest
from .documents import decode_document
from .layout import BUILT, FILES, IMAGES, INDEX, MANIFEST, SELECTIONS, TREE_BUCKETS, WHEELS, name_of
from .manifest import read_manifest
from .uses import last_use

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .layout import Layout
    from .manifest import Manifest

_BUCKET = re.compile(r"[a-z]+-[0-9]+")
_PREFIX = re.compile(r"[0-9a-f]{2}")
_NAME = re.compile(r"([0-9a-f]{32})(\.json|\.[0-9]+)?")
_TEMPORARY = re.compile(r".+\.[0-9a-f]{12}\.tmp")
_REPARSE_POINT = 0x400


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry. :param used: when last, in seconds of the file system's clock."""

    bucket: str
    path: Path
    state: os.stat_result = field(repr=False)
    used: float

    @property
    def key(self) -> str:
        """What leases and reports call it: ``wheels-1/ab/abcdef…``."""
        return f"{self.bucket}/{self.path.parent.name}/{self.path.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Debris:
    """What lies in a bucket and is nobody's entry. :param reason: what it is."""

    path: Path
    reason: str
    changed: float


def is_real_folder(state: os.stat_result) -> bool:
    """Whether this is a folder itself, neither a link nor a junction."""
    return stat.S_ISDIR(state.st_mode) and not getattr(state, "st_file_attributes", 0) & _REPARSE_POINT


def survey(layout: Layout) -> Iterator[Entry | Debris]:
    """Yield everything in the buckets; what vanishes meanwhile is left out, and so are names that nobody of us gives.

    :raises OSError: the store cannot be listed.
    """
    pages: dict[str, list[Entry]] = {}
    for bucket, folder in _folders(layout):
        for name, state in _list(folder):
            path = folder / name
            if not is_real_folder(state) and not stat.S_ISREG(state.st_mode):
                yield Debris(path=path, reason="link", changed=state.st_ctime)
            elif _TEMPORARY.fullmatch(name):
                yield Debris(path=path, reason="temporary", changed=state.st_ctime)
            elif match := _NAME.fullmatch(name):
                if bucket in TREE_BUCKETS and not _is_whole(path):
                    yield Debris(path=path, reason="half-made", changed=max(state.st_ctime, state.st_mtime))
                    continue
                entry = Entry(bucket=bucket, path=path, state=state, used=last_use(bucket, state))
                if bucket == INDEX:
                    pages.setdefault(match[1], []).append(entry)
                else:
                    yield entry
    for versions in pages.values():
        yield from _newest(versions)


def _folders(layout: Layout) -> Iterator[tuple[str, Path]]:
    for bucket, state in _list(layout.root):
        if _BUCKET.fullmatch(bucket) and is_real_folder(state):
            for prefix, found in _list(layout.root / bucket):
                if _PREFIX.fullmatch(prefix) and is_real_folder(found):
                    yield bucket, layout.root / bucket / prefix


def _list(folder: Path) -> list[tuple[str, os.stat_result]]:
    place = system_path(folder)
    try:
        names = os.listdir(place)
    except PermissionError:
        _give_rights(place)
        names = os.listdir(place)
    except FileNotFoundError:
        return []
    found = []
    for name in sorted(names):
        try:
            found.append((name, os.lstat(os.path.join(place, name))))
        except FileNotFoundError:
            continue
    return found


def _give_rights(place: str) -> None:
    """A job took the rights of a folder away, or a build left it so (uv#3515); only its owner can give them back."""
    os.chmod(place, stat.S_IMODE(os.lstat(place).st_mode) | stat.S_IRWXU)


def _is_whole(tree: Path) -> bool:
    manifest = system_path(tree / MANIFEST)
    try:
        try:
            state = os.lstat(manifest)
        except PermissionError:
            _give_rights(system_path(tree))
            state = os.lstat(manifest)
    except OSError:
        return False
    return stat.S_ISREG(state.st_mode)


# A reader that listed the folder a moment ago still finds the version it chose.
_KEPT_PAGE_VERSIONS = 2


def _newest(versions: list[Entry]) -> Iterator[Entry | Debris]:
    """The versions of a page count as entries as long as `Store.publish_page` would keep them."""
    versions.sort(key=lambda entry: int(entry.path.name.partition(".")[2] or 0), reverse=True)
    yield from versions[:_KEPT_PAGE_VERSIONS]
    for old in versions[_KEPT_PAGE_VERSIONS:]:
        yield Debris(path=old.path, reason="old page", changed=old.state.st_ctime)


def manifest_of(entry: Entry) -> Manifest | None:
    """Return what a wheel, or what was made of one, contains; None when that cannot be read, and for all others."""
    if entry.bucket not in TREE_BUCKETS:
        return None
    try:
        return read_manifest(entry.path / MANIFEST)
    except (OSError, IntegrityError):
        return None


def size_of(entry: Entry) -> int:
    """Return the bytes of its content, without what the file system adds; 0 when that cannot be read.

    Of an image those that it shares with nobody: the others are counted where they came from.
    """
    if not is_real_folder(entry.state):
        return entry.state.st_size
    if entry.bucket == IMAGES:
        return bytes_of_its_own(entry.path)
    if (manifest := manifest_of(entry)) is not None:
        return sum(file.size for file in manifest.files)
    return weigh(entry.path)[0]


def bytes_of_its_own(path: Path) -> int:
    """Return the bytes of all files below *path* that have one name only."""
    return sum(state.st_size for state in _states(path) if state.st_nlink == 1)


def weigh(path: Path) -> tuple[int, int]:
    """Return the bytes of all files at and below *path*, and how many of them removing it would set free.

    A file that an environment links to stays on the disk as long as the environment does. What cannot be read counts
    nothing.
    """
    total = freed = 0
    for state in _states(path):
        total += state.st_size
        if state.st_nlink == 1:
            freed += getattr(state, "st_blocks", -(-state.st_size // 512)) * 512
    return total, freed


def _states(path: Path) -> list[os.stat_result]:
    """Those of all files at and below *path*; none when one cannot be read."""
    place = system_path(path)
    try:
        state = os.lstat(place)
        if not is_real_folder(state):
            return [state]
        return [os.lstat(os.path.join(folder, name)) for folder, _, names in os.walk(place) for name in names]
    except OSError:
        return []


def document_of(entry: Entry) -> dict[str, Any] | None:
    """Return the content of a JSON document; None when it cannot be read, and for all others."""
    if not entry.path.name.endswith(".json"):
        return None
    try:
        with open(system_path(entry.path), "rb") as file:
            return decode_document(file.read())
    except OSError:
        return None


def leads_to(entry: Entry, document: dict[str, Any] | None) -> tuple[str, ...]:
    """Return the keys of the entries that a document is there for; any of them may not exist."""
    if document is None or entry.bucket not in {BUILT, SELECTIONS}:
        return ()
    digest = document.get("wheel" if entry.bucket == BUILT else "sha256")
    try:
        name = name_of(Digest(digest)) if isinstance(digest, str) else None
    except ValueError:
        return ()
    return () if name is None else tuple(f"{bucket}/{name[:2]}/{name}" for bucket in (WHEELS, FILES))
