"""Wheels that must be refused: one function for each, with what the refusal has to say.

Each is a good wheel but for the one thing that its name tells. `GOOD` is that wheel without any.
"""

from __future__ import annotations

import io
import struct
import zipfile
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from helpers.wheels import make_wheel
from hostile.raw_zip import (
    END_OF_ARCHIVE,
    HAS_DESCRIPTOR,
    STORED,
    UTF_8,
    Entry,
    descriptor,
    extra,
    streamed,
    zip64_end,
    zip_of,
)

from safe_install.install.refusal import Limits

if TYPE_CHECKING:
    from collections.abc import Callable

FILENAME = "demo-1.0-py3-none-any.whl"
RECORD = "demo-1.0.dist-info/RECORD"
METADATA = "demo-1.0.dist-info/METADATA"
WHEEL = "demo-1.0.dist-info/WHEEL"
ENTRY_POINTS = "demo-1.0.dist-info/entry_points.txt"
MODULE = "demo/__init__.py"
EVIL = "demo/evil.py"

Make: TypeAlias = "Callable[[], bytes]"


@dataclass(frozen=True, kw_only=True)
class Case:
    """One hostile wheel.

    :param code: of the error; *reason*: part of its message; *member*: named there, when it is about one.
    :param folds_case: the target is one that ignores case.
    :param excusable: ``--allow-irregular`` accepts it.
    """

    name: str
    make: Make
    code: str
    reason: str
    member: str | None = None
    folds_case: bool = False
    excusable: bool = False
    limits: Limits | None = None
    filename: str = FILENAME


CASES: list[Case] = []


def _hostile(code: str, reason: str, member: str | None = None, **more: Any) -> Callable[[Make], Make]:
    def register(make: Make) -> Make:
        name = make.__name__.strip("_").replace("_", "-")
        CASES.append(Case(name=name, make=make, code=code, reason=reason, member=member, **more))
        return make

    return register


def _each(code: str, excusable: bool, variants: dict[str, tuple[str, str | None, Make]], **more: Any) -> None:
    for name, (reason, member, make) in variants.items():
        CASES.append(Case(name=name, make=make, code=code, reason=reason, member=member, excusable=excusable, **more))


def _entries(*more: str, **options: Any) -> list[Entry]:
    """The entries of a good wheel, which also has the files *more*, with all of them in RECORD."""
    files = {MODULE: "", **dict.fromkeys(more, "evil = True\n")}
    with zipfile.ZipFile(io.BytesIO(make_wheel(files=files, **options)[1])) as archive:
        # `orig_filename`: zipfile itself cuts a name at its NUL.
        return [Entry(name=info.orig_filename.encode(), content=archive.read(info)) for info in archive.infolist()]


def _changed(name: str, *more: str, **changes: Any) -> bytes:
    """A good wheel with one entry changed."""
    return zip_of(
        replace(entry, **changes) if entry.name.decode() == name else entry for entry in _entries(name, *more)
    )


def _record(old: str, new: str) -> bytes:
    """A wheel in whose RECORD *old* is *new*."""

    def distort(text: str) -> str:
        assert old in text
        return text.replace(old, new)

    return make_wheel(files={MODULE: ""}, record=distort)[1]


def good() -> bytes:
    """The wheel that all others are made from."""
    return zip_of(_entries())


# Names that lead elsewhere, or are something else than a file on some system.


def _named(name: str) -> Make:
    def make() -> bytes:
        # RECORD has the name too, so that nothing but the name can be the reason.
        good_name = "demo/good.py"
        quoted = '"' + name.replace('"', '""') + '"'
        files = {MODULE: "", good_name: "evil = True\n"}
        content = make_wheel(files=files, record=lambda text: text.replace(good_name, quoted))[1]
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = [Entry(name=info.filename.encode(), content=archive.read(info)) for info in archive.infolist()]
        return zip_of(replace(e, name=name.encode()) if e.name == good_name.encode() else e for e in entries)

    return make


