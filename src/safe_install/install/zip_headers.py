"""Read the headers of a zip file, and refuse a file in which they allow more than one reading.

A zip file names each member twice (in its central directory and in a local header), says its size up to three times,
and may hold bytes that belong to no member. Readers that trust different parts see different files; that is how one
archive shows one content to a scanner and another to an installer. Here everything that is said twice has to agree,
and the members with their headers cover the file from its first byte to the central directory.

The format: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT (sections are quoted as ``APPNOTE 4.3.7``).
"""

from __future__ import annotations

import os
import stat
import struct
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from .refusal import refusal

if TYPE_CHECKING:
    from ..errors import IntegrityError
    from .refusal import Limits

_END = struct.Struct("<4sHHHHLLH")  # APPNOTE 4.3.16
_END_64_LOCATOR = struct.Struct("<4sLQL")  # APPNOTE 4.3.15
_END_64 = struct.Struct("<4sQHHLLQQQQ")  # APPNOTE 4.3.14
_CENTRAL = struct.Struct("<4sBBHHHHHLLLHHHHHLL")  # APPNOTE 4.3.12
_LOCAL = struct.Struct("<4sHHHHHLLLHH")  # APPNOTE 4.3.7
_EXTRA = struct.Struct("<HH")  # APPNOTE 4.5.1

_MAX_16 = 0xFFFF
_MAX_32 = 0xFFFFFFFF
# A value of the plain end record that is at its limit is said by the zip64 one (APPNOTE 4.4.1.4).
_END_LIMITS = (_MAX_16, _MAX_16, _MAX_16, _MAX_16, _MAX_32, _MAX_32)
_STORED, _DEFLATED = 0, 8

# Bits of the general purpose flags, APPNOTE 4.4.4.
_ENCRYPTED = 1 << 0 | 1 << 6 | 1 << 13  # traditional, strong, masked headers
_HAS_DESCRIPTOR = 1 << 3
_PATCH_DATA = 1 << 5
_UTF_8 = 1 << 11

_ZIP64_EXTRA = 0x0001
_UNICODE_PATH_EXTRA = 0x7075


