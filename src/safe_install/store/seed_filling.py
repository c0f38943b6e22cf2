"""Filling a seed: a chain that pulls what is elsewhere into it, and one that lists what was needed of it.

What a generation has to list cannot be told from a lock alone: built wheels are found by their pointers, pins by what
was chosen for them, bare pins by index pages. So the work that a job will do is done once, from the seed alone, and
everything that was found on the way is listed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import threading
from typing import TYPE_CHECKING, Any

from ..errors import StoreError
from ..events import ignore
from ..fs._system import system_path
from ..fs.failures import explain
from ..fs.hashing import hash_file
from ..models import Digest
from .chain import Chain
from .documents import decode_document, encode_document, encode_page
from .generations import Generation, ListedTree
from .layout import BUILT, BYTECODE, FILES, INTERPRETERS, MANIFEST, SELECTIONS, WHEELS, name_of
from .manifest import read_manifest
from .seed_view import SeedView
from .transfer import copy_file, copy_tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .documents import CachedPage
    from .seeds import Seed
    from .store import Store
    from .trees import WheelTree


class Pulling(Chain):
    """A chain that copies into the first layer what is found below it, with its digests checked."""

    def tree(self, bucket: str, digest: Digest) -> WheelTree | None:
        """As `Chain.tree`; what is returned lies in the first layer. Errors as `copy_tree`."""
        found = super().tree(bucket, digest)
        return found if found is None or self._is_ours(found.folder) else copy_tree(bucket, found, self.first)

    def file(self, digest: Digest) -> Path | None:
        """As `Chain.file`; what is returned lies in the first layer. Errors as `copy_file`."""
        found = super().file(digest)
        return found if found is None or self._is_ours(found) else copy_file(found, digest, self.first)

    def documents(self, bucket: str, key: Digest) -> Iterator[dict[str, Any]]:
        """As `Chain.documents`; the last one asked for lies in the first layer: those before it led to nothing."""
        for found in super().documents(bucket, key):
            if found != self.first.document(bucket, key):
                self.publish_document(bucket, key, found, replace=True)
            yield found

    def document(self, bucket: str, key: Digest) -> dict[str, Any] | None:
        """As `Chain.document`."""
        return next(self.documents(bucket, key), None)

    def page(self, key: Digest) -> CachedPage | None:
        """As `Chain.page`."""
        found = super().page(key)
        if found is not None and found != self.first.page(key):
            self.publish_page(key, found)
        return found

    def _is_ours(self, path: Path) -> bool:
        return path.is_relative_to(self.first.root)


class Listing(Chain):
    """A chain of one store that notes everything that was found in it."""

    def __init__(self, store: Store, *, name: str = "seed") -> None:
        super().__init__(store, name=name)
        self._noting = threading.Lock()
        self._trees: dict[str, dict[Digest, WheelTree]] = {}
        self._files: set[Digest] = set()
        self._documents: dict[tuple[str, str], bytes] = {}
        self._pages: dict[str, bytes] = {}

    def tree(self, bucket: str, digest: Digest) -> WheelTree | None:
        """As `Chain.tree`."""
        found = super().tree(bucket, digest)
        if found is not None:
            with self._noting:
                self._trees.setdefault(bucket, {})[digest] = found
        return found

    def file(self, digest: Digest) -> Path | None:
        """As `Chain.file`."""
        found = super().file(digest)
        if found is not None:
            with self._noting:
                self._files.add(digest)
        return found

    def documents(self, bucket: str, key: Digest) -> Iterator[dict[str, Any]]:
        """As `Chain.documents`."""
        for found in super().documents(bucket, key):
            self._note_document(bucket, name_of(key), found)
            yield found

    def document(self, bucket: str, key: Digest) -> dict[str, Any] | None:
        """As `Chain.document`."""
        return next(self.documents(bucket, key), None)

    def page(self, key: Digest) -> CachedPage | None:
        """As `Chain.page`."""
        found = super().page(key)
        if found is not None:
            with self._noting:
                self._pages[name_of(key)] = encode_page(found)
        return found

    def _note_document(self, bucket: str, name: str, document: dict[str, Any]) -> None:
        if bucket == INTERPRETERS:
            return  # of this machine
        with self._noting:
            self._documents[bucket, name] = encode_document(document)

    def note_all(self) -> None:
        """Note what the store has, but for pages: those age, and may be private.

        :raises StoreError: it cannot be read.
        """
        # Images are not carried: they would be copies here, and each host makes its own in a second.
        for bucket in (WHEELS, BYTECODE):
            for path in _entries(self.first, bucket):
                try:
                    self.tree(bucket, read_manifest(path / MANIFEST).digest)
                except (OSError, ValueError):
                    continue  # absent
        for path in _entries(self.first, FILES):
            try:
                self.file(Digest(hash_file(path)["sha256"]))
            except OSError:
                continue
        for bucket in (BUILT, SELECTIONS):
            for path in _entries(self.first, bucket):
                try:
                    document = decode_document(path.read_bytes())
                except OSError:
                    continue
                if document is not None:
                    self._note_document(bucket, path.stem, document)

    def generation(self, target: Store) -> Generation:
        """Return the list of what was noted, with all of it in *target*.

        :raises StoreError, IntegrityError: as `copy_tree`.
        """
        trees: dict[str, dict[Digest, ListedTree]] = {}
        for bucket, found in self._trees.items():
            for digest, tree in found.items():
                there = target.tree(bucket, digest) or copy_tree(bucket, tree, target)
                listed = ListedTree(Digest(_manifest_digest(there)), there.manifest.filename)
                trees.setdefault(bucket, {})[digest] = listed
        for digest in self._files:
            if target.file(digest) is None and (path := self.first.file(digest)) is not None:
                copy_file(path, digest, target)
        documents: dict[str, dict[str, Digest]] = {}
        for (bucket, name), data in self._documents.items():
            documents.setdefault(bucket, {})[name] = _keep(data, target)
        pages = {name: _keep(data, target) for name, data in self._pages.items()}
        return Generation(trees=trees, files=frozenset(self._files), documents=documents, pages=pages)


def copy_generation(seed: Seed, generation: Generation, target: Store) -> Generation:
    """Have all that *generation* lists in *target*; return the list of it there.

    :raises StoreError: ``seed-incomplete``, or see `copy_tree`.
    :raises IntegrityError: as `copy_tree`.
    """
    view = SeedView(seed.store, generation, sink=ignore)
    trees: dict[str, dict[Digest, ListedTree]] = {}
    for bucket, digest, listed in generation.all_trees():
        there = target.tree(bucket, digest)
        if there is None:
            if (tree := view.tree(bucket, digest)) is None:
                raise _incomplete(seed, f"{listed.filename} is missing or damaged")
            there = copy_tree(bucket, tree, target)
        trees.setdefault(bucket, {})[digest] = ListedTree(Digest(_manifest_digest(there)), listed.filename)
    for digest in generation.all_files:
        if target.file(digest) is None:
            if (path := seed.store.file(digest)) is None:
                raise _incomplete(seed, f"the file {digest} is missing or damaged")
            copy_file(path, digest, target)
    return dataclasses.replace(generation, trees=trees)


def _incomplete(seed: Seed, reason: str) -> StoreError:
    return StoreError(
        f"the seed at {seed.root} lacks what its generation lists: {reason}",
        code="seed-incomplete",
        hint=f"`ci-install seed verify {seed.root}` lists all that is missing",
    )


def _manifest_digest(tree: WheelTree) -> str:
    path = tree.folder / MANIFEST
    try:
        return hash_file(path)["sha256"]
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror}", code="entry-vanished") from error


def _keep(data: bytes, target: Store) -> Digest:
    """Have *data* as a file of *target*."""
    digest = Digest(hashlib.sha256(data).hexdigest())
    if target.file(digest) is None:
        with target.stage_file() as staged:
            staged.write_bytes(data)
            target.publish_file(staged, digest)
    return digest


def _entries(store: Store, bucket: str) -> list[Path]:
    found: list[Path] = []
    top = store.root / bucket
    try:
        for prefix in sorted(os.listdir(system_path(top))):
            found += sorted((top / prefix).iterdir())
    except OSError as error:
        raise explain(error, doing="list a store", path=top) from error
    return found
