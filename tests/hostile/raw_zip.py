"""Write zip archives header by header, so that each can say what no packer would let it say."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

STORED, DEFLATED = 0, 8
HAS_DESCRIPTOR, UTF_8 = 1 << 3, 1 << 11
END_OF_ARCHIVE = b"PK\x05\x06"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One member. What is not said is what an honest packer would write.

    :param raw: the bytes in the archive, instead of the packed content.
    :param local: values that the local header has instead: ``name``, ``flags``, ``method``, ``crc``, ``packed``, ``size``.
    :param central: the same for the central directory, and ``start``, ``disk``.
    :param after: bytes that follow the content: a data descriptor, or what does not belong there.
    :param listed: whether the central directory has it at all.
    """

    name: bytes
    content: bytes = b""
    method: int = DEFLATED
    flags: int = 0
    mode: int = 0o100644
    raw: bytes | None = None
    local: Mapping[str, Any] = field(default_factory=dict)
    central: Mapping[str, Any] = field(default_factory=dict)
    local_extra: bytes = b""
    central_extra: bytes = b""
    after: bytes = b""
    listed: bool = True

    def packed(self) -> bytes:
        if self.raw is not None:
            return self.raw
        if self.method != DEFLATED:
            return self.content
        deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
        return deflater.compress(self.content) + deflater.flush()

    def values(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "flags": self.flags if self.name.isascii() else self.flags | UTF_8,
            "method": self.method,
            "crc": zlib.crc32(self.content),
            "packed": len(self.packed()),
            "size": len(self.content),
            "disk": 0,
        }


def zip_of(
    entries: Iterable[Entry],
    *,
    prefix: bytes = b"",
    before_end: bytes = b"",
    end: Mapping[str, int] | None = None,
    comment: bytes = b"",
    trailing: bytes = b"",
) -> bytes:
    """Return an archive.

    :param before_end: between central directory and end record, such as the zip64 records.
    :param end: values that the end record has instead: ``disk``, ``first_disk``, ``here``, ``count``, ``size``, ``start``.
    """
    body = bytearray(prefix)
    directory = bytearray()
    count = 0
    for entry in entries:
        start = len(body)
        body += _local(entry) + entry.packed() + entry.after
        if entry.listed:
            directory += _central(entry, start)
            count += 1
    values = {"disk": 0, "first_disk": 0, "here": count, "count": count, "size": len(directory), "start": len(body)}
    values.update(end or {})
    tail = struct.pack("<4sHHHHLLH", END_OF_ARCHIVE, *values.values(), len(comment))
    return bytes(body + directory) + before_end + tail + comment + trailing


def descriptor(content: bytes, packed: int, *, signature: bool = True, wide: bool = False) -> bytes:
    """Return a data descriptor for a member of *content*."""
    values = struct.pack("<LQQ" if wide else "<LLL", zlib.crc32(content), packed, len(content))
    return (b"PK\x07\x08" if signature else b"") + values


def streamed(entry: Entry, **options: Any) -> Entry:
    """Return *entry* as a packer writes it that cannot seek back: sizes in a descriptor behind the content."""
    return replace(
        entry,
        flags=entry.flags | HAS_DESCRIPTOR,
        local={"crc": 0, "packed": 0, "size": 0},
        after=descriptor(entry.content, len(entry.packed()), **options),
    )


def extra(kind: int, content: bytes) -> bytes:
    """Return one extra field."""
    return struct.pack("<HH", kind, len(content)) + content


def zip64_end(*, size: int, start: int, count: int, position: int, length: int = 44) -> bytes:
    """Return the zip64 end record and its locator.

    :param position: where they will lie. :param length: what the record says of itself.
    """
    record = struct.pack("<4sQHHLLQQQQ", b"PK\x06\x06", length, 45, 45, 0, 0, count, count, size, start)
    return record + struct.pack("<4sLQL", b"PK\x06\x07", 0, position, 1)


def _local(entry: Entry) -> bytes:
    values = {**entry.values(), **entry.local}
    numbers = (values["flags"], values["method"], 0, 0x21, values["crc"], values["packed"], values["size"])
    lengths = (len(values["name"]), len(entry.local_extra))
    header = struct.pack("<4sHHHHHLLLHH", b"PK\x03\x04", 20, *numbers, *lengths)
    return b"".join((header, values["name"], entry.local_extra))


def _central(entry: Entry, start: int) -> bytes:
    values = {**entry.values(), "start": start, **entry.central}
    numbers = (values["flags"], values["method"], 0, 0x21, values["crc"], values["packed"], values["size"])
    lengths = (len(values["name"]), len(entry.central_extra), 0)
    rest = (values["disk"], 0, entry.mode << 16, values["start"])
    header = struct.pack("<4sBBHHHHHLLLHHHHHLL", b"PK\x01\x02", 20, 3, 20, *numbers, *lengths, *rest)
    return b"".join((header, values["name"], entry.central_extra))
