"""Write an archive of a store (`archive`)."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import tarfile
from typing import IO, TYPE_CHECKING, cast

from ..errors import IntegrityError, StoreError
from ..events import ignore
from ..fs._system import CREATE, system_path
from ..fs.failures import explain
from ..fs.hashing import hash_file
from ..models import Digest
from .archive import BUCKETS, CONTENT_BUCKETS, DOCUMENT_NAME, FORMAT, HEADER, Carried
from .documents import decode_document
from .entries import Entry, document_of, leads_to, manifest_of, survey
from .layout import BUILT, FILES, MANIFEST, SELECTIONS, TREE_BUCKETS
from .leases import OwnLease
from .manifest import encode_manifest
from .trees import TREE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .store import Store


def write_archive(store: Store, target: Path, wanted: Callable[[Entry], bool]) -> Carried:
    """Write the entries of *store* that *wanted* holds for, and the documents that lead to them, to *target*.

    What vanishes or is found damaged meanwhile is left out. The file appears in one step, over one that is there.

    :raises StoreError: it could not be written. Nothing is left of it.
    """
    staged = target.with_name(f".{target.name}.{os.urandom(6).hex()}.tmp")
    try:
        try:
            with open(os.open(system_path(staged), CREATE, 0o666), "wb") as file:
                with contextlib.closing(OwnLease(store.layout, job=None, sink=ignore)) as lease:
                    carried = _Writer(store, file, lease).write(wanted)
                file.flush()
                os.fsync(file.fileno())
            carried.bytes = os.stat(system_path(staged)).st_size
            carried.sha256 = hash_file(staged)["sha256"]
            os.replace(system_path(staged), system_path(target))
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(system_path(staged))
            raise
    except OSError as error:
        raise explain(error, doing="write the archive", path=target, option="another FILE") from error
    return carried


class _Writer:
    def __init__(self, store: Store, file: IO[bytes], lease: OwnLease) -> None:
        self._store = store
        self._lease = lease
        self._carried = Carried()
        self._tar = tarfile.TarFile(fileobj=file, mode="w", format=tarfile.PAX_FORMAT, encoding="utf-8")

    def write(self, wanted: Callable[[Entry], bool]) -> Carried:
        by_bucket: dict[str, list[Entry]] = {bucket: [] for bucket in BUCKETS}
        for each in survey(self._store.layout):
            if isinstance(each, Entry) and each.bucket in by_bucket:
                by_bucket[each.bucket].append(each)
        chosen = [entry for bucket in CONTENT_BUCKETS for entry in by_bucket[bucket] if wanted(entry)]
        self._lease.use(entry.path for entry in chosen)
        with self._tar:
            self._add(HEADER, json.dumps({"format": FORMAT}).encode() + b"\n")
            written = {
                entry.key
                for entry in chosen
                if (self._tree(entry) if entry.bucket in TREE_BUCKETS else self._file(entry))
            }
            for entry in (*by_bucket[BUILT], *by_bucket[SELECTIONS]):
                if not written.isdisjoint(leads_to(entry, document_of(entry))) or wanted(entry):
                    self._document(entry)
        return self._carried

    def _tree(self, entry: Entry) -> bool:
        manifest = manifest_of(entry)
        tree = None if manifest is None else self._store.tree(entry.bucket, manifest.digest)
        if manifest is None or tree is None:
            return False
        top = f"{entry.bucket}/{manifest.digest}"
        try:
            self._add(f"{top}/{MANIFEST}", encode_manifest(manifest))
            for each in manifest.files:
                name = f"{top}/{TREE}/{each.path}"
                self._copy(name, tree.tree / each.path, each.size, each.sha256, executable=each.executable)
        except FileNotFoundError as error:
            raise StoreError(
                f"{tree.folder} vanished while it was exported", code="entry-vanished", hint="export again"
            ) from error
        self._carried.count_tree(entry.bucket)
        return True

    def _file(self, entry: Entry) -> bool:
        try:
            digest = Digest(hash_file(entry.path)["sha256"])
        except FileNotFoundError:
            return False
        if self._store.file(digest) is None:
            return False
        self._copy(f"{FILES}/{digest}", entry.path, entry.state.st_size, digest)
        self._carried.files += 1
        return True

    def _document(self, entry: Entry) -> None:
        try:
            data = entry.path.read_bytes()
        except FileNotFoundError:
            return
        if decode_document(data) is not None and DOCUMENT_NAME.fullmatch(entry.path.name):
            self._add(f"{entry.bucket}/{entry.path.name}", data)
            self._carried.documents += 1

    def _add(self, name: str, data: bytes) -> None:
        self._tar.addfile(_member(name, len(data)), io.BytesIO(data))

    def _copy(self, name: str, path: Path, size: int, sha256: str, *, executable: bool = False) -> None:
        with open(system_path(path), "rb") as file:
            hashing = _HashingFile(file)
            try:
                self._tar.addfile(_member(name, size, executable=executable), cast("IO[bytes]", hashing))
            except OSError as error:
                if error.errno is not None:
                    raise
                raise _entry_damaged(path) from error  # it is shorter than its manifest says
        if hashing.digest() != sha256:
            raise _entry_damaged(path)


class _HashingFile:
    """Hashes what is read from a file."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._hash = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._hash.update(data)
        return data

    def digest(self) -> str:
        return self._hash.hexdigest()


def _member(name: str, size: int, *, executable: bool = False) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size = size
    member.mode = 0o555 if executable else 0o444
    return member


def _entry_damaged(path: Path) -> IntegrityError:
    return IntegrityError(
        f"{path} is damaged, and nothing was exported: its content is not what its digest says",
        code="entry-damaged",
        hint="run `ci-install cache repair`, and export again",
    )