def _names(reason: str, **names: str) -> None:
    _each("wheel-path", False, {key.replace("_", "-"): (reason, name, _named(name)) for key, name in names.items()})


_names("..", parent="../evil.py", parent_later="demo/../../evil.py", parent_that_stays_inside="demo/../evil.py")
_names("an absolute path", absolute="/evil.py")
_names("names a drive", drive="C:/evil.py", drive_without_slash="C:evil.py")
_names("a UNC path", unc="//server/share/evil.py", unc_with_backslashes="\\\\server\\share\\evil.py")
_names("a UNC path", windows_device_namespace="\\\\?\\C:\\evil.py")
_names("a backslash", backslash="demo\\evil.py", parent_with_backslash="..\\evil.py")
_names("a NUL", nul="demo/evil.py\0.txt")
_names("a control character", escape_sequence="demo/\x1b[2Jevil.py", newline="demo/evil\n.py", next_line="demo/\x85.py")
_names("an empty part", empty_part="demo//evil.py")
_names("`.` as a part", dot_part="demo/./evil.py", dot_first="./evil.py")
_names("reserved on Windows", reserved="demo/aux.py", reserved_folder="CON/evil.py", reserved_port="demo/com¹.txt")
_names("a colon", stream="demo/__init__.py:evil")
_names("Windows drops", trailing_dot="demo/evil.py.", trailing_space="demo /evil.py")
_names("Windows does not allow", wildcard="demo/evil?.py", quote='demo/"evil".py')
_names("bytes", long_part=f"demo/{'e' * 300}.py", long_name=f"demo/{'evil/' * 300}e.py")


@_hostile("wheel-path", "..", "../evil/")
def _folder_outside() -> bytes:
    return zip_of([*_entries(), Entry(name=b"../evil/", mode=0o40755, method=STORED)])


@_hostile("wheel-path", "an absolute path", "/evil/")
def _absolute_folder() -> bytes:
    return zip_of([*_entries(), Entry(name=b"/evil/", mode=0o40755, method=STORED)])


# Members that are no files.


@_hostile("wheel-path", "a symbolic link", EVIL)
def _symbolic_link() -> bytes:
    return _changed(EVIL, mode=0o120777)


@_hostile("wheel-path", "a symbolic link", "demo/folder")
def _file_through_a_symbolic_link() -> bytes:
    link = Entry(name=b"demo/folder", content=b"../..", mode=0o120777)
    return zip_of([link, *_entries("demo/folder/evil.py")])


@_hostile("wheel-path", "a symbolic link", "demo/folder/")
def _folder_that_is_a_link() -> bytes:
    return zip_of([*_entries(), Entry(name=b"demo/folder/", mode=0o120777, method=STORED)])


@_hostile("wheel-path", "no regular file", EVIL)
def _device() -> bytes:
    return _changed(EVIL, mode=0o020666)


@_hostile("wheel-path", "no regular file", EVIL)
def _fifo() -> bytes:
    return _changed(EVIL, mode=0o010666)


@_hostile("wheel-path", "no regular file", EVIL)
def _folder_by_mode_only() -> bytes:
    return _changed(EVIL, mode=0o040755)


# Names that meet.


@_hostile("wheel-collision", "one place", "demo/Evil.py", folds_case=True)
def _case_collision() -> bytes:
    return zip_of(_entries(EVIL, "demo/Evil.py"))


@_hostile("wheel-collision", "one place", "demo/e\u0301vil.py", folds_case=True)
def _unicode_form_collision() -> bytes:
    return zip_of(_entries("demo/\u00e9vil.py", "demo/e\u0301vil.py"))


@_hostile("wheel-collision", "one place", "demo/\ufb01le.py", folds_case=True)
def _ligature_collision() -> bytes:
    return zip_of(_entries("demo/file.py", "demo/\ufb01le.py"))


@_hostile("wheel-collision", "one place", "Demo/__INIT__.py", folds_case=True)
def _folder_case_collision() -> bytes:
    return zip_of(_entries("Demo/__INIT__.py"))


