"""What an entry contains: path, size, SHA-256 and executable or not of every file. Written last, part of the entry.

The time of a file is not in it: it follows from the digest (`safe_install.fs.hashing.content_time`). Its last key is
the SHA-256 of all that stands before it, since what it says decides what an entry is held to.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from typing import NamedTuple

from ..errors import IntegrityError
from ..fs._system import CREATE, set_mode, system_path
from ..models import Digest

FORMAT = 1
"""Of the manifest's own text. Another one is no damage, but nothing that this release can use."""

_DIGEST = re.compile("[0-9a-f]{64}")
_CHECKSUM = b',"sha256":"'
_END = b'"}\n'


class FileEntry(NamedTuple):
    """One file of an entry.

    :param path: relative to ``tree/``, parts separated by ``/``.
    :param size: bytes.
    """

    path: str
    size: int
    sha256: str
    executable: bool


class Manifest(NamedTuple):
    """The list of an entry's files, sorted by path.

    :param digest: the SHA-256 of the wheel file that was unpacked.
    :param filename: the name of that file.
    """

    format: int
    digest: Digest
    filename: str
    files: tuple[FileEntry, ...]


def read_manifest(path: str | os.PathLike[str]) -> Manifest:
    """Read and check the manifest at *path*.

    :raises FileNotFoundError: there is none; the entry is absent.
    :raises IntegrityError: ``manifest-invalid``: cut short, not ours, or of another format.
    """
    with open(system_path(path), "rb") as file:
        return parse_manifest(file.read(), path)


def parse_manifest(text: bytes, path: str | os.PathLike[str]) -> Manifest:
    """Return the manifest in *text*. :param path: for messages. Errors as `read_manifest`."""
    try:
        body, _, checksum = text.rpartition(_CHECKSUM)
        if checksum != hashlib.sha256(body).hexdigest().encode() + _END:
            raise ValueError("its checksum is wrong")
        document = json.loads(text)
        if document["format"] != FORMAT:
            raise ValueError(f"its format is {document['format']!r}, not {FORMAT}")
        # `_make` counts the values and trusts their types: `WheelTree.damage` finds a path or size that cannot be.
        files = tuple(map(FileEntry._make, document["files"]))
        manifest = Manifest(FORMAT, Digest(document["digest"]), document["filename"], files)
        if not (_DIGEST.fullmatch(manifest.digest) and all(_DIGEST.fullmatch(file.sha256) for file in files)):
            raise ValueError("a digest in it is malformed")
    except (ValueError, TypeError, KeyError) as error:
        raise IntegrityError(f"the manifest at {path} cannot be used: {error}", code="manifest-invalid") from error
    return manifest


def encode_manifest(manifest: Manifest) -> bytes:
    """Return the bytes of the file, the same for the same manifest."""
    document = {
        "format": manifest.format,
        "digest": manifest.digest,
        "filename": manifest.filename,
        "files": manifest.files,
    }
    body = json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()[:-1]
    return body + _CHECKSUM + hashlib.sha256(body).hexdigest().encode() + _END


def write_manifest(path: str | os.PathLike[str], manifest: Manifest) -> None:
    """Make the file *path*, which must not exist, and bring it to the disk.

    :raises OSError: nothing is left at *path*, unless it existed.
    """
    data = encode_manifest(manifest)
    place = system_path(path)
    descriptor = os.open(place, CREATE, 0o600)
    try:
        with open(descriptor, "wb") as file:
            set_mode(descriptor, 0o444)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        os.unlink(place)
        raise
