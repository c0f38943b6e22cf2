"""Read the content of zip archives whose headers have been checked, piece by piece and never more than they say.

Every member is a regular file or a folder. What its name may be is the caller's question.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, BinaryIO

from .refusal import refusal
from .zip_headers import read_members

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ..errors import IntegrityError
    from .refusal import Limits
    from .zip_headers import Member

_BLOCK = 4096
_USUAL_RATIO = 4  # of unpacked wheels to their archives
_CHUNK = 1 << 18  # bytes read, and at most given out, at once


class Archive:
    """An open zip archive whose structure has been checked as a whole (`zip_headers`).

    The library's own `zipfile` is not used: it stops reading silently at what it takes for the end of a member, and
    opening a member costs as much as unpacking a small one.

    :param stream: seekable; stays the caller's, who closes it.
    :param filename: names the archive in messages.
    :raises IntegrityError: as `read_members`. Nothing has been unpacked then.
    """

    def __init__(self, stream: BinaryIO, *, filename: str, limits: Limits) -> None:
        self._stream = stream
        self._filename = filename
        self._limits = limits
        self.members = read_members(stream, filename=filename, limits=limits)

    def chunks(self, member: Member) -> Iterator[bytes]:
        """Yield the content of *member*, in bounded memory and never more bytes than its headers say.

        :raises IntegrityError: code ``wheel-zip``: size, checksum or compressed data are not what the headers say.
            What was yielded before must be thrown away.
        """
        crc = produced = 0
        for piece in self._inflated(member) if member.deflated else self._packed(member):
            produced += len(piece)
            if produced > member.size:
                raise self._wrong(f"its headers say {member.size} bytes, and its content has more", member)
            crc = zlib.crc32(piece, crc)
            yield piece
        if produced != member.size:
            raise self._wrong(f"its headers say {member.size} bytes, and its content has {produced}", member)
        if crc != member.crc:
            raise self._wrong("its content does not have the checksum (CRC-32) that its headers say", member)

    def read(self, member: Member) -> bytes:
        """Return the content of *member*, which has to be small.

        :raises IntegrityError: as `chunks`, and code ``wheel-bomb``: it is larger than `Limits.metadata`.
        """
        if member.size > self._limits.metadata:
            reason = f"it has {member.size} bytes, which is too much for a file of its kind"
            raise refusal(self._filename, reason, code="wheel-bomb", member=member.name)
        return b"".join(self.chunks(member))

    def _wrong(self, reason: str, member: Member) -> IntegrityError:
        return refusal(self._filename, reason, code="wheel-zip", member=member.name)

    def _packed(self, member: Member) -> Iterator[bytes]:
        """Yield the bytes of *member* as they are in the archive."""
        self._stream.seek(member.data)
        left = member.packed
        while left:
            piece = self._stream.read(min(left, _CHUNK))
            if not piece:
                raise self._wrong("the archive ends inside it", member)
            left -= len(piece)
            yield piece

    def _inflated(self, member: Member) -> Iterator[bytes]:
        """Yield the content, and at most one byte more than the headers say."""
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        room = member.size + 1
        try:
            for packed in self._packed(member):
                if inflater.eof:
                    raise self._wrong("bytes follow the end of its compressed data", member)
                waiting = packed
                while room and not inflater.eof:
                    asked = min(room, _CHUNK)
                    piece = inflater.decompress(waiting, asked)
                    waiting = inflater.unconsumed_tail
                    room -= len(piece)
                    if piece:
                        yield piece
                    if not waiting and len(piece) < asked:
                        break
        except zlib.error as error:
            raise self._wrong(f"its compressed data are damaged ({error})", member) from None
        if room and not inflater.eof:
            raise self._wrong("its compressed data are cut off", member)
        if inflater.unused_data:
            raise self._wrong("bytes follow the end of its compressed data", member)


def unpacked_size(path: Path) -> int:
    """Return about how many bytes the files of a zip archive take on a disk; a guess where it cannot be read."""
    import zipfile

    try:
        with zipfile.ZipFile(path) as archive:
            return sum(-(-member.file_size // _BLOCK) * _BLOCK for member in archive.infolist())
    except (OSError, zipfile.BadZipFile, ValueError):
        return path.stat().st_size * _USUAL_RATIO
