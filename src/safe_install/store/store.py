"""A store: what is in it, and putting more into it (design section 5)."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import IntegrityError, StoreError
from ..events import Noticed, Repaired, SteppedDown, ignore
from ..fs._system import CREATE, seal, set_mode, system_path
from ..fs.atomic import write_atomically
from ..fs.failures import explain
from ..fs.hashing import content_time, hash_file
from ..fs.remove import remove_file, remove_tree
from ..fs.retry import DEFAULT_BUDGET
from ..fs.rights import make_folder
from .documents import CachedPage, decode_document, decode_page, encode_document, encode_page
from .inventory import StoreInfo, take_inventory
from .layout import IMAGES, MANIFEST, WHEELS, Layout
from .looking import look
from .manifest import read_manifest, write_manifest
from .opening import Marker, open_layout, recognise_layout
from .publish import Publisher
from .quarantine import Quarantine
from .trees import TreeWriter, WheelTree
from .uses import record_uses
from .verify import Checker, Checks, damaged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ..events import EventSink
    from ..models import Digest
    from .manifest import Manifest

T = TypeVar("T")

# What a clean-up may wait for names that somebody holds; what stays is only litter in staging/.
_CLEAN_UP_BUDGET = 5.0
# A reader that listed the folder a moment ago still finds the version it chose.
_KEPT_PAGE_VERSIONS = 2


class Store:
    """One folder of immutable entries named by digest. Safe to share between threads, processes and hosts.

    What is absent, half-made or damaged reads as None; what was damaged is told once, as a step down. Errors of the
    file system become `StoreError`: ``disk-full``, ``read-only``, ``permission-denied``, ``io-error``.
    """

    def __init__(
        self,
        layout: Layout,
        marker: Marker,
        *,
        writable: bool,
        checks: Checks | None,
        retry_budget: float,
        sink: EventSink,
    ) -> None:
        checks = checks or Checks()
        self._layout = layout
        self._marker = marker
        self._writable = writable
        self._budget = retry_budget
        self._sink = sink
        self._quarantine = Quarantine(layout, budget=retry_budget, job=checks.job, sink=sink)
        self._publisher = Publisher(self._quarantine, budget=retry_budget, sink=sink)
        self._checker = Checker(layout, checks, writable=writable, modes=marker.modes, sink=sink)
        self._told: set[Path] = set()

    @classmethod
    def open(
        cls,
        root: Path,
        *,
        checks: Checks | None = None,
        retry_budget: float = DEFAULT_BUDGET,
        sink: EventSink = ignore,
    ) -> Store:
        """Open the store at *root*, which is made when missing, private to this user.

        :param checks: how entries are checked; one for all layers of a process.
        :param retry_budget: seconds for each operation that fails in a way that passes.
        :raises StoreError: and *PolicyError*: as `open_layout` says.
        """
        layout = Layout(root.absolute())
        marker = open_layout(layout, budget=retry_budget, sink=sink)
        return cls(layout, marker, writable=True, checks=checks, retry_budget=retry_budget, sink=sink)

    @classmethod
    def open_for_reading(
        cls,
        root: Path,
        *,
        checks: Checks | None = None,
        retry_budget: float = DEFAULT_BUDGET,
        sink: EventSink = ignore,
    ) -> Store:
        """Open a store that is there already, without writing anything: perhaps a mount that cannot be written.

        Only what reads may be asked of it.

        :raises StoreError: and *PolicyError*: as `recognise_layout` says.
        """
        layout = Layout(root.absolute())
        marker = recognise_layout(layout)
        return cls(layout, marker, writable=False, checks=checks, retry_budget=retry_budget, sink=sink)

    @property
    def layout(self) -> Layout:
        """Where everything in it lies."""
        return self._layout

    @property
    def marker(self) -> Marker:
        """What is known of it."""
        return self._marker

    @property
    def root(self) -> Path:
        """Where it is, absolute."""
        return self._layout.root

    @property
    def logs(self) -> Path:
        """The folder for logs of failed builds."""
        return self._layout.logs

    # Unpacked wheels

    def wheel(self, digest: Digest) -> WheelTree | None:
        """Return the unpacked wheel whose file has this SHA-256, checked as `verify` says."""
        return self.tree(WHEELS, digest)

    def publish_wheel(self, folder: Path, manifest: Manifest) -> WheelTree:
        """As `publish_tree`, for a wheel."""
        return self.publish_tree(WHEELS, folder, manifest)

    # Trees: wheels, and what is made of them

    def tree(self, bucket: str, digest: Digest) -> WheelTree | None:
        """Return the tree with this name, checked as `verify` says. :param bucket: one of `layout.TREE_BUCKETS`."""
        return self._get(self._layout.tree(bucket, digest), self._tree_loader(digest))

    def tree_of_today(self, bucket: str, digest: Digest) -> Path | None:
        """Return the folder of a tree, which is checked as by `tree` once a boot and day only.

        For what is referred to and not placed: neither its manifest nor a file of it is looked at otherwise.
        """
        folder = self._layout.tree(bucket, digest)
        try:
            if self._checker.was_checked_today(folder):
                return folder
        except OSError:
            return None
        if self.tree(bucket, digest) is None:
            return None
        self._checker.note_today(folder)
        return folder

    @contextlib.contextmanager
    def stage_tree(self) -> Iterator[TreeWriter]:
        """Give a writer for a new tree beside the entries; what was not published is removed at the end."""
        folder = self._layout.staging("tree")
        with self._staged(folder):
            with self._explaining("make a staging folder", folder):
                make_folder(folder)
            yield TreeWriter(folder)

    def publish_tree(self, bucket: str, folder: Path, manifest: Manifest) -> WheelTree:
        """Make the tree that a `TreeWriter` wrote in *folder* an entry; return it, or the one that was there first.

        :param folder: `TreeWriter.folder` of `stage_tree`. Afterwards it is gone or no longer needed.
        :raises StoreError: ``staging-damaged``: the tree is not what the manifest says. Nothing is visible.
        """
        staged = WheelTree(digest=manifest.digest, folder=folder, manifest=manifest, modes=self._marker.modes)
        if problems := staged.damage():
            raise StoreError(
                f"what was staged for {manifest.filename} is not what was written: {problems[0]}",
                code="staging-damaged",
                context=tuple(problems[1:4]),
                hint="check the disk, and whether something cleans this folder while it is used",
            )
        target = self._layout.tree(bucket, manifest.digest)
        made = WheelTree(digest=manifest.digest, folder=target, manifest=manifest, modes=self._marker.modes)
        with self._explaining("publish a tree", target):
            # There is one only when an earlier try failed after writing it.
            remove_file(folder / MANIFEST, budget=0)
            write_manifest(folder / MANIFEST, manifest)
            tree = self._publish(folder, target, made=made, load=self._tree_loader(manifest.digest))
        self._checker.note(tree)
        return tree

    def _tree_loader(self, digest: Digest) -> Callable[[Path], WheelTree | None]:
        def load(folder: Path) -> WheelTree | None:
            manifest = self._checker.readable(folder / MANIFEST, read_manifest)
            if manifest.digest != digest:
                return None  # another one's: names are the first half of a digest
            tree = WheelTree(
                digest=digest,
                folder=folder,
                manifest=manifest,
                modes=self._marker.modes,
                runs=folder.parent.parent.name == IMAGES,
            )
            self._checker.tree(tree)
            return tree

        return load

    # Files

    def file(self, digest: Digest) -> Path | None:
        """Return the file with this SHA-256, whose content is read."""
        return self._get(self._layout.file(digest), lambda path: self._checker.file(path, digest))

    @contextlib.contextmanager
    def stage_file(self) -> Iterator[Path]:
        """Give the name of a new file beside the entries; what was not published is removed at the end."""
        path = self._layout.staging("file")
        with self._staged(path):
            yield path

    def publish_file(self, staged: Path, digest: Digest) -> Path:
        """Make the file *staged* an entry; return its path, or that of the one that was there first.

        :param staged: from `stage_file`, written and closed. Afterwards it is gone or no longer needed.
        :raises IntegrityError: ``hash-mismatch``: its SHA-256 is not *digest*. Nothing is visible.
        """
        target = self._layout.file(digest)
        with self._explaining("publish a file", target):
            found = hash_file(staged)["sha256"]
            if found != digest:
                raise IntegrityError(
                    f"the file for {target} has another SHA-256 than it should have",
                    code="hash-mismatch",
                    context=(f"expected {digest}", f"found    {found}"),
                )
            descriptor = os.open(system_path(staged), os.O_RDWR | getattr(os, "O_BINARY", 0))
            try:
                os.fsync(descriptor)
                seal(descriptor, system_path(staged), executable=False, time=content_time(digest))
            finally:
                os.close(descriptor)
            return self._publish(staged, target, made=target, load=lambda path: self._checker.file(path, digest))

    # Documents and pages

    def document(self, bucket: str, key: Digest) -> dict[str, Any] | None:
        """Return the JSON document with this key.

        :param bucket: `layout.BUILT` or `layout.INTERPRETERS`.
        """
        path = self._layout.document(bucket, key)
        found = self._get(path, self._load_document)
        if found is not None and self._writable:
            record_uses([path])
        return found

    def publish_document(
        self, bucket: str, key: Digest, document: dict[str, Any], *, replace: bool = False
    ) -> dict[str, Any]:
        """Store *document*; return it, or the one that was there first.

        :param replace: put it in the place of another one, for a pointer to something that is no more.
        """
        target = self._layout.document(bucket, key)
        data = encode_document(document)
        with self._explaining("publish a document", target):
            if replace:
                write_atomically(target, data, mode=0o444, exact=True, flush=True, budget=self._budget, sink=self._sink)
                return document
            with self._staged_bytes(data) as staged:
                return self._publish(staged, target, made=document, load=self._load_document)

    def page(self, key: Digest) -> CachedPage | None:
        """Return the newest valid version of an index page."""
        seen: list[int] = []
        # Writers may have removed all that were listed, and put newer ones in their place.
        while (versions := self._layout.page_versions(key)) and versions != seen:
            for version in versions:
                if (page := self._get(self._layout.page(key, version), self._load_page)) is not None:
                    return page
            seen = versions
        return None

    def publish_page(self, key: Digest, page: CachedPage) -> None:
        """Store *page* as the newest version; old versions are removed."""
        versions = self._layout.page_versions(key)
        version = versions[0] + 1 if versions else 1
        with self._explaining("publish an index page", self._layout.page(key, version)):
            with self._staged_bytes(encode_page(page)) as staged:
                # Whoever takes a number first has it: of two pages read at one time either is the newest.
                self._publish(staged, self._layout.page(key, version), made=page, load=self._load_page)
            for old in versions[_KEPT_PAGE_VERSIONS - 1 :]:
                with contextlib.suppress(OSError):
                    remove_file(self._layout.page(key, old), budget=0)

    # All of it

    def info(self) -> StoreInfo:
        """Count entries and bytes. Reads every manifest."""
        with self._explaining("look at the store", self.root):
            return take_inventory(self._layout)

    def _load_document(self, path: Path) -> dict[str, Any]:
        document = decode_document(self._checker.readable(path, _read))
        if document is None:
            raise damaged(path, ["its checksum is wrong"])
        return document

    def _load_page(self, path: Path) -> CachedPage:
        page = decode_page(self._checker.readable(path, _read))
        if page is None:
            raise damaged(path, ["its checksum is wrong"])
        return page

    def _get(self, path: Path, load: Callable[[Path], T | None]) -> T | None:
        """Return the entry at *path*; a damaged one is put into quarantine, or passed by where nothing is written.

        :param load: as `look` says; raises `IntegrityError` when the entry is damaged.
        """
        try:
            found = look(path, load, budget=self._budget, sink=self._sink)
        except IntegrityError as error:
            found = self._put_aside(path, load, error)
        if found is not None:
            self._tell_repaired(path)
        return found

    def _put_aside(self, path: Path, load: Callable[[Path], T | None], error: IntegrityError) -> T | None:
        problem = error.message
        if not self._marker.links and not os.path.isdir(system_path(path)):
            return None  # perhaps somebody is just writing it; who has another to publish finds out
        if self._writable:
            try:
                return self._quarantine.take(path, error.context or (error.message,), _or_none(load))
            except OSError as failure:
                problem = f"{error.message}, and cannot be moved aside: {failure.strerror}"
        if path not in self._told:
            self._told.add(path)
            self._sink(SteppedDown(kind="damaged-entry", message=f"{problem}; it is not used"))
        return None

    def _publish(self, staged: Path, target: Path, *, made: T, load: Callable[[Path], T | None]) -> T:
        published = self._publisher.publish(staged, target, made=made, load=_or_none(load))
        self._tell_repaired(target)
        return published

    def _tell_repaired(self, path: Path) -> None:
        if self._quarantine.missing and (name := self._layout.entry_name(path)) in self._quarantine.missing:
            self._quarantine.missing.discard(name)
            self._sink(Repaired(what=name))

    @contextlib.contextmanager
    def _staged(self, path: Path) -> Iterator[None]:
        """Remove what is left at *path* at the end, whatever happens."""
        try:
            yield
        finally:
            try:
                remove_tree(path, budget=_CLEAN_UP_BUDGET, sink=self._sink)
            except OSError as error:
                self._sink(Noticed(message=f"could not remove {path}: {error.strerror}"))

    @contextlib.contextmanager
    def _staged_bytes(self, data: bytes) -> Iterator[Path]:
        with self.stage_file() as path:
            with open(os.open(system_path(path), CREATE, 0o600), "wb") as file:
                set_mode(file.fileno(), 0o444)
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            yield path

    @contextlib.contextmanager
    def _explaining(self, doing: str, path: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise explain(error, doing=doing, path=path) from error


def _read(path: Path) -> bytes:
    with open(system_path(path), "rb") as file:
        return file.read()


def _or_none(load: Callable[[Path], T | None]) -> Callable[[Path], T | None]:
    """Return a *load* for which a damaged entry is none."""

    def load_or_none(path: Path) -> T | None:
        try:
            return load(path)
        except IntegrityError:
            return None

    return load_or_none
