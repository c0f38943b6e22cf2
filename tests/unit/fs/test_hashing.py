"""Digests are those of hashlib, however the bytes come; times follow from digests."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
from typing import TYPE_CHECKING

import pytest

from safe_install.fs.hashing import HashingReader, content_time, copy_and_hash, hash_file

if TYPE_CHECKING:
    from pathlib import Path

BYTES = b"some bytes, longer than a chunk\n" * 20_000


def test_a_file_is_hashed_with_every_algorithm_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(BYTES)
    assert hash_file(path, ("sha256", "sha512")) == {
        "sha256": hashlib.sha256(BYTES).hexdigest(),
        "sha512": hashlib.sha512(BYTES).hexdigest(),
    }


def test_an_empty_file_has_the_digest_of_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert hash_file(tmp_path / "empty") == {"sha256": hashlib.sha256().hexdigest()}


def test_copying_hashes_what_was_written_and_tells_its_progress() -> None:
    target, steps = io.BytesIO(), list[int]()
    digests, size = copy_and_hash(io.BytesIO(BYTES).read, target.write, ("sha256", "md5"), steps.append)
    assert target.getvalue() == BYTES
    assert size == sum(steps) == len(BYTES)
    assert len(steps) > 1
    assert digests == {"sha256": hashlib.sha256(BYTES).hexdigest(), "md5": hashlib.md5(BYTES).hexdigest()}


def test_a_reader_knows_what_passed_so_far() -> None:
    reader = HashingReader(io.BytesIO(b"abcdef").read)
    assert reader.read(3) == b"abc"
    assert (reader.size, reader.hexdigests()) == (3, {"sha256": hashlib.sha256(b"abc").hexdigest()})
    assert reader.read() == b"def"
    assert reader.read() == b""
    assert reader.hexdigests() == {"sha256": hashlib.sha256(b"abcdef").hexdigest()}


@pytest.mark.parametrize("content", [b"", b"a", b"b", b"import os\n"])
def test_a_content_time_is_an_even_second_of_2001(content: bytes) -> None:
    """Design section 5: the same on every file system, those that keep only even seconds included."""
    time = content_time(hashlib.sha256(content).hexdigest())
    assert time % 2_000_000_000 == 0
    assert dt.datetime.fromtimestamp(time / 1e9, dt.UTC).year == 2001


def test_the_last_even_second_is_still_in_2001() -> None:
    times = {content_time(f"{number:015x}" + "0" * 49) for number in (0, 365 * 43200 - 1, 365 * 43200)}
    assert {dt.datetime.fromtimestamp(time / 1e9, dt.UTC).year for time in times} == {2001}
    assert len(times) == 2


def test_contents_of_one_size_get_different_times() -> None:
    """Else a `.pyc` that was compiled from the one would be taken for the other's."""
    assert content_time(hashlib.sha256(b"x = 1\n").hexdigest()) != content_time(hashlib.sha256(b"x = 2\n").hexdigest())
