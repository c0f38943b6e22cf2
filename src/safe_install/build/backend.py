"""Read how a source tree wants to be built: ``[build-system]`` of its ``pyproject.toml`` (PEP 517, PEP 518)."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import BuildError

if TYPE_CHECKING:
    from pathlib import Path

    from packaging.requirements import Requirement

LEGACY_BACKEND = "setuptools.build_meta:__legacy__"
"""What runs a bare ``setup.py``: it puts the tree on `sys.path`, as ``python setup.py`` did."""
LEGACY_REQUIRES = ("setuptools>=40.8.0",)
"""The first release with `LEGACY_BACKEND`. It asks for ``wheel`` itself where it needs it."""

_OBJECT = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*(:[^\W\d]\w*(\.[^\W\d]\w*)*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildSystem:
    """What ``[build-system]`` says, or what holds where it says nothing.

    :param backend: ``module`` or ``module:object``.
    :param backend_path: folders inside the tree, relative to it, from which alone the backend is imported.
    """

    requires: tuple[Requirement, ...]
    backend: str = LEGACY_BACKEND
    backend_path: tuple[str, ...] = ()


def read_build_system(tree: Path) -> BuildSystem:
    """Return the build system of *tree*.

    :raises BuildError: ``not-a-source-tree``: there is neither ``pyproject.toml`` nor ``setup.py``;
        ``build-system-invalid``: the table breaks PEP 517 or PEP 518. All its mistakes are in the context.
    """
    document = _read(tree)
    table = document.get("build-system")
    if table is None:
        return BuildSystem(requires=_requirements(LEGACY_REQUIRES, []))
    mistakes: list[str] = []
    if isinstance(table, dict):
        system = BuildSystem(
            requires=_read_requires(table, mistakes),
            backend=_read_backend(table, mistakes),
            backend_path=_read_backend_path(table, tree, mistakes),
        )
    else:
        mistakes.append("build-system is no table")
        system = BuildSystem(requires=())
    if mistakes:
        raise _invalid(tree, mistakes)
    return system


def _read(tree: Path) -> dict[str, Any]:
    try:
        content = (tree / "pyproject.toml").read_bytes()
    except FileNotFoundError:
        if (tree / "setup.py").is_file():
            return {}
        raise BuildError(
            f"{tree.name} cannot be built: it holds neither pyproject.toml nor setup.py",
            code="not-a-source-tree",
            hint="when the project lies deeper, name its folder with #subdirectory=",
        ) from None
    try:
        return tomllib.loads(content.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _invalid(tree, [f"it is no valid TOML: {error}"]) from None


def _invalid(tree: Path, mistakes: list[str]) -> BuildError:
    return BuildError(
        f"{tree.name} cannot be built: its pyproject.toml is wrong",
        code="build-system-invalid",
        context=tuple(mistakes),
        hint="see https://packaging.python.org/specifications/pyproject-toml/",
    )


def _read_requires(table: dict[str, Any], mistakes: list[str]) -> tuple[Requirement, ...]:
    found = table.get("requires")
    if found is None:
        mistakes.append("build-system.requires is missing")
    elif not _is_list_of_texts(found):
        mistakes.append("build-system.requires is no list of strings")
    else:
        return _requirements(found, mistakes)
    return ()


def _requirements(texts: tuple[str, ...] | list[str], mistakes: list[str]) -> tuple[Requirement, ...]:
    from packaging.requirements import InvalidRequirement, Requirement

    found = []
    for text in texts:
        try:
            found.append(Requirement(text))
        except InvalidRequirement as error:
            reason = str(error).partition("\n")[0]
            mistakes.append(f"build-system.requires holds {text!r}, which is no requirement: {reason}")
    return tuple(found)


def _read_backend(table: dict[str, Any], mistakes: list[str]) -> str:
    found = table.get("build-backend", LEGACY_BACKEND)
    if isinstance(found, str) and _OBJECT.fullmatch(found):
        return found
    mistakes.append(f"build-system.build-backend is {found!r}, not a module or module:object")
    return LEGACY_BACKEND


def _read_backend_path(table: dict[str, Any], tree: Path, mistakes: list[str]) -> tuple[str, ...]:
    found = table.get("backend-path", [])
    if not _is_list_of_texts(found):
        mistakes.append("build-system.backend-path is no list of strings")
        return ()
    if found and "build-backend" not in table:
        mistakes.append("build-system.backend-path is set, but no build-backend")
    inside = tree.resolve()
    for folder in found:
        place = tree / folder
        # An absolute `folder` replaces the tree here, and so is found to be outside as well.
        if not place.resolve().is_relative_to(inside):
            mistakes.append(f"build-system.backend-path holds {folder!r}, which leaves the source tree")
        elif not place.is_dir():
            mistakes.append(f"build-system.backend-path holds {folder!r}, which is no folder")
    return tuple(found)


def _is_list_of_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
