"""A seed as a layer: the entries of one generation, each checked against what the generation says of it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from ..errors import IntegrityError, StoreError
from ..events import SteppedDown
from ..fs._system import system_path
from ..fs.hashing import hash_file
from .documents import decode_document, decode_page
from .layout import MANIFEST, WHEELS, name_of
from .seeds import Seed

if TYPE_CHECKING:
    from pathlib import Path

    from ..events import EventSink
    from ..models import Digest, SeedReference
    from .documents import CachedPage
    from .generations import Generation
    from .store import Store
    from .trees import WheelTree
    from .verify import Checks


class SeedView:
    """What one generation lists of a store; a `chain.Layer`. What it does not list, or lists otherwise, is absent."""

    def __init__(self, store: Store, generation: Generation, *, sink: EventSink) -> None:
        self.generation = generation
        self._store = store
        self._sink = sink

    @property
    def root(self) -> Path:
        """Where the seed is, absolute."""
        return self._store.root

    def wheel(self, digest: Digest) -> WheelTree | None:
        """Return an unpacked wheel, checked."""
        return self.tree(WHEELS, digest)

    def tree(self, bucket: str, digest: Digest) -> WheelTree | None:
        """Return a wheel, or what was made of one, checked."""
        listed = self.generation.trees.get(bucket, {}).get(digest)
        if listed is None or (tree := self._store.tree(bucket, digest)) is None:
            return None
        try:
            if hash_file(tree.folder / MANIFEST)["sha256"] == listed.manifest:
                return tree
        except FileNotFoundError:
            return None  # collected a moment ago
        except OSError as error:
            raise StoreError(f"cannot read {tree.folder}: {error.strerror}", code="io-error") from error
        message = f"{tree.folder} is not used: its manifest is not the one that the seed's generation lists"
        self._sink(SteppedDown(kind="damaged-entry", message=message))
        return None

    def file(self, digest: Digest) -> Path | None:
        """Return a file."""
        return self._store.file(digest) if digest in self.generation.files else None

    def document(self, bucket: str, key: Digest) -> dict[str, Any] | None:
        """Return a JSON document."""
        data = self._content(self.generation.documents.get(bucket, {}).get(name_of(key)))
        return None if data is None else decode_document(data)

    def page(self, key: Digest) -> CachedPage | None:
        """Return an index page."""
        data = self._content(self.generation.pages.get(name_of(key)))
        return None if data is None else decode_page(data)

    def _content(self, digest: Digest | None) -> bytes | None:
        """The content of a listed file; None when it is absent or damaged."""
        if digest is None or (path := self._store.file(digest)) is None:
            return None
        try:
            with open(system_path(path), "rb") as file:
                data = file.read()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"cannot read {path}: {error.strerror}", code="io-error") from error
        return data if hashlib.sha256(data).hexdigest() == digest else None


def open_view(
    reference: SeedReference, *, retry_budget: float, sink: EventSink, checks: Checks | None = None
) -> SeedView:
    """Open a seed as it is now, or as of the generation that *reference* pins; later switches are not noticed.

    :raises InputError, IntegrityError: the pinned generation is not there, or is damaged: the pipeline's mistake.
    :raises StoreError, PolicyError: the seed cannot be read, or its current generation cannot: a broken layer.
    """
    seed = Seed.open_for_reading(reference.path, checks=checks, retry_budget=retry_budget, sink=sink)
    if reference.generation is not None:
        return SeedView(seed.store, seed.generation(seed.named(reference.generation)), sink=sink)
    try:
        return SeedView(seed.store, seed.current(), sink=sink)
    except IntegrityError as error:
        raise StoreError(error.message, code=error.code, context=error.context, hint=error.hint) from error