class Member(NamedTuple):
    """One file or folder of an archive, as both of its headers say.

    :param name: as in the archive, with forward slashes; that of a folder ends in one.
    :param size: bytes, unpacked. :param packed: bytes in the archive.
    :param start: offset of its local header. :param data: offset of its content.
    :param executable: what pip takes for it: a regular file by its Unix mode, with any execute bit.
    """

    name: str
    size: int
    packed: int
    crc: int
    flags: int
    deflated: bool
    start: int
    data: int
    executable: bool

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder; folders have no content."""
        return self.name.endswith("/")


def read_members(stream: BinaryIO, *, filename: str, limits: Limits) -> tuple[Member, ...]:
    """Return all members of a zip file, in the order of their content; no name is there twice.

    :param stream: seekable, of any position; left open.
    :param filename: names the archive in messages.
    :raises IntegrityError: code ``wheel-zip`` (malformed, or open to several readings), ``wheel-path`` (a member is a
        link or a device), or ``wheel-bomb`` (beyond *limits*).
    """
    return _Reader(stream, filename, limits).members()


class _Reader:
    def __init__(self, stream: BinaryIO, filename: str, limits: Limits) -> None:
        self._stream = stream
        self._filename = filename
        self._limits = limits

    def members(self) -> tuple[Member, ...]:
        end = self._stream.seek(0, os.SEEK_END)
        start, size, count = self._find_directory(end)
        if count > self._limits.members or size > self._limits.directory:
            raise self._bomb(f"it has {count} members, and a directory of {size} bytes")
        entries = self._read_directory(start, size, count)
        self._check_sizes(entries, end)
        return self._read_local_headers(entries, start)

    def _wrong(self, reason: str, member: str | None = None) -> IntegrityError:
        return refusal(self._filename, reason, code="wheel-zip", member=member)

    def _bomb(self, reason: str, member: str | None = None) -> IntegrityError:
        return refusal(self._filename, f"{reason}, as no honest wheel does", code="wheel-bomb", member=member)

    def _at(self, offset: int, size: int) -> bytes:
        self._stream.seek(offset)
        return self._stream.read(size)

    # The end record, which says where the central directory is.

    def _find_directory(self, end: int) -> tuple[int, int, int]:
        """Return offset and size of the central directory, and the number of its entries."""
        window = min(end, _END.size + _MAX_16)
        tail = self._at(end - window, window)
        at = tail.rfind(b"PK\x05\x06")
        if at < 0 or len(tail) - at < _END.size:
            raise self._wrong("it is no zip archive, or it is cut off: no end record was found")
        _, *values, comment = _END.unpack_from(tail, at)
        if at + _END.size + comment != len(tail):
            raise self._wrong("bytes follow its end record")
        if self._has_another_end(tail, at):
            raise self._wrong("it has two end records, either of which could be meant")
        position = end - window + at
        locator_at = position - _END_64_LOCATOR.size
        locator = self._at(locator_at, _END_64_LOCATOR.size) if locator_at >= 0 else b""
        if locator.startswith(b"PK\x06\x07"):
            position, said = self._read_end_64(locator_at, locator)
            if any(old not in (limit, new) for old, new, limit in zip(values, said, _END_LIMITS, strict=True)):
                raise self._wrong("its two end records (plain and zip64) differ")
            values = said
        disk, first_disk, here, count, size, start = values
        if disk or first_disk or here != count:
            raise self._wrong("it is one part of several")
        if start + size != position:
            raise self._wrong("its central directory does not lie where its end record says")
        return start, size, count

    @staticmethod
    def _has_another_end(tail: bytes, last: int) -> bool:
        """Whether an earlier end record would, by the length of its comment, end the file as well."""
        at = tail.find(b"PK\x05\x06", 0, last)
        while at >= 0:
            if at + _END.size + int.from_bytes(tail[at + 20 : at + 22], "little") == len(tail):
                return True
            at = tail.find(b"PK\x05\x06", at + 1, last)
        return False

    def _read_end_64(self, locator_at: int, locator: bytes) -> tuple[int, list[int]]:
        """Return the offset of the zip64 end record and its values, in the order of the plain one's."""
        _, disk, at, disks = _END_64_LOCATOR.unpack(locator)
        record = self._at(at, _END_64.size) if at + _END_64.size == locator_at else b""
        if disk or disks > 1 or len(record) < _END_64.size or not record.startswith(b"PK\x06\x06"):
            raise self._wrong("its zip64 end record is not where it belongs")
        _, size, _, _, *values = _END_64.unpack(record)
        if size != _END_64.size - 12:  # not counted: signature and this field
            raise self._wrong("its zip64 end record has an unknown form")
        return at, values

    # The central directory.

    def _read_directory(self, start: int, size: int, count: int) -> list[tuple[Member, bytes]]:
        """Return the members, each with its name as bytes, and without the offset of its content."""
        directory = self._at(start, size)
        entries = []
        names = set()
        at = 0
        for _ in range(count):
            if len(directory) - at < _CENTRAL.size or not directory.startswith(b"PK\x01\x02", at):
                raise self._wrong("its central directory is damaged")
            fields = _CENTRAL.unpack_from(directory, at)
            name_length, extra_length, comment_length = fields[11:14]
            name_at = at + _CENTRAL.size
            extra_at = name_at + name_length
            at = extra_at + extra_length + comment_length
            if at > len(directory):
                raise self._wrong("its central directory is damaged")
            raw = directory[name_at:extra_at]
            member = self._central_entry(fields, raw, directory[extra_at : extra_at + extra_length])
            if raw in names:
                raise self._wrong("it is in the archive twice", member.name)
            names.add(raw)
            entries.append((member, raw))
        if at != len(directory):
            raise self._wrong(f"its central directory has more than the {count} entries that its end record says")
        return entries

    def _central_entry(self, fields: tuple[int, ...], raw: bytes, extra: bytes) -> Member:
        _, _, _, _, flags, method, _, _, crc, packed, size, _, _, _, disk, _, attributes, start = fields
        name = self._decoded(raw, flags)
        if extra:
            size, packed, start, disk = self._with_extra(name, raw, extra, [size, packed, start, disk])
        if disk:
            raise self._wrong("it is in another part of the archive", name)
        if flags & _ENCRYPTED:
            raise self._wrong("it is encrypted", name)
        if flags & _PATCH_DATA or method not in (_STORED, _DEFLATED):
            raise self._wrong(f"its compression (method {method}) is none that wheels use", name)
        if method == _STORED and packed != size:
            raise self._wrong("it is not compressed, and yet has two sizes", name)
        mode = attributes >> 16
        self._check_kind(name, size, mode)
        executable = stat.S_ISREG(mode) and bool(mode & 0o111)
        return Member(name, size, packed, crc, flags, method == _DEFLATED, start, 0, executable)

    def _decoded(self, raw: bytes, flags: int) -> str:
        """Return a name as text. Without the UTF-8 flag its encoding is anybody's guess (APPNOTE appendix D)."""
        if not flags & _UTF_8 and not raw.isascii():
            raise self._wrong("its name is neither ASCII nor marked as UTF-8", raw.decode("latin-1"))
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            raise self._wrong("its name is no valid UTF-8", raw.decode("latin-1")) from None

    def _check_kind(self, name: str, size: int, mode: int) -> None:
        folder = name.endswith("/")
        if folder and size:
            raise self._wrong("it is a folder, and yet has content", name)
        if stat.S_IFMT(mode) not in (0, stat.S_IFDIR if folder else stat.S_IFREG):
            what = "a symbolic link" if stat.S_ISLNK(mode) else f"no regular file (mode {mode:o})"
            raise refusal(self._filename, f"it is {what}", code="wheel-path", member=name)

    def _check_sizes(self, entries: list[tuple[Member, bytes]], end: int) -> None:
        limits = self._limits
        total = 0
        for member, _ in entries:
            total += member.size
            if member.size > limits.ratio_from and member.size > limits.ratio * member.packed:
                raise self._bomb(f"it unpacks from {member.packed} to {member.size} bytes", member.name)
        if total > limits.total or (total > limits.ratio_from and total > limits.ratio * end):
            raise self._bomb(f"it unpacks from {end} to {total} bytes")

    # Extra fields, which both kinds of header have.

    def _with_extra(self, name: str, raw: bytes, extra: bytes, values: list[int]) -> list[int]:
        """Return *values* (two sizes; in the central directory offset and disk too) after reading the extra fields."""
        seen = set()
        at = 0
        while at < len(extra):
            kind, length = _EXTRA.unpack_from(extra, at) if len(extra) - at >= _EXTRA.size else (0, _MAX_16)
            content = extra[at + _EXTRA.size : at + _EXTRA.size + length]
            at += _EXTRA.size + length
            if at > len(extra):
                raise self._wrong("its extra fields are damaged", name)
            if kind == _ZIP64_EXTRA and kind in seen:
                raise self._wrong("it has two zip64 extra fields", name)
            seen.add(kind)
            if kind == _ZIP64_EXTRA:
                values = self._with_zip64(name, content, values)
            elif kind == _UNICODE_PATH_EXTRA and content[5:] != raw:  # after its version and a checksum
                raise self._wrong(f"an extra field calls it {content[5:].decode('utf-8', 'replace')!a}", name)
        return values

    def _with_zip64(self, name: str, content: bytes, values: list[int]) -> list[int]:
        """Return *values* with those that are at their limit replaced from a zip64 extra field (APPNOTE 4.5.3)."""
        widths = (8, 8, 8, 4)
        replaced = []
        at = 0
        for value, width in zip(values, widths, strict=False):
            if value == (_MAX_32 if width == 8 else _MAX_16):
                value = int.from_bytes(content[at : at + width], "little")  # noqa: PLW2901  # what it stands for
                at += width
            replaced.append(value)
        # Some writers repeat both sizes though they fit. Anything else in there could be read as anything.
        repeated = struct.pack("<QQ", *values[:2])
        if at != len(content) and not (at == 0 and content == repeated):
            raise self._wrong("its zip64 extra field is inconsistent", name)
        return replaced

    # Local headers, and what lies between the members.

    def _read_local_headers(self, entries: list[tuple[Member, bytes]], end: int) -> tuple[Member, ...]:
        """Compare every local header with its central entry, and lay the members end to end from 0 to *end*."""
        entries.sort(key=lambda entry: entry[0].start)
        starts = [member.start for member, _ in entries] + [end]
        members = []
        reached = 0
        for (entry, raw), following in zip(entries, starts[1:], strict=True):
            if entry.start != reached:
                what = "overlaps the member before it" if entry.start < reached else "follows bytes of no member"
                raise self._wrong(f"it {what}", entry.name)
            member = self._with_local_header(entry, raw)
            members.append(member)
            reached = member.data + member.packed
            if member.flags & _HAS_DESCRIPTOR:
                self._check_descriptor(member, reached, following - reached)
                reached = following
        if reached != end:
            raise self._wrong("its last member does not end where the central directory begins")
        return tuple(members)

    def _with_local_header(self, member: Member, raw: bytes) -> Member:
        header = self._at(member.start, _LOCAL.size)
        if len(header) < _LOCAL.size or not header.startswith(b"PK\x03\x04"):
            raise self._wrong("its local header is missing", member.name)
        _, _, flags, method, _, _, crc, packed, size, name_length, extra_length = _LOCAL.unpack(header)
        rest = self._stream.read(name_length + extra_length)
        if rest[:name_length] != raw:
            local_name = rest[:name_length].decode("utf-8", "replace")
            raise self._wrong(f"its local header calls it {local_name!a}", member.name)
        if extra_length:
            size, packed = self._with_extra(member.name, raw, rest[name_length:], [size, packed])
        local = (flags, method, crc, packed, size)
        central_method = _DEFLATED if member.deflated else _STORED
        central = (member.flags, central_method, member.crc, member.packed, member.size)
        # A writer that could not seek back leaves zeros here and says the values in a descriptor (APPNOTE 4.4.4).
        postponed = flags & _HAS_DESCRIPTOR and local == (*central[:2], 0, 0, 0)
        if local != central and not postponed:
            raise self._wrong("its local header and the central directory differ", member.name)
        return member._replace(data=member.start + _LOCAL.size + name_length + extra_length)

    def _check_descriptor(self, member: Member, at: int, length: int) -> None:
        """Check that the *length* bytes from *at* on are one data descriptor, in any of its forms (APPNOTE 4.3.9)."""
        forms = [struct.pack("<LQQ", member.crc, member.packed, member.size)]
        if max(member.packed, member.size) <= _MAX_32:
            forms.append(struct.pack("<LLL", member.crc, member.packed, member.size))
        found = self._at(at, length) if 0 <= length <= 24 else b""
        if found not in forms and found.removeprefix(b"PK\x07\x08") not in forms:
            raise self._wrong("the descriptor that should follow it is missing or differs", member.name)
