"""Read an archive of a store (`archive`), every byte of it with suspicion."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tarfile
from typing import IO, TYPE_CHECKING, Any, cast

from ..errors import IntegrityError, StoreError
from ..fs._system import CREATE, system_path
from ..fs.failures import explain
from ..fs.hashing import hash_file
from ..fs.paths import find_collisions, problem_with_member
from ..models import Digest
from .archive import BUCKETS, CHUNK, DOCUMENT_NAME, FORMAT, HEADER, Carried
from .documents import decode_document
from .layout import FILES, MANIFEST, TREE_BUCKETS
from .manifest import parse_manifest
from .transfer import leads_somewhere
from .trees import TREE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .manifest import Manifest
    from .store import Store

_LONGEST_TEXT = 1 << 26
"""Bytes of a manifest or document. A wheel of a hundred thousand files has one of a sixth of that."""
_WINDOWS = os.name == "nt"
_DIGEST = re.compile("[0-9a-f]{64}")
_REST_OF_KEY = "0" * 32
"""Documents are named after the first half of their key alone; the other half is never looked at."""


def read_archive(store: Store, source: Path, *, sha256: str | None) -> Carried:
    """Bring what the archive *source* holds into *store*; what is there already is compared with nothing and kept.

    Each entry appears when it has been read and checked whole, so an archive that turns out wrong leaves those before.

    :param sha256: of the archive; another one is refused before anything is brought.
    :raises IntegrityError: ``hash-mismatch``, ``archive-malformed``, ``archive-member``, or as `parse_manifest`.
    :raises StoreError: *source* cannot be read, or *store* not be written.
    """
    try:
        with open(system_path(source), "rb") as file:
            if sha256 is not None and (found := hash_file(source)["sha256"]) != sha256.lower():
                raise IntegrityError(
                    f"{source} is not the archive that was asked for",
                    code="hash-mismatch",
                    context=(f"expected {sha256}", f"found    {found}"),
                )
            return _Reader(store, source, file).read()
    except OSError as error:
        raise explain(error, doing="read the archive", path=source, option="another FILE") from error


class _Bounded:
    """A file of which nothing is read at once that would fill the memory: headers tell their own length."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _LONGEST_TEXT:
            raise tarfile.ReadError(f"{size} bytes are wanted at once")
        return self._file.read(size)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


