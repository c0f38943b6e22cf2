"""Read a zip of sources."""

from __future__ import annotations

import itertools
import stat
import zipfile
import zlib
from typing import TYPE_CHECKING

from .extraction import MemberProblem

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .extraction import Extraction

_ENCRYPTED = 0x1
# Fixed part of a local header (APPNOTE.TXT section 4.3.7); the name and extra field behind it are at least empty.
_LOCAL_HEADER_SIZE = 30


def read_zip(archive: Path, extraction: Extraction) -> None:
    """Feed every member to *extraction*.

    :raises MemberProblem: it is damaged, truncated or encrypted, members overlap, or one is refused.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            members = opened.infolist()
            _check_overlaps(members)
            for member in members:
                _add(opened, member, extraction)
    except (zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError, UnicodeError, ValueError) as error:
        raise MemberProblem(f"it is damaged, truncated or no zip: {error}", code="sdist-invalid") from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise MemberProblem(f"it is damaged: {error}", code="sdist-invalid") from error


def _check_overlaps(members: Sequence[zipfile.ZipInfo]) -> None:
    """Refuse members that share bytes, of which a small file can unpack to any size (CVE-2024-0450)."""
    ordered = sorted(members, key=lambda member: member.header_offset)
    for member, following in itertools.pairwise(ordered):
        if member.header_offset + _LOCAL_HEADER_SIZE + member.compress_size > following.header_offset:
            raise MemberProblem(f"overlaps with {following.filename!r}", member=member.filename)


def _add(opened: zipfile.ZipFile, member: zipfile.ZipInfo, extraction: Extraction) -> None:
    # `filename` ends at a NUL and has other slashes on Windows; what the archive says is `orig_filename`.
    name = member.orig_filename
    mode = member.external_attr >> 16
    if stat.S_ISLNK(mode):
        raise MemberProblem("is a symbolic link in a zip", member=name)
    if stat.S_IFMT(mode) not in {0, stat.S_IFREG, stat.S_IFDIR}:
        raise MemberProblem("is neither a file nor a folder", member=name)
    if member.flag_bits & _ENCRYPTED:
        raise MemberProblem("is encrypted", member=name)
    if name.endswith("/"):
        extraction.add_folder(name)
        return
    with opened.open(member) as content:
        extraction.add_file(name, content.read, executable=bool(mode & 0o111), mtime=None)
