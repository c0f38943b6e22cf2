"""What honest packers write is read. What no packer writes is refused: ``tests/hostile``."""

from __future__ import annotations

import io
import struct
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from helpers.wheels import make_wheel
from hostile.raw_zip import STORED, UTF_8, Entry, descriptor, extra, streamed, zip_of

from safe_install.errors import IntegrityError
from safe_install.install.refusal import Limits
from safe_install.install.zip_headers import read_members

if TYPE_CHECKING:
    from safe_install.install.zip_headers import Member

ONE = Entry(name=b"one", content=b"first" * 10)
TWO = Entry(name=b"two", content=b"second", method=STORED)


def members(content: bytes, limits: Limits | None = None) -> tuple[Member, ...]:
    return read_members(io.BytesIO(content), filename="demo.whl", limits=limits or Limits())


def names(content: bytes) -> list[str]:
    return [member.name for member in members(content)]


def test_members_come_in_the_order_of_their_content_with_where_it_is() -> None:
    content = zip_of([ONE, TWO])
    one, two = members(content)
    assert (one.name, one.size, one.packed, one.start) == ("one", 50, len(ONE.packed()), 0)
    assert content[two.data : two.data + two.packed] == b"second"


def test_central_directory_may_list_them_in_another_order() -> None:
    # zipfile writes a member's entry when it is closed, others sort them by name.
    content = zip_of([ONE, TWO])
    at = content.index(b"PK\x01\x02")
    end = content.index(b"PK\x05\x06")
    split = content.index(b"PK\x01\x02", at + 1)
    assert names(content[:at] + content[split:end] + content[at:split] + content[end:]) == ["one", "two"]


def test_everything_that_zipfile_writes_is_read() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("folder")
        archive.writestr("folder/ünïcode", "text")
        with archive.open("large-by-announcement", "w", force_zip64=True) as stream:
            stream.write(b"text")
        archive.comment = b"a comment"
    assert names(buffer.getvalue()) == ["folder/", "folder/ünïcode", "large-by-announcement"]


def test_archive_that_was_written_without_seeking_is_read() -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *_: object) -> int:
            raise io.UnsupportedOperation

        def tell(self) -> int:
            raise io.UnsupportedOperation

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("one", "text")
        archive.writestr(zipfile.ZipInfo("stored"), "text")
    assert names(pipe.getvalue()) == ["one", "stored"]


@pytest.mark.parametrize("signature", [True, False])
@pytest.mark.parametrize("wide", [True, False])
def test_every_form_of_a_data_descriptor_is_read(signature: bool, wide: bool) -> None:
    content = zip_of([streamed(ONE, signature=signature, wide=wide), streamed(TWO, signature=signature, wide=wide)])
    assert names(content) == ["one", "two"]


def test_descriptor_may_repeat_what_the_local_header_says() -> None:
    repeated = replace(ONE, flags=1 << 3, after=descriptor(ONE.content, len(ONE.packed())))
    assert names(zip_of([repeated, TWO])) == ["one", "two"]


def test_sizes_in_a_zip64_field_are_read() -> None:
    values = struct.pack("<QQ", len(ONE.content), len(ONE.packed()))
    beyond = {"size": 0xFFFFFFFF, "packed": 0xFFFFFFFF}
    wide = replace(ONE, local=beyond, central=beyond, local_extra=extra(1, values), central_extra=extra(1, values))
    (member,) = members(zip_of([wide]))
    assert (member.size, member.packed) == (50, len(ONE.packed()))


def test_zip64_field_that_repeats_the_sizes_is_read() -> None:
    values = struct.pack("<QQ", len(ONE.content), len(ONE.packed()))
    assert names(zip_of([replace(ONE, local_extra=extra(1, values))])) == ["one"]


def test_extra_fields_that_say_nothing_new_are_read() -> None:
    fields = extra(0x5455, b"\3" + bytes(8)) + extra(0x7075, b"\1" + bytes(4) + b"one")
    assert names(zip_of([replace(ONE, local_extra=fields, central_extra=fields)])) == ["one"]


def test_name_marked_as_utf_8_is_read_as_such() -> None:
    assert names(zip_of([replace(ONE, name="é".encode(), flags=UTF_8)])) == ["é"]


def test_comment_with_something_like_an_end_record_is_no_second_one() -> None:
    # The signature alone: its comment length does not reach the end.
    inner = struct.pack("<4sHHHHLLH", b"PK\x05\x06", 0, 0, 0, 0, 0, 0, 99)
    with pytest.raises(IntegrityError, match="bytes follow its end record"):
        names(zip_of([ONE], comment=inner))
    stored_archive = Entry(name=b"inner.zip", content=zip_of([TWO]), method=STORED)
    assert names(zip_of([stored_archive])) == ["inner.zip"]


@pytest.mark.parametrize(
    ("mode", "executable"),
    [(0o100755, True), (0o100644, False), (0o100744, True), (0o100001, True), (0, False), (0o755, False)],
)
def test_executable_is_what_pip_takes_for_it(mode: int, executable: bool) -> None:
    (member,) = members(zip_of([replace(ONE, mode=mode)]))
    assert member.executable is executable


def test_archive_at_its_limits_is_read() -> None:
    content = zip_of([ONE, TWO])
    assert len(members(content, Limits(total=56, members=2))) == 2
    for limits in (Limits(total=55), Limits(members=1), Limits(directory=50)):
        with pytest.raises(IntegrityError) as caught:
            members(content, limits)
        assert caught.value.code == "wheel-bomb"


def test_high_ratio_of_a_small_file_is_no_bomb() -> None:
    zeros = make_wheel(files={"demo/zeros": bytes(4 << 20)})[1]
    assert "demo/zeros" in names(zeros)
