"""What a build made is what it was asked for: name, version, and tags that fit the interpreter.

RECORD and the members are checked where every wheel is: when it is unpacked into the store.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from typing import TYPE_CHECKING

from ..errors import BuildError, IntegrityError
from ..metadata import parse_core_metadata

if TYPE_CHECKING:
    from pathlib import Path

    from packaging.utils import NormalizedName
    from packaging.version import Version

    from ..models import Interpreter

_METADATA = re.compile(r"[^/]+\.dist-info/METADATA")
_LARGEST_METADATA = 64 << 20


def check_wheel(
    path: Path, *, interpreter: Interpreter, name: NormalizedName | None, version: Version | None, subject: str
) -> tuple[NormalizedName, Version]:
    """Return the name and version of the wheel at *path* after comparing them with what is expected.

    :param name: None where anything will do.
    :raises BuildError: ``built-wheel-invalid``: file name, zip or METADATA cannot be read or contradict one another;
        ``build-mismatch``: another name or version than expected, or no tag that *interpreter* accepts.
    """
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    try:
        found_name, found_version, _, tags = parse_wheel_filename(path.name)
    except InvalidWheelFilename as error:
        raise _invalid(path, subject, str(error)) from None
    told = _read(path, subject)
    if told != (found_name, found_version):
        raise _invalid(path, subject, f"its METADATA says {told[0]} {told[1]}")
    check_identity(found_name, found_version, name=name, version=version, subject=subject)
    if tags.isdisjoint(interpreter.tags):
        raise BuildError(
            f"building {subject} made {path.name}, which Python {interpreter.version_text} at"
            f" {interpreter.executable} cannot use",
            code="build-mismatch",
            context=(f"its tags: {', '.join(sorted(map(str, tags)))}",),
            hint="variables or config settings that choose a platform may belong to another one",
        )
    return found_name, found_version


def check_identity(
    found_name: NormalizedName,
    found_version: Version,
    *,
    name: NormalizedName | None,
    version: Version | None,
    subject: str,
) -> None:
    """Compare what a build says that it made with what was expected.

    :raises BuildError: ``build-mismatch``.
    """
    if (name is not None and found_name != name) or (version is not None and found_version != version):
        wanted = " ".join(str(part) for part in (name, version) if part is not None)
        raise BuildError(
            f"building {subject} made {found_name} {found_version} instead of {wanted}",
            code="build-mismatch",
            hint="the name or version that was asked for is not the one that the sources declare",
        )


def read_metadata(path: Path, subject: str) -> bytes:
    """Return METADATA of the wheel at *path*.

    :raises BuildError: ``built-wheel-invalid``.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            found = [member for member in archive.infolist() if _METADATA.fullmatch(member.filename)]
            if len(found) != 1:
                raise _invalid(path, subject, f"it holds {len(found)} METADATA files")
            if found[0].file_size > _LARGEST_METADATA:
                raise _invalid(path, subject, f"its METADATA is larger than {_LARGEST_METADATA:,} bytes")
            return archive.read(found[0])
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise _invalid(path, subject, str(error)) from error


def _read(path: Path, subject: str) -> tuple[NormalizedName, Version]:
    try:
        metadata = parse_core_metadata(read_metadata(path, subject), where=path.name)
    except IntegrityError as error:
        raise _invalid(path, subject, error.message) from error
    return metadata.name, metadata.version


def _invalid(path: Path, subject: str, reason: str) -> BuildError:
    return BuildError(f"building {subject} made {path.name}, which is no wheel: {reason}", code="built-wheel-invalid")