@_hostile("wheel-collision", "one place", "demo/evil/x.py")
def _file_and_folder() -> bytes:
    return zip_of(_entries("demo/evil", "demo/evil/x.py"))


@_hostile("wheel-zip", "twice", EVIL)
def _duplicate_member() -> bytes:
    return zip_of([*_entries(EVIL), Entry(name=EVIL.encode(), content=b"evil = False\n")])


@_hostile("wheel-zip", "twice", RECORD)
def _duplicate_record() -> bytes:
    entries = _entries()
    return zip_of([*entries, entries[-1]])


# Headers that differ.


@_hostile("wheel-zip", "calls it 'demo/good.py'", EVIL)
def _local_name_differs() -> bytes:
    return _changed(EVIL, local={"name": b"demo/good.py"})


@_hostile("wheel-zip", "differ", EVIL)
def _local_size_differs() -> bytes:
    return _changed(EVIL, local={"size": 1})


@_hostile("wheel-zip", "differ", EVIL)
def _local_packed_size_differs() -> bytes:
    return _changed(EVIL, local={"packed": 1})


@_hostile("wheel-zip", "differ", EVIL)
def _local_checksum_differs() -> bytes:
    return _changed(EVIL, local={"crc": 1})


@_hostile("wheel-zip", "differ", EVIL)
def _local_compression_differs() -> bytes:
    return _changed(EVIL, local={"method": STORED})


@_hostile("wheel-zip", "differ", EVIL)
def _local_flags_differ() -> bytes:
    return _changed(EVIL, local={"flags": HAS_DESCRIPTOR})


@_hostile("wheel-zip", "differ", EVIL)
def _sizes_postponed_without_a_descriptor() -> bytes:
    return _changed(EVIL, local={"crc": 0, "packed": 0, "size": 0})


@_hostile("wheel-zip", "descriptor", EVIL)
def _descriptor_missing() -> bytes:
    return _changed(EVIL, flags=HAS_DESCRIPTOR)


@_hostile("wheel-zip", "descriptor", EVIL)
def _descriptor_differs() -> bytes:
    return _changed(EVIL, flags=HAS_DESCRIPTOR, after=descriptor(b"other content", 7))


@_hostile("wheel-zip", "descriptor", EVIL)
def _bytes_behind_a_descriptor() -> bytes:
    entries = [streamed(e) if e.name == EVIL.encode() else e for e in _entries(EVIL)]
    return zip_of(replace(e, after=e.after + b"hidden") if e.name == EVIL.encode() else e for e in entries)


@_hostile("wheel-zip", "calls it 'demo/good.py'", EVIL)
def _unicode_path_field_differs() -> bytes:
    return _changed(EVIL, central_extra=extra(0x7075, b"\1" + bytes(4) + b"demo/good.py"))


@_hostile("wheel-zip", "calls it 'demo/good.py'", EVIL)
def _local_unicode_path_field_differs() -> bytes:
    return _changed(EVIL, local_extra=extra(0x7075, b"\1" + bytes(4) + b"demo/good.py"))


@_hostile("wheel-zip", "extra fields are damaged", EVIL)
def _damaged_extra_field() -> bytes:
    return _changed(EVIL, central_extra=struct.pack("<HH", 0x5455, 100) + b"short")


@_hostile("wheel-zip", "zip64 extra field is inconsistent", EVIL)
def _zip64_field_says_other_sizes() -> bytes:
    return _changed(EVIL, central_extra=extra(1, struct.pack("<QQ", 1, 2)))


@_hostile("wheel-zip", "zip64 extra field is inconsistent", EVIL)
def _zip64_field_too_short() -> bytes:
    return _changed(EVIL, central={"size": 0xFFFFFFFF}, central_extra=extra(1, b"\1"))


@_hostile("wheel-zip", "two zip64 extra fields", EVIL)
def _two_zip64_fields() -> bytes:
    fields = [extra(1, struct.pack("<Q", size)) for size in (len("evil = True\n"), 1)]
    return _changed(EVIL, central={"size": 0xFFFFFFFF}, central_extra=b"".join(fields))


