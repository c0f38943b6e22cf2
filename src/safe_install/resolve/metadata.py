"""Read core metadata (METADATA, PKG-INFO) as far as resolving needs it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.metadata import parse_email
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from ..errors import IntegrityError
from ..models import CoreMetadata

if TYPE_CHECKING:
    from packaging.metadata import RawMetadata

# The description follows the first empty line; only the headers matter here, and parsing them alone is much faster.
_END_OF_HEADERS = re.compile(rb"\r?\n\r?\n")
# Spellings from before PEP 440 was enforced: `>=3.6.*`, `!=3.0*`. `==` and `!=` may end in `.*`, the others may not.
_STAR_AFTER_ORDER = re.compile(r"((?:>=|<=|>|<|~=)\s*[0-9][0-9.]*?)\.?\*")
_BARE_STAR = re.compile(r"((?:==|!=)\s*[0-9][0-9.]*[0-9])\*")


def parse_metadata(data: bytes, *, what: str) -> CoreMetadata:
    """Parse core metadata.

    :param what: the file that it comes from, for messages.
    :raises IntegrityError: code ``metadata-invalid``: no valid name or version, or a requirement that cannot be read.
    """
    raw = _headers(data)
    try:
        return CoreMetadata(
            name=canonicalize_name(raw["name"], validate=True),
            version=Version(raw["version"]),
            requires_dist=tuple(_requirement(text) for text in raw.get("requires_dist", ())),
            requires_python=parse_requires_python(raw.get("requires_python")),
            provides_extra=frozenset(map(canonicalize_name, raw.get("provides_extra", ()))),
        )
    except KeyError as error:
        raise _invalid(what, f"it has no {str(error.args[0]).title()}") from error
    except (InvalidRequirement, InvalidVersion, ValueError) as error:
        raise _invalid(what, str(error).splitlines()[0]) from error


def has_static_requirements(data: bytes) -> bool:
    """Whether an sdist's PKG-INFO tells what its wheel will require (PEP 643), so that no build is needed."""
    raw = _headers(data)
    try:
        new_enough = Version(raw.get("metadata_version", "1.0")) >= Version("2.2")
    except InvalidVersion:
        return False
    dynamic = {name.lower() for name in raw.get("dynamic", ())}
    return new_enough and not dynamic & {"requires-dist", "requires-python", "provides-extra", "version"}


def parse_requires_python(text: str | None) -> SpecifierSet | None:
    """Parse a ``Requires-Python``; None (no restriction) where even a lenient reading makes no sense of it.

    pip ignores what it cannot parse, and uv mends the spellings above; together that is what users are used to.
    """
    if not text or not text.strip():
        return None
    for attempt in (text, _mended(text)):
        try:
            return SpecifierSet(attempt)
        except InvalidSpecifier:
            continue
    return None


def _mended(text: str) -> str:
    text = _BARE_STAR.sub(r"\1.*", _STAR_AFTER_ORDER.sub(r"\1", text.strip(" '\"")))
    return ",".join(part for part in re.split(r"\s*,\s*|\s+(?=[<>=!~])", text) if part)


def _requirement(text: str) -> Requirement:
    try:
        return Requirement(text)
    except InvalidRequirement:
        return Requirement(_BARE_STAR.sub(r"\1.*", _STAR_AFTER_ORDER.sub(r"\1", text)))


def _headers(data: bytes) -> RawMetadata:
    return parse_email(_END_OF_HEADERS.split(data, maxsplit=1)[0] + b"\n\n")[0]


def _invalid(what: str, problem: str) -> IntegrityError:
    return IntegrityError(f"the metadata of {what} cannot be used: {problem}", code="metadata-invalid")
