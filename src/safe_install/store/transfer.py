"""Bring entries of one store into another: promoting what a job made, filling a seed from what is there already.

Bytes are copied and hashed on the way, so no file of one layer is ever a name of a file of another, and damage does not
spread. What the other store has already is not read.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import IntegrityError
from ..fs._system import system_path
from ..fs.failures import explain
from .layout import DOCUMENT_BUCKETS, FILES, INDEX, TREE_BUCKETS
from .trees import chunks_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ..models import Digest
    from .chain import EntryKey
    from .documents import CachedPage
    from .store import Store
    from .trees import WheelTree

# A document may lead to a wheel, so what it leads to is there before.
_ORDER = {**dict.fromkeys(TREE_BUCKETS, 0), FILES: 1}
_LAST = 2


class Source(Protocol):
    """Where entries come from; a `Store`, a `Chain` and a seed's view are some."""

    def tree(self, bucket: str, digest: Digest) -> WheelTree | None:
        """Return a wheel, or what was made of one, checked."""

    def file(self, digest: Digest) -> Path | None:
        """Return a file."""

    def document(self, bucket: str, key: Digest) -> dict[str, Any] | None:
        """Return a JSON document."""

    def page(self, key: Digest) -> CachedPage | None:
        """Return an index page."""


def transfer(entries: Iterable[EntryKey], source: Source, target: Store) -> int:
    """Have *entries* of *source* in *target*; return how many were missing there. What *source* lacks is left out.

    :raises StoreError, IntegrityError: as `copy_tree`. What was brought before stays.
    """
    brought = 0
    for bucket, digest in sorted(entries, key=lambda entry: _ORDER.get(entry.bucket, _LAST)):
        if bucket in TREE_BUCKETS:
            brought += _bring_tree(bucket, digest, source, target)
        elif bucket == FILES:
            brought += _bring_file(digest, source, target)
        elif bucket == INDEX:
            brought += _bring_page(digest, source, target)
        elif bucket in DOCUMENT_BUCKETS:
            brought += _bring_document(bucket, digest, source, target)
    return brought


def copy_tree(bucket: str, tree: WheelTree, target: Store) -> WheelTree:
    """Publish a copy of *tree*, which lies in a *bucket* of that name, in *target*; return it, or what was there first.

    :raises IntegrityError: ``entry-damaged``: a file is not what the manifest says. Nothing is published.
    :raises StoreError: it could not be read (``entry-vanished`` when it is gone), or not be written.
    """
    with target.stage_tree() as writer:
        for entry in tree.manifest.files:
            chunks = chunks_of(tree.tree / entry.path)
            if writer.add(entry.path, chunks, executable=entry.executable) != entry:
                raise _damaged(tree.tree / entry.path)
        manifest = writer.finish(digest=tree.digest, filename=tree.manifest.filename)
        return target.publish_tree(bucket, writer.folder, manifest)


def copy_file(source: Path, digest: Digest, target: Store) -> Path:
    """Publish a copy of the file *source* in *target*; return it. Errors as `copy_tree`."""
    found = hashlib.sha256()
    with target.stage_file() as staged:
        try:
            with open(system_path(staged), "xb") as file:
                for chunk in chunks_of(source):
                    found.update(chunk)
                    file.write(chunk)
        except OSError as error:
            raise explain(error, doing="write a file of the store", path=staged) from error
        if found.hexdigest() != digest:
            raise _damaged(source)
        return target.publish_file(staged, digest)


def _bring_tree(bucket: str, digest: Digest, source: Source, target: Store) -> bool:
    if target.tree(bucket, digest) is not None or (tree := source.tree(bucket, digest)) is None:
        return False
    copy_tree(bucket, tree, target)
    return True


def _bring_file(digest: Digest, source: Source, target: Store) -> bool:
    if target.file(digest) is not None or (path := source.file(digest)) is None:
        return False
    copy_file(path, digest, target)
    return True


def _bring_document(bucket: str, key: Digest, source: Source, target: Store) -> bool:
    """A pointer of *target* that leads to a wheel which is gone gives way to one that leads somewhere."""
    present = target.document(bucket, key)
    if present is not None and leads_somewhere(present, target):
        return False
    if (document := source.document(bucket, key)) is None:
        return False
    target.publish_document(bucket, key, document, replace=present is not None)
    return True


def leads_somewhere(document: dict[str, Any], store: Store) -> bool:
    """Whether the wheel that *document* leads to, if it leads to one, is in *store*."""
    wheel = document.get("wheel")
    return wheel is None or store.wheel(wheel) is not None


def _bring_page(key: Digest, source: Source, target: Store) -> bool:
    page, present = source.page(key), target.page(key)
    if page is None or (present is not None and present.fetched >= page.fetched):
        return False
    target.publish_page(key, page)
    return True


def _damaged(path: Path) -> IntegrityError:
    return IntegrityError(
        f"{path} is damaged, and its entry is not taken over: its content is not what the manifest says",
        code="entry-damaged",
        hint="run `ci-install cache verify` on that store",
    )
