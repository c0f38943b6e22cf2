"""Which project, and which version of it, an entry belongs to; told by what is in it."""

from __future__ import annotations

import contextlib
import tarfile
import zipfile
from email.parser import BytesHeaderParser
from typing import TYPE_CHECKING, Any, NamedTuple

from ..fs._system import system_path
from .documents import decode_page
from .entries import Entry, document_of, manifest_of
from .layout import FILES, IMAGES, INDEX, TREE_BUCKETS, WHEELS

if TYPE_CHECKING:
    from pathlib import Path

_LONGEST_METADATA = 1 << 20


class Subject(NamedTuple):
    """What an entry is about.

    :param kind: ``wheel``, ``bytecode``, ``image``, ``sdist``, ``metadata``, ``pointer``, ``page`` or ``other``.
    :param project: normalized; None where it is of none, or it cannot be told, as *version*.
    """

    kind: str
    project: str | None = None
    version: str | None = None


def subject_of(entry: Entry) -> Subject:
    """Return what *entry* is about. Reads as little of it as it can, and never fails."""
    if entry.bucket in TREE_BUCKETS:
        manifest = manifest_of(entry)
        if manifest is None or entry.bucket == IMAGES:
            return Subject("other" if manifest is None else "image")
        return _named("wheel" if entry.bucket == WHEELS else "bytecode", manifest.filename)
    if entry.bucket == FILES:
        with contextlib.suppress(OSError, ValueError, EOFError):
            return _subject_of_file(entry.path)
        return Subject("other")
    if entry.bucket == INDEX:
        return _subject_of_page(entry.path)
    return subject_of_document(document_of(entry))


def subject_of_document(document: dict[str, Any] | None) -> Subject:
    """The same for a document that was read already."""
    filename = document.get("filename") if document is not None else None
    return _named("pointer", filename) if isinstance(filename, str) else Subject("other")


def _named(kind: str, filename: str) -> Subject:
    from packaging.utils import (
        InvalidSdistFilename,
        InvalidWheelFilename,
        canonicalize_name,
        parse_sdist_filename,
        parse_wheel_filename,
    )

    try:
        if filename.endswith(".whl"):
            name, version, _, _ = parse_wheel_filename(filename)
            return Subject(kind, name, str(version))
        name, version = parse_sdist_filename(filename)
        return Subject(kind, name, str(version))
    except (InvalidWheelFilename, InvalidSdistFilename):
        # Irregular names were let in with --allow-irregular; the project comes first in all of them.
        return Subject(kind, canonicalize_name(filename.partition("-")[0]))


def _subject_of_file(path: Path) -> Subject:
    place = system_path(path)
    with open(place, "rb") as file:
        head = file.read(_LONGEST_METADATA)
    if head.startswith(b"PK"):
        with contextlib.suppress(zipfile.BadZipFile), zipfile.ZipFile(place) as archive:
            return _subject_of_folder(archive.namelist()[0] if archive.namelist() else "")
    with contextlib.suppress(tarfile.TarError), tarfile.open(place) as archive:
        first = archive.next()
        return _subject_of_folder(first.name if first else "")
    if head.startswith(b"Metadata-Version:"):
        from packaging.utils import canonicalize_name

        fields = BytesHeaderParser().parsebytes(head)
        return Subject("metadata", canonicalize_name(str(fields.get("Name", ""))), str(fields.get("Version", "")))
    return Subject("other")


def _subject_of_folder(member: str) -> Subject:
    """An sdist holds one folder, which is called after project and version (PEP 517, "Source distributions")."""
    folder = member.removeprefix("./").partition("/")[0]
    found = _named("sdist", f"{folder}.tar.gz")
    return found if found.version is not None else Subject("sdist")


def _subject_of_page(path: Path) -> Subject:
    from packaging.utils import canonicalize_name

    try:
        with open(system_path(path), "rb") as file:
            page = decode_page(file.read())
    except OSError:
        page = None
    if page is None:
        return Subject("page")
    return Subject("page", canonicalize_name(page.url.rstrip("/").rpartition("/")[2].removesuffix(".html")))