class _Reader:
    def __init__(self, store: Store, source: Path, file: IO[bytes]) -> None:
        self._store = store
        self._source = source
        self._file = file
        self._carried = Carried()
        self._tar: tarfile.TarFile
        self._last = ""

    def read(self) -> Carried:
        try:
            self._tar = tarfile.TarFile(fileobj=cast("IO[bytes]", _Bounded(self._file)), mode="r", encoding="utf-8")
            with self._tar:
                self._read_header()
                while (member := self._next()) is not None:
                    self._entry(member)
                self._expect_end()
        except (tarfile.TarError, EOFError, UnicodeError, ValueError, OverflowError) as error:
            if isinstance(error, IntegrityError):
                raise
            raise self._malformed(str(error) or "it is cut short") from error
        return self._carried

    def _read_header(self) -> None:
        member = self._next()
        if member is None or member.name != HEADER:
            raise self._malformed(f"it does not begin with {HEADER}")
        document = json.loads(self._text(member))
        if not isinstance(document, dict) or not isinstance(document.get("format"), int):
            raise self._malformed(f"its {HEADER} cannot be read")
        if document["format"] > FORMAT:
            raise StoreError(
                f"{self._source} has format {document['format']}, and this release knows formats up to {FORMAT}",
                code="archive-newer-format",
                hint="update safe-install",
            )

    def _next(self) -> tarfile.TarInfo | None:
        member = self._tar.next()
        if member is not None:
            # They are kept for looking members up by name, which is never done here.
            self._tar.members = []  # type: ignore[attr-defined]  # a public name that the stubs lack
            if member.type != tarfile.REGTYPE or member.issparse() or not set(member.pax_headers) <= {"path", "size"}:
                raise self._refused(member, "is no plain file")
        return member

    def _entry(self, member: tarfile.TarInfo) -> None:
        bucket, _, rest = member.name.partition("/")
        # One way to write an archive, so that nothing is brought twice and the same entries are the same bytes.
        order = f"{BUCKETS.index(bucket)}/{rest}" if bucket in BUCKETS else ""
        if not order or order <= self._last:
            raise self._refused(member, "is not what follows")
        self._last = order
        if bucket in TREE_BUCKETS:
            self._tree(member, bucket, rest)
        elif bucket == FILES:
            self._plain_file(member, rest)
        else:
            self._document(member, bucket, rest)

    def _tree(self, member: tarfile.TarInfo, bucket: str, rest: str) -> None:
        manifest = parse_manifest(self._text(member), f"{self._source}:{member.name}")
        if rest != f"{manifest.digest}/{MANIFEST}":
            raise self._refused(member, "is the manifest of another entry")
        self._check_paths(member, manifest)
        self._carried.count_tree(bucket)
        known = self._store.tree(bucket, manifest.digest) is not None
        self._carried.known += known
        if known:
            for entry in manifest.files:
                chunks = self._chunks(self._expect(bucket, manifest, entry.path), entry.size)
                if _digest_of(chunks) != entry.sha256:
                    raise self._refused(member, f"does not have the content of {entry.path}")
            return
        with self._store.stage_tree() as writer:
            for entry in manifest.files:
                chunks = self._chunks(self._expect(bucket, manifest, entry.path), entry.size)
                if writer.add(entry.path, chunks, executable=entry.executable) != entry:
                    raise self._refused(member, f"does not have the content of {entry.path}")
            # As if it had been unpacked here: the manifest is made anew.
            ours = writer.finish(digest=manifest.digest, filename=manifest.filename)
            self._store.publish_tree(bucket, writer.folder, ours)

    def _check_paths(self, member: tarfile.TarInfo, manifest: Manifest) -> None:
        names = []
        for entry in manifest.files:
            # Whatever JSON can hold may stand there.
            path, size, _, executable = cast("tuple[object, object, object, object]", entry)
            if not isinstance(path, str) or type(size) is not int or size < 0 or not isinstance(executable, bool):
                raise self._refused(member, f"has an entry that is none: {entry!r:.200}")
            if (problem := problem_with_member(path, portable=_WINDOWS)) is not None:
                raise self._refused(member, f"names {path!r}, which {problem}")
            names.append(path)
        if names != sorted(set(names)):
            raise self._refused(member, "does not name its files in order")
        if _WINDOWS and (collisions := find_collisions(names)):
            raise self._refused(
                member, f"names {collisions[0][0]} and {collisions[0][1]}, which some systems take for one"
            )

    def _expect(self, bucket: str, manifest: Manifest, path: str) -> tarfile.TarInfo:
        name = f"{bucket}/{manifest.digest}/{TREE}/{path}"
        member = self._next()
        if member is None:
            raise self._malformed(f"{name} is missing")
        if member.name != name:
            raise self._refused(member, f"stands where {name} should be")
        return member

    def _plain_file(self, member: tarfile.TarInfo, rest: str) -> None:
        if not _DIGEST.fullmatch(rest):
            raise self._refused(member, "is no digest")
        digest = Digest(rest)
        self._carried.files += 1
        if self._store.file(digest) is not None:
            self._carried.known += 1
            if _digest_of(self._chunks(member, member.size)) != digest:
                raise self._refused(member, "does not have the content of its digest")
            return
        with self._store.stage_file() as staged:
            try:
                with open(os.open(system_path(staged), CREATE, 0o600), "wb") as file:
                    file.writelines(self._chunks(member, member.size))
            except OSError as error:
                raise explain(error, doing="write a file of the store", path=staged) from error
            self._store.publish_file(staged, digest)

    def _document(self, member: tarfile.TarInfo, bucket: str, rest: str) -> None:
        match = DOCUMENT_NAME.fullmatch(rest)
        document: dict[str, Any] | None = decode_document(self._text(member)) if match else None
        if match is None or document is None:
            raise self._refused(member, "is no document of a store")
        key = Digest(match[1] + _REST_OF_KEY)
        self._carried.documents += 1
        present = self._store.document(bucket, key)
        if present is not None and leads_somewhere(present, self._store):
            self._carried.known += 1
            return
        self._store.publish_document(bucket, key, document, replace=present is not None)

    def _text(self, member: tarfile.TarInfo) -> bytes:
        if member.size > _LONGEST_TEXT:
            raise self._refused(member, f"has {member.size} bytes")
        return b"".join(self._chunks(member, member.size))

    def _chunks(self, member: tarfile.TarInfo, size: int) -> Iterator[bytes]:
        if member.size != size:
            raise self._refused(member, f"has {member.size} bytes instead of {size}")
        file = self._tar.extractfile(member)
        assert file is not None  # it is a regular file
        while chunk := file.read(CHUNK):
            size -= len(chunk)
            yield chunk
        if size:
            raise self._malformed(f"it ends within {member.name}")

    def _expect_end(self) -> None:
        """`tarfile` takes whatever it cannot read in the middle for the end, which is two blocks of zeros."""
        self._file.seek(self._tar.offset)
        length = 0
        while chunk := self._file.read(CHUNK):
            length += len(chunk)
            if chunk.strip(b"\0"):
                raise self._malformed("what follows its last entry cannot be read")
        if length < 2 * tarfile.BLOCKSIZE:
            raise self._malformed("it is cut short")

    def _malformed(self, reason: str) -> IntegrityError:
        return IntegrityError(
            f"{self._source} is not taken for an archive of a store: {reason}",
            code="archive-malformed",
            hint="make it again with `ci-install cache export`",
        )

    def _refused(self, member: tarfile.TarInfo, reason: str) -> IntegrityError:
        return IntegrityError(
            f"{self._source} is refused: its member {member.name!r} {reason}",
            code="archive-member",
            hint="make it again with `ci-install cache export`; one that was is never refused",
        )


def _digest_of(chunks: Iterator[bytes]) -> str:
    found = hashlib.sha256()
    for chunk in chunks:
        found.update(chunk)
    return found.hexdigest()
