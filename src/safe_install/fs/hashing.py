"""Digests of files and streams, computed while the bytes pass; never a whole file in memory."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from ._system import system_path

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Collection

_CHUNK = 1 << 18

# 2001: long after 1980, where zip files begin, and far below 2038. Even seconds survive the FAT family.
_YEAR_START = 978307200
_EVEN_SECONDS = 365 * 86400 // 2


def content_time(sha256: str) -> int:
    """Return the modification time, in nanoseconds, that a file with this SHA-256 has in every store.

    An even second of 2001 (UTC), so that it is the same in every layer and on every file system, and so that two
    contents of one size never look alike to what compares size and time, such as a stale ``.pyc`` (design section 5).
    """
    return (_YEAR_START + 2 * (int(sha256[:15], 16) % _EVEN_SECONDS)) * 1_000_000_000


class _Digests:
    """Several hash functions that are fed together."""

    def __init__(self, algorithms: Collection[str]) -> None:
        self._functions = {name: hashlib.new(name) for name in algorithms}
        self.size = 0

    def update(self, chunk: bytes | memoryview) -> None:
        for function in self._functions.values():
            function.update(chunk)
        self.size += len(chunk)

    def hexdigests(self) -> dict[str, str]:
        return {name: function.hexdigest() for name, function in self._functions.items()}


class HashingReader:
    """Passes on what *read* returns, and knows size and digests of all that passed.

    :param read: like the method of a binary file; it stays the caller's to close.
    """

    def __init__(self, read: Callable[[int], bytes], algorithms: Collection[str] = ("sha256",)) -> None:
        self._read = read
        self._digests = _Digests(algorithms)

    def read(self, size: int = -1) -> bytes:
        """Read at most *size* bytes; empty at the end."""
        chunk = self._read(size)
        self._digests.update(chunk)
        return chunk

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self._digests.size

    def hexdigests(self) -> dict[str, str]:
        """Algorithm to lower-case hexadecimal digest, of what was read so far."""
        return self._digests.hexdigests()


def hash_file(path: str | os.PathLike[str], algorithms: Collection[str] = ("sha256",)) -> dict[str, str]:
    """Return algorithm to lower-case hexadecimal digest of a file's content."""
    digests = _Digests(algorithms)
    buffer = memoryview(bytearray(_CHUNK))
    with open(system_path(path), "rb", buffering=0) as file:
        while count := file.readinto(buffer):
            digests.update(buffer[:count])
    return digests.hexdigests()


def copy_and_hash(
    read: Callable[[int], bytes],
    write: Callable[[bytes], object],
    algorithms: Collection[str] = ("sha256",),
    on_chunk: Callable[[int], None] | None = None,
) -> tuple[dict[str, str], int]:
    """Copy until *read* returns nothing; return the digests and the number of bytes.

    :param write: takes all of what it is given, as buffered files do.
    :param on_chunk: called with the size of each chunk, in bytes, after it was written.
    """
    digests = _Digests(algorithms)
    while chunk := read(_CHUNK):
        digests.update(chunk)
        write(chunk)
        if on_chunk is not None:
            on_chunk(len(chunk))
    return digests.hexdigests(), digests.size
