from __future__ import annotations

import io
import random
import tracemalloc
from dataclasses import replace

import pytest
from hostile.raw_zip import STORED, Entry, zip_of

from safe_install.errors import IntegrityError
from safe_install.install.archive import Archive
from safe_install.install.refusal import Limits

SIZES = [0, 1, 100, (1 << 18) - 1, 1 << 18, (1 << 18) + 1, 1 << 19, 3 << 20]


def opened(content: bytes, **limits: int) -> Archive:
    return Archive(io.BytesIO(content), filename="demo.whl", limits=Limits(**limits))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("method", [0, 8])
@pytest.mark.parametrize("kind", ["zeros", "noise"])
def test_content_of_any_size_is_what_was_packed(size: int, method: int, kind: str) -> None:
    # The sizes lie around the pieces that are read: there a decompressor may hold back what it owes.
    content = bytes(size) if kind == "zeros" else random.Random(size).randbytes(size)
    archive = opened(zip_of([Entry(name=b"x", content=content, method=method)]))
    assert b"".join(archive.chunks(archive.members[0])) == content


def test_members_are_read_in_any_order_and_more_than_once() -> None:
    archive = opened(zip_of([Entry(name=b"a", content=b"A"), Entry(name=b"b", content=b"B", method=STORED)]))
    a, b = archive.members
    assert [archive.read(member) for member in (b, a, b)] == [b"B", b"A", b"B"]


def test_liar_about_its_size_never_yields_more_than_it_said() -> None:
    lie = {"size": 1000}
    liar = Entry(name=b"x", content=bytes(50 << 20), local=lie, central=lie)
    archive = opened(zip_of([liar]))
    got: list[bytes] = []
    tracemalloc.start()
    try:
        with pytest.raises(IntegrityError, match="has more"):
            got.extend(archive.chunks(archive.members[0]))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert sum(map(len, got)) <= 1000
    assert peak < 10 << 20


def test_large_member_takes_little_memory() -> None:
    archive = opened(zip_of([Entry(name=b"x", content=bytes(50 << 20))]))
    tracemalloc.start()
    try:
        assert sum(map(len, archive.chunks(archive.members[0]))) == 50 << 20
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 << 20


def test_archive_that_shrinks_while_it_is_read_is_refused() -> None:
    stream = io.BytesIO(zip_of([Entry(name=b"x", content=b"content", method=STORED)]))
    archive = Archive(stream, filename="demo.whl", limits=Limits())
    stream.truncate(archive.members[0].data + 3)
    with pytest.raises(IntegrityError, match="ends inside it"):
        archive.read(archive.members[0])


def test_only_a_small_file_is_read_as_a_whole() -> None:
    archive = opened(zip_of([Entry(name=b"x", content=bytes(11))]), metadata=10)
    with pytest.raises(IntegrityError) as caught:
        archive.read(archive.members[0])
    assert caught.value.code == "wheel-bomb"
    assert "member 'x'" in caught.value.message


@pytest.mark.parametrize("size", [1, 1 << 18, 1 << 20])
def test_bytes_behind_compressed_data_are_found_wherever_a_read_ends(size: int) -> None:
    entry = Entry(name=b"x", content=random.Random(size).randbytes(size))
    padded = replace(entry, raw=entry.packed() + b"y")
    archive = opened(zip_of([padded]))
    with pytest.raises(IntegrityError, match="bytes follow"):
        archive.read(archive.members[0])


def test_bytes_behind_compressed_data_are_found_when_these_end_with_a_read() -> None:
    noise = random.Random(1).randbytes(1 << 18)
    entries = (Entry(name=b"x", content=noise[:-lost]) for lost in range(200))
    entry = next(entry for entry in entries if len(entry.packed()) == 1 << 18)
    archive = opened(zip_of([replace(entry, raw=entry.packed() + b"y")]))
    with pytest.raises(IntegrityError, match="bytes follow"):
        archive.read(archive.members[0])
