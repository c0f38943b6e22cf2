"""A manifest comes back as it was written, or is refused."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from typing import TYPE_CHECKING

import pytest
from helpers.faults import failing

from safe_install.errors import IntegrityError
from safe_install.models import Digest
from safe_install.store.manifest import FORMAT, FileEntry, Manifest, read_manifest, write_manifest

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST = Manifest(
    FORMAT,
    Digest("ab" * 32),
    "demo-1.0-py3-none-any.whl",
    (
        FileEntry("demo/__init__.py", 3, "cd" * 32, executable=False),
        FileEntry("demo/é.sh", 0, "ef" * 32, executable=True),
    ),
)


def test_it_comes_back_as_it_was_written(tmp_path: Path) -> None:
    write_manifest(tmp_path / "manifest.json", MANIFEST)
    assert read_manifest(tmp_path / "manifest.json") == MANIFEST


def test_it_is_json(tmp_path: Path) -> None:
    write_manifest(tmp_path / "manifest.json", MANIFEST)
    assert json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))["files"][0][0] == "demo/__init__.py"


def test_an_existing_one_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("theirs")
    with pytest.raises(FileExistsError):
        write_manifest(tmp_path / "manifest.json", MANIFEST)
    assert (tmp_path / "manifest.json").read_text() == "theirs"


def test_it_is_flushed_and_a_failure_leaves_nothing(tmp_path: Path) -> None:
    with failing("fsync", "", errno.EIO) as fault, pytest.raises(OSError, match=os.strerror(errno.EIO)):
        write_manifest(tmp_path / "manifest.json", MANIFEST)
    assert fault.hits is not None
    assert os.listdir(tmp_path) == []


def test_a_missing_one_is_no_damage(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_manifest(tmp_path / "manifest.json")


def variant(**changes: object) -> bytes:
    document = {
        "format": FORMAT,
        "digest": "ab" * 32,
        "filename": "x",
        "files": [["a", 1, "cd" * 32, False]],
        **changes,
    }
    body = json.dumps(document).encode()[:-1]
    return body + b',"sha256":"%s"}\n' % hashlib.sha256(body).hexdigest().encode()


def test_every_single_byte_of_it_counts(tmp_path: Path) -> None:
    """A flipped bit may leave sound JSON, with a name or a mode that was never published."""
    data = variant()
    for place in range(len(data)):
        (tmp_path / "manifest.json").write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises(IntegrityError):
            read_manifest(tmp_path / "manifest.json")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 400,
        b"{}",
        b"[]",
        b"\xff\xfe",
        variant()[:-5],
        variant(format=FORMAT + 1),
        variant(digest="ab"),
        variant(digest=None),
        variant(files=None),
        variant(files=[["a", 1, "cd" * 32]]),
        variant(files=[["a", 1, "CD" * 32, False]]),
        variant(files=[["a", 1, None, False]]),
    ],
)
def test_anything_else_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "manifest.json").write_bytes(data)
    with pytest.raises(IntegrityError) as caught:
        read_manifest(tmp_path / "manifest.json")
    assert caught.value.code == "manifest-invalid"


def test_the_sound_variant_is_accepted(tmp_path: Path) -> None:
    """Else the refusals above would prove nothing."""
    (tmp_path / "manifest.json").write_bytes(variant())
    assert read_manifest(tmp_path / "manifest.json").files == (FileEntry("a", 1, "cd" * 32, executable=False),)
