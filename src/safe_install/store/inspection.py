"""Check a whole store, every byte of every entry, and on request mend it (``cache verify``, ``cache repair``).

Runs beside busy jobs: nothing is locked, and what appears or vanishes meanwhile is left out.
"""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import IntegrityError
from ..events import PhaseAdvanced, SteppedDown, Touched, telling
from ..fs._system import system_path
from ..fs.failures import explain
from ..fs.hashing import hash_file
from ..models import Digest, Verification
from .documents import decode_document, decode_page
from .entries import Entry, size_of, survey
from .layout import DOCUMENT_BUCKETS, FILES, IMAGES, INDEX, MANIFEST, TREE_BUCKETS, name_of
from .manifest import read_manifest
from .quarantine import Quarantine
from .trees import WheelTree
from .verify import Checker, Checks, damaged

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from ..events import Event, EventSink
    from .store import Store

_MOST_THREADS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class DamagedEntry:
    """:param problems: as phrases, at least one. :param aside: whether it was moved into quarantine."""

    path: Path
    problems: tuple[str, ...]
    aside: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What an inspection found.

    :param bytes: of content that was read.
    :param touched: entries with wrong modes or times and right content, and how many files.
    """

    entries: int
    bytes: int
    damaged: Sequence[DamagedEntry]
    touched: Mapping[str, int]


def inspect(store: Store, *, repair: bool, job: str | None, budget: float, sink: EventSink) -> Findings:
    """Check everything in *store*.

    :param repair: put modes and times back, and damaged entries into quarantine, to be made again at the next use.
    :param job: URL of the job, for what is put into quarantine.
    :param budget: seconds for errors that pass.
    :raises StoreError: the store cannot be listed.
    """
    return _Inspection(store, repair=repair, job=job, budget=budget, sink=sink).run()


class _Inspection:
    def __init__(self, store: Store, *, repair: bool, job: str | None, budget: float, sink: EventSink) -> None:
        self._root = store.root
        self._layout = store.layout
        self._modes = store.marker.modes
        self._repair = repair
        self._sink = sink
        self._lock = threading.Lock()
        self._touched: dict[str, int] = defaultdict(int)
        checks = Checks(mode=Verification.FULL, job=job)
        self._checker = Checker(
            store.layout, checks, writable=repair, modes=self._modes, sink=self._note, look_only=not repair
        )
        self._quarantine = Quarantine(store.layout, budget=budget, job=job, sink=sink)

    def run(self) -> Findings:
        try:
            found = list(survey(self._layout))
        except OSError as error:
            raise explain(error, doing="list the store", path=self._root) from error
        entries = [each for each in found if isinstance(each, Entry)]
        half_made = [each.path for each in found if not isinstance(each, Entry) and each.reason == "half-made"]
        threads = min(_MOST_THREADS, 2 * (os.cpu_count() or 1))
        with (
            telling(self._sink, "verify", key=str(self._root), label=str(self._root), total=len(entries)),
            ThreadPoolExecutor(threads) as pool,
        ):
            problems = list(pool.map(self._check, entries))
        damage = [each for each in problems if each is not None]
        damage += [self._judge(path, damaged(path, ["it has no manifest"])) for path in half_made]
        return Findings(
            entries=len(entries) + len(half_made),
            bytes=sum(map(size_of, entries)),
            damaged=sorted(damage, key=lambda each: each.path),
            touched=dict(self._touched),
        )

    def _note(self, event: Event) -> None:
        if isinstance(event, Touched):
            with self._lock:
                self._touched[event.entry] += event.files
        self._sink(event)

    def _check(self, entry: Entry) -> DamagedEntry | None:
        try:
            self._load(entry.path, self._layout.entry_name(entry.path))
        except IntegrityError as error:
            return self._judge(entry.path, error)
        except OSError as error:
            if not os.path.lexists(system_path(entry.path)):
                return None
            problem = damaged(entry.path, [f"it cannot be read: {error.strerror}"])
            return DamagedEntry(path=entry.path, problems=problem.context, aside=False)
        finally:
            self._sink(PhaseAdvanced(phase="verify", key=str(self._root), amount=1))
        return None

    def _judge(self, path: Path, error: IntegrityError) -> DamagedEntry:
        aside = False
        if self._repair:
            try:
                aside = self._quarantine.take(path, error.context, self._loader(path)) is None
            except OSError as failure:
                message = f"{path} is damaged and cannot be moved aside: {failure.strerror}"
                self._sink(SteppedDown(kind="damaged-entry", message=message))
        return DamagedEntry(path=path, problems=error.context, aside=aside)

    def _loader(self, original: Path) -> Callable[[Path], Path | None]:
        entry = self._layout.entry_name(original)

        def load(path: Path) -> Path | None:
            try:
                self._load(path, entry)
            except IntegrityError:
                return None
            return path

        return load

    def _load(self, path: Path, entry: str) -> None:
        """Check the entry that is called *entry*, wherever it is now.

        :raises IntegrityError: ``entry-damaged``.
        :raises OSError: it cannot be read.
        """
        bucket, name = entry.split("/")
        if bucket in TREE_BUCKETS:
            self._load_tree(path, bucket, name)
        elif bucket == FILES:
            self._load_file(path, name)
        elif bucket in DOCUMENT_BUCKETS:
            if decode_document(self._checker.readable(path, _read)) is None:
                raise damaged(path, ["its checksum is wrong"])
        elif bucket == INDEX and decode_page(self._checker.readable(path, _read)) is None:
            raise damaged(path, ["its checksum is wrong"])

    def _load_tree(self, path: Path, bucket: str, name: str) -> None:
        manifest = self._checker.readable(path / MANIFEST, read_manifest)
        if name_of(manifest.digest) != name:
            raise damaged(path, ["it is another one's"])
        self._checker.tree(
            WheelTree(digest=manifest.digest, folder=path, manifest=manifest, modes=self._modes, runs=bucket == IMAGES)
        )

    def _load_file(self, path: Path, name: str) -> None:
        digest = Digest(self._checker.readable(path, hash_file)["sha256"])
        if name_of(digest) != name:
            raise damaged(path, ["it has other content"])
        self._checker.file(path, digest)


def _read(path: Path) -> bytes:
    with open(system_path(path), "rb") as file:
        return file.read()
