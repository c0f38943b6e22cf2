"""The layers of one job as one store: reads go down the chain, writes go to the first layer only (design section 4).

What lies in a lower layer is used from there and not copied up. A lower layer is never written, locked or created, and
it may be broken or vanish at any time: it is then told once and passed by from then on, as if it held nothing.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from ..errors import StoreError
from ..events import SteppedDown, ignore
from .layout import FILES, INDEX, WHEELS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from ..events import EventSink
    from ..models import Digest
    from .documents import CachedPage
    from .manifest import Manifest
    from .room import Room
    from .store import Store
    from .trees import TreeWriter, WheelTree

T = TypeVar("T")

_SMALL = 1 << 16
"""Bytes for a document, with what the file system needs to name it."""


class Layer(Protocol):
    """What is asked of a lower layer: a `Store`, or a seed seen through one of its generations."""

    @property
    def root(self) -> Path:
        """Where it is, absolute."""

    def tree(self, bucket: str, digest: Digest) -> WheelTree | None:
        """Return a wheel, or what was made of one, checked."""

    def file(self, digest: Digest) -> Path | None:
        """Return a file."""

    def document(self, bucket: str, key: Digest) -> dict[str, Any] | None:
        """Return a JSON document."""

    def page(self, key: Digest) -> CachedPage | None:
        """Return an index page."""


@dataclass(slots=True, kw_only=True)
class NamedLayer:
    """A lower layer. :param name: for the report, such as ``seed 1``."""

    name: str
    layer: Layer
    broken: bool = field(default=False, init=False)


class EntryKey(NamedTuple):
    """What tells an entry of a store from all others. :param digest: of its content, or of what it answers."""

    bucket: str
    digest: Digest


class Chain:
    """Offers what a `Store` offers, over all layers. Safe to share between threads.

    :param first: the only layer that is written.
    :param name: what the report calls it: ``job`` or ``runner``.
    :param lower: in the order in which they are asked. One whose folder is that of an earlier layer is left out.
    """

    def __init__(
        self, first: Store, lower: Sequence[NamedLayer] = (), *, name: str = "runner", sink: EventSink = ignore
    ) -> None:
        self.first = first
        self.name = name
        self._lower = _without_repetitions(first, lower)
        self._sink = sink
        self._lock = threading.Lock()
        self._made: dict[EntryKey, None] = {}
        self.claim: Callable[[str, Digest], None] = _claim_nothing
        """Called with bucket and digest before a wheel or a file is looked for, and before one is published: whoever
        cleans a store up leaves alone what was leased before it looked (`removing`)."""
        self.room: Room | None = None
        """Makes room in the first layer when its disk is full; None where nothing may be removed for that."""

    @property
    def root(self) -> Path:
        """Where the first layer is."""
        return self.first.root

    @property
    def logs(self) -> Path:
        """The folder of the first layer for logs of failed builds."""
        return self.first.logs

    @property
    def lower(self) -> Sequence[NamedLayer]:
        """The other layers, without those that were found broken."""
        return [each for each in self._lower if not each.broken]

    @property
    def made(self) -> list[EntryKey]:
        """Everything that was published through this chain, in that order."""
        with self._lock:
            return list(self._made)

    def layer_of(self, path: Path) -> str | None:
        """Return the name of the layer that an entry lies in; None for what lies elsewhere, such as in scratch."""
        if path.is_relative_to(self.first.root):
            return self.name
        return next((each.name for each in self._lower if path.is_relative_to(each.layer.root)), None)

    # Reading

    def wheel(self, digest: Digest) -> WheelTree | None:
        """Return the unpacked wheel from the first layer that has it whole."""
        return self.tree(WHEELS, digest)

    def tree(self, bucket: str, digest: Digest) -> WheelTree | None:
        """Return a tree from the first layer that has it whole. :param bucket: one of `layout.TREE_BUCKETS`."""
        self.claim(bucket, digest)
        return self._find(lambda layer: layer.tree(bucket, digest))

    def tree_of_today(self, bucket: str, digest: Digest) -> Path | None:
        """As `Store.tree_of_today`, in the first layer alone."""
        self.claim(bucket, digest)
        return self.first.tree_of_today(bucket, digest)

    def file(self, digest: Digest) -> Path | None:
        """Return the file with this SHA-256 from the first layer that has it."""
        self.claim(FILES, digest)
        return self._find(lambda layer: layer.file(digest))

    def document(self, bucket: str, key: Digest) -> dict[str, Any] | None:
        """Return the document from the first layer that has it."""
        return self._find(lambda layer: layer.document(bucket, key))

    def documents(self, bucket: str, key: Digest) -> Iterator[dict[str, Any]]:
        """Yield the document of each layer that has one: where one points to nothing, the next may do better."""
        return self._all(lambda layer: layer.document(bucket, key))

    def page(self, key: Digest) -> CachedPage | None:
        """Return the version of an index page that was read last, by whoever read it."""
        return max(self._all(lambda layer: layer.page(key)), key=lambda page: page.fetched, default=None)

    # Writing

    def with_room(self, work: Callable[[], T], needed: Callable[[], int]) -> T:
        """Return ``work()``, which stages and publishes; done again when the disk was full and room could be made.

        :param needed: as in `Room.retry`.
        """
        return work() if self.room is None else self.room.retry(work, needed)

    def stage_tree(self) -> AbstractContextManager[TreeWriter]:
        """As `Store.stage_tree`, in the first layer."""
        return self.first.stage_tree()

    def publish_wheel(self, folder: Path, manifest: Manifest) -> WheelTree:
        """As `Store.publish_wheel`, in the first layer."""
        return self.publish_tree(WHEELS, folder, manifest)

    def publish_tree(self, bucket: str, folder: Path, manifest: Manifest) -> WheelTree:
        """As `Store.publish_tree`, in the first layer."""
        self.claim(bucket, manifest.digest)
        tree = self.first.publish_tree(bucket, folder, manifest)
        self._note(bucket, manifest.digest)
        return tree

    def stage_file(self) -> AbstractContextManager[Path]:
        """As `Store.stage_file`, in the first layer."""
        return self.first.stage_file()

    def publish_file(self, staged: Path, digest: Digest) -> Path:
        """As `Store.publish_file`, in the first layer."""
        self.claim(FILES, digest)
        path = self.first.publish_file(staged, digest)
        self._note(FILES, digest)
        return path

    def publish_document(
        self, bucket: str, key: Digest, document: dict[str, Any], *, replace: bool = False
    ) -> dict[str, Any]:
        """As `Store.publish_document`, in the first layer."""

        def publish() -> dict[str, Any]:
            return self.first.publish_document(bucket, key, document, replace=replace)

        stored = self.with_room(publish, lambda: _SMALL)
        self._note(bucket, key)
        return stored

    def publish_page(self, key: Digest, page: CachedPage) -> None:
        """As `Store.publish_page`, in the first layer."""
        self.with_room(lambda: self.first.publish_page(key, page), lambda: len(page.body) + _SMALL)
        self._note(INDEX, key)

    def _note(self, bucket: str, digest: Digest) -> None:
        with self._lock:
            self._made[EntryKey(bucket, digest)] = None

    def _find(self, read: Callable[[Layer], T | None]) -> T | None:
        return next(self._all(read), None)

    def _all(self, read: Callable[[Layer], T | None]) -> Iterator[T]:
        if (found := read(self.first)) is not None:
            yield found
        for each in self._lower:
            if each.broken:
                continue
            try:
                found = read(each.layer)
            except StoreError as error:
                self._pass_by(each, error)
                continue
            if found is not None:
                yield found

    def _pass_by(self, lower: NamedLayer, error: StoreError) -> None:
        with self._lock:
            if lower.broken:
                return
            lower.broken = True
        self._sink(layer_passed_by(lower.name, error.message))


def _claim_nothing(bucket: str, digest: Digest) -> None:
    """For a chain whose entries nobody cleans up meanwhile."""


def layer_passed_by(name: str, reason: str) -> SteppedDown:
    """The event for a layer that is not used. :param name: as in `NamedLayer`."""
    return SteppedDown(kind="layer-passed-by", message=f"the layer `{name}` is not used: {reason}")


def _without_repetitions(first: Store, lower: Sequence[NamedLayer]) -> list[NamedLayer]:
    """Two paths to one folder (a link, a bind mount) are one layer: the upper one."""
    seen = {_identity(first.root)}
    kept = []
    for each in lower:
        identity = _identity(each.layer.root)
        if identity not in seen:
            seen.add(identity)
            kept.append(each)
    return kept


def _identity(root: Path) -> object:
    try:
        found = root.stat()
    except OSError:
        return root
    return (found.st_dev, found.st_ino)
