"""Read core metadata (METADATA of a wheel, PKG-INFO of an sdist) into `safe_install.models.CoreMetadata`.

Only the fields that resolving needs are looked at, so that a broken classifier or description refuses nothing.
Mistakes that uv repairs in requirements of old releases are repaired the same way, because those releases are
still installed every day; everything else that cannot be read is an error and never dropped silently.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .errors import IntegrityError
from .models import CoreMetadata

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packaging.metadata import RawMetadata
    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet
    from packaging.utils import NormalizedName
    from packaging.version import Version

# Headers end at the first empty line; what follows is the description, which nobody here reads.
_END_OF_HEADERS = re.compile(rb"\r?\n\r?\n|\r\r")

# What is wrong in requirements that were accepted when they were uploaded, and its repair. The set of mistakes is
# that of uv's `lenient_requirement.rs`, each with a real release behind it. Applied in this order, cumulatively,
# and to the part before the marker only.
_REPAIRS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?<=[0-9*])\s*(?=[<>=!~]=|[<>])"), ","),  # >=7.2.0<8.0.0
    (re.compile(r"!=\s*~\s*([0-9.]*[0-9])"), r"!=\1.*"),  # !=~5.0
    (re.compile(r"((?:<=|>=|<|>|~=)\s*[0-9]+(?:\.[0-9]+)*)\.\*"), r"\1"),  # >=1.9.*
    (re.compile(r"(?<=[0-9])\*"), ".*"),  # !=3.0*
    (re.compile(r"(>=?)\s*dev\b"), r"\g<1>0.0.0dev"),  # >dev
    (re.compile(r"((?:a|b|rc|post|dev)[0-9]+)(?:\.0)+(?=\s*(?:,|\)|$))"), r"\1"),  # >=9.0.0a1.0
    (re.compile(r"['\"](?=[0-9*<>=!~])|(?<=[0-9*])['\"]"), ""),  # >='3.6'
    (re.compile(r",\s*(?=\)|$)"), ""),  # >=3.6,
)


def parse_core_metadata(data: bytes, *, where: str) -> CoreMetadata:
    """Return the name, version, dependencies, Python requirement and extras that *data* declares.

    :param where: what is read, for messages: a file name, or archive and member.
    :raises IntegrityError: code ``metadata-invalid``: the name or version is missing or repeated, or a requirement
        cannot be read even after `repair_requirement`.

    A ``Requires-Python`` that cannot be read is taken as none, which is what pip does.
    """
    from packaging.metadata import parse_email

    raw, unparsed = parse_email(_headers(data))
    for field in ("name", "version", "requires-dist", "requires-python"):
        if field in unparsed:
            raise _invalid(where, f"its field {field.title()} is repeated or no valid UTF-8")
    name = _name(raw.get("name"), where)
    return CoreMetadata(
        name=name,
        version=_version(raw.get("version"), where),
        requires_dist=tuple(_requirement(text, where) for text in raw.get("requires_dist", ())),
        requires_python=read_requires_python(raw.get("requires_python")),
        provides_extra=frozenset(_extras(raw)),
    )


def has_static_requirements(data: bytes) -> bool:
    """Whether an sdist's PKG-INFO says what its wheel will require (PEP 643), so that no build has to tell."""
    from packaging.metadata import parse_email
    from packaging.version import InvalidVersion, Version

    raw = parse_email(_headers(data))[0]
    try:
        promises = Version(raw.get("metadata_version", "1.0")) >= Version("2.2")
    except InvalidVersion:
        return False
    dynamic = {field.lower() for field in raw.get("dynamic", ())}
    return promises and not dynamic & {"requires-dist", "requires-python", "provides-extra", "version"}


def read_requires_python(text: str | None) -> SpecifierSet | None:
    """Parse a ``Requires-Python``; None, which is no restriction, where it says nothing or makes no sense."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    if not text:
        return None
    for variant in (text, *repair_requirement(text)):
        try:
            return SpecifierSet(variant)
        except InvalidSpecifier:
            continue
    return None


def repair_requirement(text: str) -> Iterator[str]:
    """Yield *text* with ever more of the well-known mistakes taken out, each variant once."""
    requirement, semicolon, marker = text.partition(";")
    for pattern, replacement in _REPAIRS:
        repaired = pattern.sub(replacement, requirement)
        if repaired != requirement:
            requirement = repaired
            yield f"{requirement}{semicolon}{marker}"


def _headers(data: bytes) -> bytes:
    end = _END_OF_HEADERS.search(data)
    return data[: end.start()] if end else data


def _invalid(where: str, reason: str) -> IntegrityError:
    return IntegrityError(
        f"the metadata in {where} cannot be used: {reason}",
        code="metadata-invalid",
        hint="choose another version, or ask the project for a corrected release",
    )


def _name(text: str | None, where: str) -> NormalizedName:
    from packaging.utils import InvalidName, canonicalize_name

    if not text:
        raise _invalid(where, "it has no Name")
    try:
        return canonicalize_name(text.strip(), validate=True)
    except InvalidName:
        raise _invalid(where, f"{text!r} is no valid project name") from None


def _version(text: str | None, where: str) -> Version:
    from packaging.version import InvalidVersion, Version

    if not text:
        raise _invalid(where, "it has no Version")
    try:
        return Version(text)
    except InvalidVersion:
        raise _invalid(where, f"{text!r} is no valid version (PEP 440)") from None


def _requirement(text: str, where: str) -> Requirement:
    from packaging.requirements import InvalidRequirement, Requirement

    folded = " ".join(text.split())
    try:
        return Requirement(folded)
    except InvalidRequirement as error:
        for variant in repair_requirement(folded):
            try:
                return Requirement(variant)
            except InvalidRequirement:
                continue
        reason = str(error).partition("\n")[0]
        raise _invalid(where, f"Requires-Dist {folded!r}: {reason}") from None


def _extras(raw: RawMetadata) -> Iterator[NormalizedName]:
    """Yield the normalized extras; one whose name is invalid cannot be asked for, and is left out."""
    from packaging.utils import InvalidName, canonicalize_name

    for text in raw.get("provides_extra", ()):
        try:
            yield canonicalize_name(text.strip(), validate=True)
        except InvalidName:
            continue
