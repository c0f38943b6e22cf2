"""Read the METADATA of a wheel on a server without fetching the wheel: its end, then the one member.

A zip archive tells at its end where everything is (APPNOTE 4.3), and wheels are asked to keep their ``.dist-info`` last
(binary distribution format), so most often one small request is enough.
"""

from __future__ import annotations

import os
import zipfile
import zlib
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import IO

# Holds the directory of about 200 members and a usual METADATA.
_FIRST_BYTES = 32 << 10
# A local header is 30 bytes, the name, and extra fields that may differ from the directory's.
_LOCAL_HEADER_SLACK = 1 << 10
MOST_METADATA_BYTES = 16 << 20
"""METADATA larger than this is not read: the largest known are long READMEs of less than 2 MiB."""


class Piece(NamedTuple):
    """A part of a file. :param start: its position; :param total: bytes of the whole file."""

    start: int
    data: bytes
    total: int


FetchSpan: TypeAlias = "Callable[[str], Piece | None]"
"""Reads ``first-last`` or ``-count`` of a file; None when the server does not serve parts."""


class NoRangesError(Exception):
    """The server stopped serving parts, or serves wrong ones."""


def remote_wheel_metadata(fetch: FetchSpan) -> bytes | None:
    """Return a wheel's METADATA; None when only the whole file can tell.

    None also for archives that cannot be read: unpacking the whole wheel then says what is wrong with it.
    """
    end = fetch(f"-{_FIRST_BYTES}")
    if end is None or end.start + len(end.data) != end.total:
        # Some servers read `-count` as `0-count`.
        return None
    file = _PartialFile(fetch, end)
    try:
        with zipfile.ZipFile(file) as archive:
            member = _metadata_member(archive)
            if member is None:
                return None
            length = _LOCAL_HEADER_SLACK + len(member.filename.encode()) + member.compress_size
            file.load(member.header_offset, min(end.total, member.header_offset + length))
            return _read_member(archive, member)
    except (NoRangesError, zipfile.BadZipFile, NotImplementedError, zlib.error, EOFError, ValueError, OSError):
        return None


def local_wheel_metadata(wheel: str | os.PathLike[str] | IO[bytes]) -> bytes | None:
    """Return the METADATA of a wheel on this machine; None when it cannot be read as one.

    :raises OSError: the file itself cannot be opened.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            member = _metadata_member(archive)
            return None if member is None else _read_member(archive, member)
    except (zipfile.BadZipFile, NotImplementedError, zlib.error, EOFError, ValueError):
        return None


def _metadata_member(archive: zipfile.ZipFile) -> zipfile.ZipInfo | None:
    """The only ``*.dist-info/METADATA`` at the top; None when there is none, several, or one that is far too large."""
    found = [
        member
        for member in archive.infolist()
        if member.filename.endswith(".dist-info/METADATA") and member.filename.count("/") == 1
    ]
    if len(found) != 1 or max(found[0].file_size, found[0].compress_size) > MOST_METADATA_BYTES:
        return None
    return found[0]


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes | None:
    with archive.open(member) as stream:
        # The announced size may be a lie; reading one byte more finds out without unpacking a bomb.
        data = stream.read(MOST_METADATA_BYTES + 1)
    return data if len(data) <= MOST_METADATA_BYTES else None


class _PartialFile:
    """A read-only file of which only the parts that are read are fetched."""

    def __init__(self, fetch: FetchSpan, end: Piece) -> None:
        self._fetch = fetch
        self._total = end.total
        self._position = 0
        self._pieces = [end]

    def load(self, start: int, stop: int) -> None:
        """Have the bytes from *start* up to *stop* at hand."""
        if start >= stop or self._holding(start, stop) is not None:
            return
        piece = self._fetch(f"{start}-{stop - 1}")
        if piece is None or piece.start != start or len(piece.data) != stop - start or piece.total != self._total:
            raise NoRangesError
        self._pieces.append(piece)

    def read(self, size: int = -1) -> bytes:
        stop = self._total if size < 0 else min(self._total, self._position + size)
        start, self._position = self._position, max(self._position, stop)
        if start >= stop:
            return b""
        self.load(start, stop)
        piece = self._holding(start, stop)
        if piece is None:
            raise NoRangesError
        return piece.data[start - piece.start : stop - piece.start]

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._total}[whence]
        if base + offset < 0:
            raise OSError("seek before the start of the file")
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        self._pieces.clear()

    def _holding(self, start: int, stop: int) -> Piece | None:
        for piece in self._pieces:
            if piece.start <= start and stop <= piece.start + len(piece.data):
                return piece
        return None