# Members that overlap, hide, or are not there.


@_hostile("wheel-zip", "overlaps", EVIL)
def _two_names_for_one_content() -> bytes:
    entries = _entries()
    return zip_of([*entries, Entry(name=EVIL.encode(), content=b"x", central={"start": 0})])


@_hostile("wheel-zip", "overlaps", EVIL)
def _overlapping_members() -> bytes:
    # The member before claims the whole of the one behind it as its own content (the "quoted" zip bomb).
    inner = Entry(name=EVIL.encode(), content=b"evil = True\n", method=STORED)
    inside = zip_of([inner])[: 30 + len(EVIL) + len(inner.content)]
    outer = Entry(name=b"demo/outer.py", content=inside, method=STORED)
    hidden = replace(inner, central={"start": 30 + len(outer.name)})
    return zip_of([outer, hidden, *_entries()])


@_hostile("wheel-zip", "follows bytes of no member", "demo/__init__.py")
def _bytes_before_the_first_member() -> bytes:
    return zip_of(_entries(), prefix=b"#!/bin/sh\necho evil\n")


@_hostile("wheel-zip", "follows bytes of no member", MODULE)
def _member_that_only_a_stream_reader_sees() -> bytes:
    return zip_of([Entry(name=EVIL.encode(), content=b"evil = True\n", listed=False), *_entries()])


@_hostile("wheel-zip", "central directory begins")
def _hidden_last_member() -> bytes:
    return zip_of([*_entries(), Entry(name=EVIL.encode(), content=b"evil = True\n", listed=False)])


@_hostile("wheel-zip", "local header is missing", EVIL)
def _no_local_header() -> bytes:
    content = bytearray(_changed(EVIL))
    at = content.index(EVIL.encode()) - 30
    content[at : at + 4] = b"evil"
    return bytes(content)


@_hostile("wheel-zip", "bytes follow its end record")
def _bytes_behind_the_end() -> bytes:
    return zip_of(_entries(), trailing=b"evil")


@_hostile("wheel-zip", "bytes follow its end record")
def _another_archive_behind_the_end() -> bytes:
    # The last end record is that of the archive in the back, which begins with an offset that is now wrong.
    return good() + good() + b"x"


@_hostile("wheel-zip", "two end records")
def _two_end_records() -> bytes:
    inner = struct.pack("<4sHHHHLLH", END_OF_ARCHIVE, 0, 0, 0, 0, 0, 0, 0)
    return zip_of(_entries(), comment=inner)


@_hostile("wheel-zip", "central directory does not lie")
def _archive_in_front_of_the_archive() -> bytes:
    return good() + good()


@_hostile("wheel-zip", "no end record")
def _cut_off() -> bytes:
    return good()[:-30]


@_hostile("wheel-zip", "no end record")
def _empty_file() -> bytes:
    return b""


@_hostile("wheel-zip", "no end record")
def _no_zip_at_all() -> bytes:
    return b"<html>not found</html>" * 10


@_hostile("wheel-zip", "central directory does not lie")
def _cut_out_of_the_middle() -> bytes:
    content = good()
    return content[:100] + content[110:]


@_hostile("wheel-zip", "more than the 3 entries")
def _more_entries_than_counted() -> bytes:
    return zip_of(_entries(), end={"here": 3, "count": 3})


@_hostile("wheel-zip", "central directory is damaged")
def _fewer_entries_than_counted() -> bytes:
    return zip_of(_entries(), end={"here": 9, "count": 9})


@_hostile("wheel-zip", "central directory is damaged")
def _last_entry_reaches_beyond_the_directory() -> bytes:
    content = bytearray(good())
    at = content.rindex(b"PK\x01\x02")
    content[at + 32 : at + 34] = b"\xff\xff"  # the length of its comment
    return bytes(content)


@_hostile("wheel-zip", "one part of several")
def _one_part_of_several() -> bytes:
    return zip_of(_entries(), end={"disk": 1})


