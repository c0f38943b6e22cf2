"""Metadata of source trees, where it can be had without a build (PEP 643)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# What `safe_install.metadata.parse_core_metadata` reads. Name and version are never dynamic in an sdist (PEP 643).
_NEEDED = frozenset({"requires-dist", "requires-python", "provides-extra"})
_LARGEST = 16 << 20


def static_metadata(tree: Path) -> bytes | None:
    """Return the PKG-INFO of an unpacked sdist when every wheel built from it must say the same; else None.

    That holds from Metadata-Version 2.2 on, for the fields that ``Dynamic`` does not name. Name and version are the
    caller's to check: whoever made the archive could write anything.
    """
    from packaging.metadata import parse_email
    from packaging.version import InvalidVersion, Version

    file = tree / "PKG-INFO"
    try:
        if file.is_symlink() or file.stat().st_size > _LARGEST:
            return None
        data = file.read_bytes()
    except OSError:
        return None
    raw, unparsed = parse_email(data)
    try:
        version = Version(raw.get("metadata_version", "0"))
    except InvalidVersion:
        return None
    if version < Version("2.2") or "dynamic" in unparsed:
        return None
    dynamic = {field.strip().lower() for field in raw.get("dynamic", ())}
    return None if dynamic & _NEEDED else data
