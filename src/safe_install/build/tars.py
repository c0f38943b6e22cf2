"""Read a tar, bare or compressed, once from front to end.

`tarfile` takes whatever it cannot read in the middle of an archive for its end. Here an archive ends with a block of
zeros (POSIX.1, ustar interchange format) and nothing but zeros behind it; the compressed stream is read to its own
end too, where its checksum is.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import tarfile
import zlib
from typing import IO, TYPE_CHECKING, Protocol, cast

from ..fs._system import system_path
from .extraction import CHUNK, MemberProblem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Self

    from .extraction import Extraction

_KINDS = {
    tarfile.CHRTYPE: "is a character device",
    tarfile.BLKTYPE: "is a block device",
    tarfile.FIFOTYPE: "is a FIFO",
}
# `tarfile` looks back by one byte to see whether a member is complete, and never further than a block.
_LOOK_BACK = tarfile.BLOCKSIZE


class _Source(Protocol):
    def read(self, size: int, /) -> bytes: ...


def read_tar(archive: Path, extraction: Extraction) -> None:
    """Feed every member to *extraction*.

    :raises MemberProblem: it is damaged, truncated or no tar at all, or a member is refused.
    """
    with _damage_told(), open(system_path(archive), "rb") as file, _decompressed(file) as source:
        stream = _Stream(source, extraction)
        # What a header says beyond ASCII is UTF-8; other bytes become surrogates, which no name may have.
        with tarfile.open(fileobj=cast(IO[bytes], stream), mode="r:", tarinfo=_Member, encoding="utf-8") as tar:
            while (member := tar.next()) is not None:
                _add(tar, member, extraction)
                # They stay in memory, and are added to by every global header.
                if sum(map(len, tar.pax_headers.values())) > CHUNK:
                    raise MemberProblem("its global headers are too long", code="sdist-too-large")
        stream.expect_end()


def _add(tar: tarfile.TarFile, member: tarfile.TarInfo, extraction: Extraction) -> None:
    if "\0" in member.name or "\0" in member.linkname:
        raise MemberProblem("contains a NUL in its name", member=member.name)
    if member.isreg():
        content = tar.extractfile(member)
        assert content is not None, "regular members have content"
        extraction.add_file(member.name, content.read, executable=bool(member.mode & 0o111), mtime=member.mtime)
    elif member.isdir():
        extraction.add_folder(member.name)
    elif member.issym():
        extraction.add_link(member.name, member.linkname)
    elif member.islnk():
        extraction.add_copy(member.name, member.linkname)
    else:
        raise MemberProblem(_KINDS.get(member.type, f"is of the unknown type {member.type!r}"), member=member.name)


@contextlib.contextmanager
def _damage_told() -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error, lzma.LZMAError, UnicodeError) as error:
        raise MemberProblem(f"it is damaged, truncated or no archive: {error}", code="sdist-invalid") from error
    except RecursionError:
        raise MemberProblem("it has a chain of headers without end", code="sdist-invalid") from None
    except (OSError, ValueError) as error:
        # bz2 says "Invalid data stream" with an OSError that carries no number; tarfile lets int() fail.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise MemberProblem(f"it is damaged: {error}", code="sdist-invalid") from error


@contextlib.contextmanager
def _decompressed(file: IO[bytes]) -> Iterator[_Source]:
    start = file.read(6)
    file.seek(0)
    if start.startswith(b"\x1f\x8b"):
        with gzip.GzipFile(fileobj=file, mode="rb") as source:
            yield source
    elif start.startswith(b"BZh"):
        with bz2.BZ2File(file) as source:
            yield source
    elif start == b"\xfd7zXZ\x00":
        with lzma.LZMAFile(file, format=lzma.FORMAT_XZ) as source:
            yield source
    else:
        yield file


class _Member(tarfile.TarInfo):
    """A header whose damage is an error, not the end of the archive."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        try:
            member = super().frombuf(buf, encoding, errors)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]  # missing in typeshed; a block of zeros
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(str(error) or "a header is damaged") from None
        if member.size < 0:
            raise tarfile.ReadError("a member has a negative size")
        return member


class _Stream:
    """What tarfile needs of a file, over a source that is read only once and only as far as is allowed.

    Skipping reads, so that what is skipped counts as well. No read is larger than `CHUNK`: tarfile reads extended
    headers in one piece, of whatever size the archive claims.
    """

    def __init__(self, source: _Source, extraction: Extraction) -> None:
        self._source = source
        self._extraction = extraction
        self._position = 0
        self._end = 0
        self._tail = b""

    def tell(self) -> int:
        return self._position

    def seek(self, position: int) -> int:
        if position < self._end - len(self._tail):
            raise tarfile.ReadError("a member begins before the end of the one before it")
        self._position = min(position, self._end)
        while self._position < position and self.read(min(CHUNK, position - self._position)):
            pass
        return self._position

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= CHUNK:
            raise tarfile.ReadError(f"a header claims {size:,} bytes")
        behind = self._end - self._position
        again = self._tail[len(self._tail) - behind :][:size]
        fresh = self._source.read(size - len(again))
        self._end += len(fresh)
        self._extraction.check_size(self._end)
        self._tail = (self._tail + fresh)[-_LOOK_BACK:] if len(fresh) < _LOOK_BACK else fresh[-_LOOK_BACK:]
        self._position += len(again) + len(fresh)
        return again + fresh

    def expect_end(self) -> None:
        """Read the rest, which must be zeros, up to the checksum of the compressed stream."""
        while chunk := self.read(CHUNK):
            if chunk.strip(b"\0"):
                raise tarfile.ReadError("there is data behind the end of the archive")