@_hostile("wheel-zip", "another part", EVIL)
def _member_in_another_part() -> bytes:
    return _changed(EVIL, central={"disk": 3})


def _with_zip64_end(**lie: int) -> bytes:
    plain = zip_of(_entries())
    *_, count, size, start, _ = struct.unpack("<4sHHHHLLH", plain[-22:])
    records = zip64_end(**{"count": count, "size": size, "start": start, "position": start + size, **lie})
    return zip_of(_entries(), before_end=records)


def good_with_zip64_end() -> bytes:
    """The good wheel with zip64 records that say the same."""
    return _with_zip64_end()


@_hostile("wheel-zip", "plain and zip64) differ")
def _zip64_end_record_differs() -> bytes:
    return _with_zip64_end(count=1)


@_hostile("wheel-zip", "not where it belongs")
def _zip64_end_record_elsewhere() -> bytes:
    return _with_zip64_end(position=0)


@_hostile("wheel-zip", "unknown form")
def _zip64_end_record_of_another_length() -> bytes:
    return _with_zip64_end(length=60)


# Content that is not what the headers say.


@_hostile("wheel-zip", "encrypted", EVIL)
def _encrypted() -> bytes:
    return _changed(EVIL, flags=1)


@_hostile("wheel-zip", "encrypted", EVIL)
def _strongly_encrypted() -> bytes:
    return _changed(EVIL, flags=1 << 6)


@_hostile("wheel-zip", "compression (method 12)", EVIL)
def _unusual_compression() -> bytes:
    return _changed(EVIL, method=12)


@_hostile("wheel-zip", "compression (method 8)", EVIL)
def _patch_data() -> bytes:
    return _changed(EVIL, flags=1 << 5)


@_hostile("wheel-zip", "two sizes", EVIL)
def _stored_with_two_sizes() -> bytes:
    return _changed(EVIL, method=STORED, local={"size": 5}, central={"size": 5})


@_hostile("wheel-zip", "has more", EVIL)
def _size_too_small() -> bytes:
    # RECORD agrees with the lie, so that only unpacking finds it.
    text = "x" * 1000
    content = make_wheel(files={MODULE: "", EVIL: text}, record=lambda record: record.replace(",1000", ",10"))[1]
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = [Entry(name=info.filename.encode(), content=archive.read(info)) for info in archive.infolist()]
    lie = {"size": 10}
    return zip_of(replace(e, local=lie, central=lie) if e.name == EVIL.encode() else e for e in entries)


@_hostile("wheel-zip", "its content has 12", EVIL)
def _size_too_large() -> bytes:
    content = make_wheel(files={MODULE: "", EVIL: "evil = True\n"}, record=lambda text: text.replace(",12\n", ",99\n"))[
        1
    ]
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = [Entry(name=info.filename.encode(), content=archive.read(info)) for info in archive.infolist()]
    lie = {"size": 99}
    return zip_of(replace(e, local=lie, central=lie) if e.name == EVIL.encode() else e for e in entries)


@_hostile("wheel-zip", "checksum", EVIL)
def _wrong_checksum() -> bytes:
    return _changed(EVIL, local={"crc": 1}, central={"crc": 1})


@_hostile("wheel-zip", "damaged", EVIL)
def _damaged_content() -> bytes:
    return _changed(EVIL, raw=b"\xff" * 14)


@_hostile("wheel-zip", "cut off", EVIL)
def _content_cut_off() -> bytes:
    whole = Entry(name=b"", content=b"evil = True\n").packed()
    return _changed(EVIL, raw=whole[:-3])


@_hostile("wheel-zip", "bytes follow the end of its compressed data", EVIL)
def _bytes_behind_compressed_data() -> bytes:
    whole = Entry(name=b"", content=b"evil = True\n").packed()
    return _changed(EVIL, raw=whole + b"hidden")


