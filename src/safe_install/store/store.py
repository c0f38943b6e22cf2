"""A store: what is in it, and putting more into it (design section 5)."""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import IntegrityError, StoreError
from ..events import Noticed, SteppedDown, ignore
from ..fs._system import CREATE, seal, system_path
from ..fs.atomic import write_atomically
from ..fs.failures import explain
from ..fs.hashing import content_time, hash_file
from ..fs.remove import remove_file, remove_tree
from ..fs.retry import DEFAULT_BUDGET
from .documents import CachedPage, decode_document, decode_page, encode_document, encode_page
from .inventory import StoreInfo, take_inventory
from .layout import MANIFEST, Layout
from .looking import look
from .manifest import Manifest, read_manifest, write_manifest
from .opening import Marker, open_layout, recognise_layout
from .publish import Publisher
from .trees import TreeWriter, WheelTree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ..events import EventSink
    from ..models import Digest

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

    def __init__(self, layout: Layout, marker: Marker, *, retry_budget: float, sink: EventSink) -> None:
        self._layout = layout
        self._marker = marker
        self._budget = retry_budget
        self._sink = sink
        self._publisher = Publisher(layout, budget=retry_budget, sink=sink)
        self._told: set[Path] = set()

    @classmethod
    def open(cls, root: Path, *, retry_budget: float = DEFAULT_BUDGET, sink: EventSink = ignore) -> Store:
        """Open the store at *root*, which is made when missing, private to this user.

        :param retry_budget: seconds for each operation that fails in a way that passes.
        :raises StoreError: and *PolicyError*: as `open_layout` says.
        """
        layout = Layout(root.absolute())
        return cls(layout, open_layout(layout, budget=retry_budget, sink=sink), retry_budget=retry_budget, sink=sink)

    @classmethod
    def open_for_reading(cls, root: Path, *, retry_budget: float = DEFAULT_BUDGET, sink: EventSink = ignore) -> Store:
        """Open a store that is there already, without writing anything: perhaps a mount that cannot be written.

        Only what reads may be asked of it.

        :raises StoreError: and *PolicyError*: as `recognise_layout` says.
        """
        layout = Layout(root.absolute())
        return cls(layout, recognise_layout(layout), retry_budget=retry_budget, sink=sink)

    @property
    def layout(self) -> Layout:
        """Where everything in it lies."""
        return self._layout

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
        """Return the unpacked wheel whose file has this SHA-256, with every file checked by `WheelTree.damage`."""

        def load(folder: Path) -> WheelTree | None:
            return self._load_wheel(folder, digest, tell=True)

        return self._look(self._layout.wheel(digest), load)

    @contextlib.contextmanager
    def stage_wheel(self) -> Iterator[TreeWriter]:
        """Give a writer for a new tree beside the entries; what was not published is removed at the end."""
        folder = self._layout.staging("wheel")
        with self._staged(folder):
            with self._explaining("make a staging folder", folder):
                os.mkdir(system_path(folder), 0o700)
            yield TreeWriter(folder)

    def publish_wheel(self, folder: Path, manifest: Manifest) -> WheelTree:
        """Make the tree that a `TreeWriter` wrote in *folder* an entry; return it, or the one that was there first.

        :param folder: `TreeWriter.folder` of `stage_wheel`. Afterwards it is gone or no longer needed.
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
        target = self._layout.wheel(manifest.digest)
        made = WheelTree(digest=manifest.digest, folder=target, manifest=manifest, modes=self._marker.modes)
        with self._explaining("publish a wheel", target):
            # There is one only when an earlier try failed after writing it.
            remove_file(folder / MANIFEST, budget=0)
            write_manifest(folder / MANIFEST, manifest)
            return self._publisher.publish(
                folder, target, made=made, load=lambda place: self._load_wheel(place, manifest.digest, tell=False)
            )

    def _load_wheel(self, folder: Path, digest: Digest, *, tell: bool) -> WheelTree | None:
        try:
            manifest = read_manifest(folder / MANIFEST)
        except (IntegrityError, NotADirectoryError) as error:
            problems = [str(error)]
        else:
            tree = WheelTree(digest=digest, folder=folder, manifest=manifest, modes=self._marker.modes)
            problems = tree.damage() if manifest.digest == digest else ["it is another wheel's"]
            if not problems:
                return tree
        if tell and folder not in self._told:
            self._told.add(folder)
            more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
            self._sink(SteppedDown(kind="damaged-entry", message=f"{folder} is not used: {problems[0]}{more}"))
        return None

    # Files

    def file(self, digest: Digest) -> Path | None:
        """Return the file with this SHA-256, checked by its time; its content is the reader's to check."""

        def load(path: Path) -> Path | None:
            state = os.lstat(system_path(path))
            whole = stat.S_ISREG(state.st_mode) and state.st_mtime_ns == content_time(digest)
            return path if whole else None

        return self._look(self._layout.file(digest), load)

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
            return self._publisher.publish(
                staged, target, made=target, load=lambda path: path if hash_file(path)["sha256"] == digest else None
            )

    # Documents and pages

    def document(self, bucket: str, key: Digest) -> dict[str, Any] | None:
        """Return the JSON document with this key.

        :param bucket: `layout.BUILT` or `layout.INTERPRETERS`.
        """
        return self._look(self._layout.document(bucket, key), _load_document)

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
                write_atomically(target, data, mode=0o444, flush=True, budget=self._budget, sink=self._sink)
                return document
            with self._staged_bytes(data) as staged:
                return self._publisher.publish(staged, target, made=document, load=_load_document)

    def page(self, key: Digest) -> CachedPage | None:
        """Return the newest valid version of an index page."""
        for version in self._layout.page_versions(key):
            path = self._layout.page(key, version)
            if (page := self._look(path, _load_page)) is not None:
                return page
        return None

    def publish_page(self, key: Digest, page: CachedPage) -> None:
        """Store *page* as the newest version; old versions are removed."""
        versions = self._layout.page_versions(key)
        version = versions[0] + 1 if versions else 1
        with self._explaining("publish an index page", self._layout.page(key, version)):
            with self._staged_bytes(encode_page(page)) as staged:
                # Whoever takes a number first has it: of two pages read at one time either is the newest.
                self._publisher.publish(staged, self._layout.page(key, version), made=page, load=_load_page)
            for old in versions[_KEPT_PAGE_VERSIONS - 1 :]:
                with contextlib.suppress(OSError):
                    remove_file(self._layout.page(key, old), budget=0)

    # All of it

    def info(self) -> StoreInfo:
        """Count entries and bytes. Reads every manifest."""
        with self._explaining("look at the store", self.root):
            return take_inventory(self._layout)

    def _look(self, path: Path, load: Callable[[Path], T | None]) -> T | None:
        return look(path, load, budget=self._budget, sink=self._sink)

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
            with open(os.open(system_path(path), CREATE, 0o444), "wb") as file:
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


def _load_document(path: Path) -> dict[str, Any] | None:
    with open(system_path(path), "rb") as file:
        return decode_document(file.read())


def _load_page(path: Path) -> CachedPage | None:
    with open(system_path(path), "rb") as file:
        return decode_page(file.read())
