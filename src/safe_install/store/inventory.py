"""Count what a store holds."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import IntegrityError
from ..fs._system import system_path
from .entries import bytes_of_its_own
from .layout import BUCKETS, IMAGES, MANIFEST, TREE_BUCKETS
from .manifest import read_manifest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .layout import Layout


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketInfo:
    """One bucket. :param bytes: of content, without what the file system adds."""

    entries: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreInfo:
    """A store. :param buckets: by name."""

    path: Path
    buckets: Mapping[str, BucketInfo]

    @property
    def entries(self) -> int:
        """Of all buckets."""
        return sum(bucket.entries for bucket in self.buckets.values())

    @property
    def bytes(self) -> int:
        """Of all buckets."""
        return sum(bucket.bytes for bucket in self.buckets.values())


def take_inventory(layout: Layout) -> StoreInfo:
    """Count the entries of each bucket; those without a valid manifest are absent and not counted."""
    buckets = {}
    for bucket in BUCKETS:
        sizes = [size for size in _sizes(layout.root, bucket) if size is not None]
        buckets[bucket] = BucketInfo(entries=len(sizes), bytes=sum(sizes))
    return StoreInfo(path=layout.root, buckets=buckets)


def _sizes(root: Path, bucket: str) -> Iterator[int | None]:
    with os.scandir(system_path(root / bucket)) as prefixes:
        for prefix in prefixes:
            with os.scandir(prefix.path) as entries:
                for entry in entries:
                    yield _size(entry, bucket)


def _size(entry: os.DirEntry[str], bucket: str) -> int | None:
    if bucket == IMAGES:
        return bytes_of_its_own(Path(entry.path))
    return _tree_size(entry.path) if bucket in TREE_BUCKETS else _file_size(entry)


def _tree_size(folder: str) -> int | None:
    try:
        return sum(file.size for file in read_manifest(os.path.join(folder, MANIFEST)).files)
    except (OSError, IntegrityError):
        return None


def _file_size(entry: os.DirEntry[str]) -> int | None:
    try:
        return entry.stat(follow_symlinks=False).st_size
    except FileNotFoundError:
        return None