@_hostile("wheel-zip", "has content", "demo/folder/")
def _folder_with_content() -> bytes:
    return zip_of([*_entries(), Entry(name=b"demo/folder/", content=b"evil", mode=0o40755)])


@_hostile("wheel-zip", "neither ASCII nor marked as UTF-8", "demo/\xe9vil.py")
def _name_in_some_code_page() -> bytes:
    lie = {"name": "demo/\xe9vil.py".encode("latin-1"), "flags": 0}
    return _changed(EVIL, local=lie, central=lie)


@_hostile("wheel-zip", "no valid UTF-8", "demo/\xe9vil.py")
def _name_falsely_marked_as_utf_8() -> bytes:
    lie = {"name": "demo/\xe9vil.py".encode("latin-1"), "flags": UTF_8}
    return _changed(EVIL, local=lie, central=lie)


@_hostile("wheel-bomb", "unpacks from", "demo/zeros", limits=Limits(ratio_from=1 << 20))
def _bomb_by_ratio() -> bytes:
    return make_wheel(files={"demo/zeros": bytes(4 << 20)})[1]


@_hostile("wheel-bomb", "unpacks from", limits=Limits(total=2_000_000))
def _bomb_by_size() -> bytes:
    return make_wheel(files={f"demo/{number}": bytes(1 << 20) for number in range(2)})[1]


@_hostile("wheel-bomb", "103 members", limits=Limits(members=102))
def _bomb_by_count() -> bytes:
    return make_wheel(files={f"demo/{number}": "" for number in range(100)})[1]


@_hostile("wheel-bomb", "too much for a file of its kind", METADATA, limits=Limits(metadata=10_000))
def _bomb_in_metadata() -> bytes:
    return make_wheel(metadata_extra="\n" + "x" * 20_000)[1]


# What the wheel says of itself.


def _with(**options: Any) -> Make:
    return lambda: make_wheel(**options)[1]


def _wheel_file(text: str) -> Make:
    return _with(wheel=text)


_each(
    "wheel-metadata",
    False,
    {
        "no-dist-info": ("no .dist-info folder", None, lambda: zip_of([Entry(name=MODULE.encode())])),
        "two-dist-infos": ("2 .dist-info folders", None, lambda: zip_of(_entries("demo-2.0.dist-info/METADATA"))),
        "no-metadata": ("has no METADATA", METADATA, _with(metadata=b"")),
        "no-wheel": ("has no WHEEL", WHEEL, _with(wheel=b"")),
        "wheel-from-the-future": ("newer", WHEEL, _wheel_file("Wheel-Version: 2.0\nRoot-Is-Purelib: true\n")),
        "no-wheel-version": ("Wheel-Version", WHEEL, _wheel_file("Root-Is-Purelib: true\n")),
        "wheel-version-twice": (
            "Wheel-Version",
            WHEEL,
            _wheel_file("Wheel-Version: 1.0\nWheel-Version: 2.0\nRoot-Is-Purelib: true\n"),
        ),
        "wheel-version-no-number": ("Wheel-Version", WHEEL, _wheel_file("Wheel-Version: x\nRoot-Is-Purelib: true\n")),
        "no-root-is-purelib": ("Root-Is-Purelib", WHEEL, _wheel_file("Wheel-Version: 1.0\n")),
        "root-is-purelib-maybe": (
            "Root-Is-Purelib",
            WHEEL,
            _wheel_file("Wheel-Version: 1.0\nRoot-Is-Purelib: maybe\n"),
        ),
        "root-is-purelib-twice": (
            "Root-Is-Purelib",
            WHEEL,
            _wheel_file("Wheel-Version: 1.0\nRoot-Is-Purelib: true\nRoot-Is-Purelib: false\n"),
        ),
    },
)
_each(
    "wheel-metadata",
    True,
    {
        "other-name": ("Name: 'other'", METADATA, _with(metadata="Name: other\nVersion: 1.0\n")),
        "other-version": ("Version: '2.0'", METADATA, _with(metadata="Name: demo\nVersion: 2.0\n")),
        "name-twice": ("once each", METADATA, _with(metadata="Name: demo\nName: other\nVersion: 1.0\n")),
        "no-version": ("once each", METADATA, _with(metadata="Name: demo\n\nVersion: 1.0\n")),
        "version-on-two-lines": ("Version: ", METADATA, _with(metadata="Name: demo\nVersion: 1.0\n 0\n")),
        "folder-of-another-name": ("not that of demo", None, _with(dist_info="other-1.0.dist-info")),
        "folder-of-another-version": ("not that of demo", None, _with(dist_info="demo-2.0.dist-info")),
        "folder-without-version": ("not that of demo", None, _with(dist_info="demo.dist-info")),
    },
)
_each(
    "wheel-metadata",
    True,
    {"file-of-another-name": ("not that of demo", None, good)},
    filename="other-1.0-py3-none-any.whl",
)
_each(
    "wheel-metadata",
    True,
    {"file-of-another-version": ("not that of demo", None, good)},
    filename="demo-3-py3-none-any.whl",
)
_each("wheel-metadata", True, {"file-of-no-form": ("not that of a wheel", None, good)}, filename="demo.whl")

