"""Check the files of a wheel against its RECORD, as the packer wrote it.

The binary distribution format asks for a hash of every file but RECORD and its signatures, "sha256 or better", and
for archives that disagree to be refused ("The .dist-info directory", "Signed wheel files"):
https://packaging.python.org/en/latest/specifications/binary-distribution-format/
"""

from __future__ import annotations

import base64
import binascii
import csv
import hashlib
import io
from typing import TYPE_CHECKING, NamedTuple

from ..models import SECURE_ALGORITHMS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ..store.manifest import FileEntry
    from .refusal import Irregularities
    from .zip_headers import Member

CODE = "wheel-record"


class Row(NamedTuple):
    """What RECORD says of one file. :param digest: hexadecimal; empty where there is none that counts."""

    algorithm: str
    digest: str
    size: int | None


class RecordCheck:
    """Compares a wheel's members with its RECORD: what is there before unpacking, the content on the way.

    Whatever is wrong goes into *irregularities*; nothing here raises.

    :param path: of RECORD in the archive.
    :param data: its content; None when the wheel has none, which is noted once.
    """

    def __init__(self, path: str, data: bytes | None, irregularities: Irregularities) -> None:
        self._path = path
        self._exempt = {path, f"{path}.jws", f"{path}.p7s"}
        self._irregularities = irregularities
        self._rows: Mapping[str, Row] | None = None
        if data is None:
            self._note("it has no RECORD")
        else:
            self._rows = self._parsed(data)

    def compare_members(self, files: Iterable[Member]) -> None:
        """Compare which files there are, and their sizes. Rows of folders, which some packers write, are ignored."""
        if self._rows is None:
            return
        missing = set(self._rows)
        for member in files:
            missing.discard(member.name)
            if member.name in self._exempt:
                continue
            row = self._rows.get(member.name)
            if row is None:
                self._note("it is not in RECORD", member.name)
            elif row.size is not None and row.size != member.size:
                self._note(f"RECORD says {row.size} bytes, it has {member.size}", member.name)
        for path in sorted(missing):
            if not path.endswith("/") and path not in self._exempt:
                self._note("RECORD lists it, and it is not in the archive", path)

    def hashing(self, member: Member, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Pass *chunks* through. Where RECORD has another hash than SHA-256, compute and compare it on the way."""
        row = self._rows.get(member.name) if self._rows else None
        if row is None or row.algorithm in {"", "sha256"}:
            return chunks
        return self._hashing(member, chunks, row)

    def compare_content(self, entry: FileEntry) -> None:
        """Compare the SHA-256 of a file that was unpacked."""
        row = self._rows.get(entry.path) if self._rows else None
        if row is not None and row.algorithm == "sha256":
            self._compare(entry.path, row, entry.sha256)

    def _hashing(self, member: Member, chunks: Iterator[bytes], row: Row) -> Iterator[bytes]:
        computed = hashlib.new(row.algorithm)
        for chunk in chunks:
            computed.update(chunk)
            yield chunk
        self._compare(member.name, row, computed.hexdigest())

    def _compare(self, path: str, row: Row, computed: str) -> None:
        if computed != row.digest:
            self._note(f"RECORD says {row.algorithm} {row.digest}, its content has {computed}", path)

    def _note(self, reason: str, member: str | None = None) -> None:
        self._irregularities.add(reason, code=CODE, member=member)

    def _parsed(self, data: bytes) -> dict[str, Row]:
        rows: dict[str, Row] = {}
        try:
            lines = list(csv.reader(io.StringIO(data.decode("utf-8"), newline=""), strict=True))
        except (UnicodeDecodeError, csv.Error) as error:
            self._note(f"it cannot be read as CSV in UTF-8 ({error})", self._path)
            return rows
        for number, line in enumerate(lines, 1):
            if not line:
                continue
            if len(line) != 3:
                self._note(f"line {number} has {len(line)} fields instead of 3", self._path)
                continue
            row = self._row(*line)
            if rows.setdefault(line[0], row) != row:
                self._note("RECORD lists it twice, with two hashes or sizes", line[0])
        return rows

    def _row(self, path: str, digest: str, size: str) -> Row:
        if path in self._exempt or path.endswith("/"):
            return Row("", "", None)
        length = int(size) if size.isascii() and size.isdecimal() else None
        if length is None and size:
            self._note(f"RECORD gives the size {size!a}", path)
        algorithm, equals, text = digest.partition("=")
        if not equals:
            self._note("RECORD has no hash of it", path)
        elif algorithm not in SECURE_ALGORITHMS:
            self._note(f"RECORD has a hash ({algorithm!a}) that proves nothing; sha256 or better is asked for", path)
        else:
            try:
                return Row(algorithm, _decoded(text).hex(), length)
            except binascii.Error:
                self._note(f"RECORD has a hash that cannot be read: {digest!a}", path)
        return Row("", "", length)


def _decoded(text: str) -> bytes:
    """Decode URL-safe Base64 without padding; padding is tolerated."""
    text = text.rstrip("=").replace("-", "+").replace("_", "/")
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
