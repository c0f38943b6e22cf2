"""Metadata of source trees, where it can be had without a build (PEP 643, PEP 621)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

# What `safe_install.metadata.parse_core_metadata` reads. Name and version are never dynamic in an sdist (PEP 643).
_NEEDED = frozenset({"requires-dist", "requires-python", "provides-extra"})
_LARGEST = 16 << 20
# The same in the words of a ``pyproject.toml``, where the version may be dynamic too.
_NEEDED_OF_PROJECT = frozenset({"version", "dependencies", "optional-dependencies", "requires-python"})


def static_metadata(tree: Path) -> bytes | None:
    """Return what every wheel built from an unpacked sdist must say of its needs; None when only a build can tell.

    That is its PKG-INFO from Metadata-Version 2.2 on, for the fields that ``Dynamic`` does not name; else what its
    ``pyproject.toml`` declares, whose fields a build backend has to take over as they are. Name and version are the
    caller's to check: whoever made the archive could write anything.
    """
    return _from_pkg_info(tree) or _from_pyproject(tree)


def _from_pkg_info(tree: Path) -> bytes | None:
    from packaging.metadata import parse_email
    from packaging.version import InvalidVersion, Version

    data = _content(tree / "PKG-INFO")
    if data is None:
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


def _from_pyproject(tree: Path) -> bytes | None:
    """Core metadata of what the ``[project]`` table says (PEP 621); None when it leaves something to the backend."""
    import tomllib

    data = _content(tree / "pyproject.toml")
    try:
        document = tomllib.loads(data.decode()) if data is not None else {}
        project = document.get("project", {})
        dynamic = set(project.get("dynamic", ()))
        # Poetry took its own table for what [project] does not say, without declaring it dynamic.
        is_poetrys = "dependencies" not in project and "poetry" in document.get("tool", {})
        if "name" not in project or "version" not in project or dynamic & _NEEDED_OF_PROJECT or is_poetrys:
            return None
        return "\n".join((*_fields(project), "")).encode()
    except (ValueError, TypeError, AttributeError):
        return None  # malformed; the backend will say how


def _fields(project: Mapping[str, Any]) -> Iterator[str]:
    """:raises ValueError, TypeError, AttributeError: something in it is malformed."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    yield "Metadata-Version: 2.2"
    yield f"Name: {project['name']}"
    yield f"Version: {project['version']}"
    if "requires-python" in project:
        yield f"Requires-Python: {project['requires-python']}"
    for text in project.get("dependencies", ()):
        yield f"Requires-Dist: {Requirement(text)}"
    for extra, texts in project.get("optional-dependencies", {}).items():
        name = canonicalize_name(extra, validate=True)
        yield f"Provides-Extra: {name}"
        for text in texts:
            requirement = Requirement(text)
            marker = f"({requirement.marker}) and " if requirement.marker else ""
            requirement.marker = None
            # The space ends a URL.
            yield f"Requires-Dist: {requirement} ; {marker}extra == '{name}'"


def _content(file: Path) -> bytes | None:
    try:
        if file.is_symlink() or file.stat().st_size > _LARGEST:
            return None
        return file.read_bytes()
    except OSError:
        return None