# RECORD

_EMPTY = "demo/__init__.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0"
_each(
    "wheel-record",
    True,
    {
        "no-record": ("no RECORD", None, _with(record=lambda text: None)),
        "file-not-in-record": ("not in RECORD", MODULE, lambda: _record(_EMPTY + "\n", "")),
        "wrong-hash": ("its content has e3b0c442", MODULE, lambda: _record("=47DEQ", "=48DEQ")),
        "wrong-size": ("RECORD says 7 bytes, it has 0", MODULE, lambda: _record(_EMPTY, _EMPTY[:-1] + "7")),
        "size-no-number": ("the size '0x0'", MODULE, lambda: _record(_EMPTY, _EMPTY + "x0")),
        "md5": ("proves nothing", MODULE, lambda: _record(_EMPTY, f"{MODULE},md5=1B2M2Y8AsgTpgAmY7PhCfg,0")),
        "sha1": ("proves nothing", MODULE, lambda: _record(_EMPTY, f"{MODULE},sha1=2jmj7l5rSw0yVb_vlWAYkK_YBwk,0")),
        "unknown-algorithm": ("proves nothing", MODULE, lambda: _record(_EMPTY, f"{MODULE},crc32=AAAAAA,0")),
        "no-hash": ("no hash", MODULE, lambda: _record(_EMPTY, f"{MODULE},,0")),
        "unreadable-hash": ("cannot be read", MODULE, lambda: _record(_EMPTY, f"{MODULE},sha256=$$$,0")),
        "empty-hash": ("RECORD says sha256", MODULE, lambda: _record(_EMPTY, f"{MODULE},sha256=,0")),
        "wrong-sha512": ("RECORD says sha512", MODULE, lambda: _record(_EMPTY, f"{MODULE},sha512=AAAA,0")),
        "listed-file-is-missing": (
            "not in the archive",
            EVIL,
            lambda: _record(_EMPTY, f"{_EMPTY}\n{EVIL},sha256=AA,1"),
        ),
        "listed-twice": ("lists it twice", MODULE, lambda: _record(_EMPTY, f"{_EMPTY}\n{MODULE},sha256=AAAA,0")),
        "record-of-two-columns": ("2 fields", RECORD, lambda: _record(_EMPTY, _EMPTY[:-2])),
        "record-no-csv": ("cannot be read as CSV", RECORD, lambda: _record(_EMPTY, f'"{MODULE}"x,sha256=AA,0')),
        "record-with-open-quote": ("cannot be read as CSV", RECORD, lambda: _record(_EMPTY, f'{_EMPTY}\n"x,,')),
    },
)


@_hostile("wheel-record", "cannot be read as CSV in UTF-8", RECORD, excusable=True)
def _record_no_utf_8() -> bytes:
    entries = _entries()
    return zip_of([*entries[:-1], replace(entries[-1], content=entries[-1].content + b"demo/\xe9.py,,\n")])


# Files that would land on what an environment consists of.


def _data(path: str) -> tuple[str, str, Make]:
    member = f"demo-1.0.data/{path}"
    return "replace a part of the environment", member, lambda: zip_of(_entries(member))


_each(
    "wheel-path",
    False,
    {
        "script-python": _data("scripts/python"),
        "script-python3.11": _data("scripts/python3.11"),
        "script-python-on-windows": _data("scripts/PYTHON.EXE"),
        "script-before-python-on-windows": _data("scripts/python.com"),
        "script-python-library": _data("scripts/python311.dll"),
        "script-activate": _data("scripts/activate"),
        "script-activate-powershell": _data("scripts/Activate.ps1"),
        "script-pyvenv-cfg": _data("scripts/pyvenv.cfg"),
        "data-pyvenv-cfg": _data("data/pyvenv.cfg"),
        "data-pyvenv-cfg-in-capitals": _data("data/PYVENV.CFG"),
        "data-python": _data("data/bin/python3"),
        "data-python-on-windows": _data("data/Scripts/python.exe"),
        "data-python-at-the-top": _data("data/pythonw.exe"),
        "data-activate": _data("data/bin/activate.fish"),
    },
)


@_hostile("wheel-path", "no such part", "demo-1.0.data/stdlib/os.py")
def _unknown_scheme() -> bytes:
    return zip_of(_entries("demo-1.0.data/stdlib/os.py"))


@_hostile("wheel-path", "no such part", "demo-1.0.data/scripts")
def _scheme_that_is_a_file() -> bytes:
    return zip_of(_entries("demo-1.0.data/scripts"))


@_hostile("wheel-path", "does not belong to", "other-1.0.data/scripts/evil")
def _data_of_another_distribution() -> bytes:
    return zip_of(_entries("other-1.0.data/scripts/evil"))


# Commands


def _command(line: str, reason: str, group: str = "console_scripts") -> tuple[str, None, Make]:
    return reason, None, _with(entry_points=f"[{group}]\n{line}\n")


_each(
    "wheel-entry-point",
    False,
    {
        "entry-point-without-object": _command("evil = demo", "plain `module:attr`"),
        "entry-point-with-code": _command("evil = demo:main; import os", "plain `module:attr`"),
        "entry-point-with-call": _command("evil = demo:main()", "plain `module:attr`"),
        "entry-point-with-relative-module": _command("evil = .demo:main", "plain `module:attr`"),
        "entry-point-with-number": _command("evil = demo:1", "plain `module:attr`"),
        "entry-point-without-value": _command("evil", "not of the form"),
        "command-outside": _command("../evil = demo:main", "`..`"),
        "command-absolute": _command("/bin/evil = demo:main", "absolute"),
        "command-in-a-folder": _command("sub/evil = demo:main", "is a path"),
        "command-with-backslash": _command("sub\\evil = demo:main", "backslash"),
        "command-python": _command("python = demo:main", "part of the environment"),
        "command-python-gui": _command("Pythonw = demo:main", "part of the environment", "gui_scripts"),
        "command-activate": _command("activate = demo:main", "part of the environment"),
        "command-reserved": _command("con = demo:main", "reserved on Windows"),
        "command-with-control-character": _command("e\x1bvil = demo:main", "control character"),
        "command-without-name": _command("= demo:main", "is empty"),
        "command-with-two-meanings": _command("evil = demo:main\nevil = demo:other", "two meanings"),
    },
)


@_hostile("wheel-metadata", "not in UTF-8", ENTRY_POINTS)
def _entry_points_no_utf_8() -> bytes:
    return make_wheel(files={ENTRY_POINTS: b"[console_scripts]\nevil = \xe9:main\n"})[1]


@_hostile("wheel-entry-point", "two meanings", folds_case=True)
def _commands_that_differ_in_case() -> bytes:
    return make_wheel(entry_points="[console_scripts]\nevil = demo:main\nEvil = demo:other\n")[1]
