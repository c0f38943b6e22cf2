"""Read what a ``pyproject.toml`` asks for: dependency groups (PEP 735) and the project's dependencies (PEP 621)."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

from packaging.dependency_groups import DependencyGroupResolver
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from ..errors import InputError
from .requirement import MalformedRequirementError, WantedRequirement

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from packaging.utils import NormalizedName


def read_group(path: Path, name: str) -> list[WantedRequirement]:
    """Return what the dependency group *name* asks for, included groups with it.

    :param path: of the ``pyproject.toml``; relative paths in it are relative to its folder.
    :raises InputError: codes ``file-not-found``, ``toml-malformed``, ``group-not-found``, ``group-invalid``.
    """
    table = _table(_read(path), "dependency-groups", path)
    known = {canonicalize_name(group) for group in table}
    if canonicalize_name(name) not in known:
        raise InputError(
            f"{path} has no dependency group named {name}",
            code="group-not-found",
            hint=f"it has {', '.join(sorted(known))}" if known else "add one below [dependency-groups]",
        )
    try:
        requirements = DependencyGroupResolver(table).resolve(name)
    # packaging raises its mistakes one by one or as a group, of several built-in kinds.
    except (ExceptionGroup, ValueError, TypeError, LookupError) as error:
        raise InputError(
            f"the dependency group {name} in {path} is invalid", code="group-invalid", context=tuple(_reasons(error))
        ) from error
    return _wanted(requirements, path, f"{path.name}, group {name}")


def read_project(path: Path, *, extras: Collection[str] = ()) -> list[WantedRequirement]:
    """Return the dependencies of the project in *path*, and those of its *extras*, without the project itself.

    :raises InputError: codes ``file-not-found``, ``toml-malformed``, ``extra-not-found``, ``project-invalid``;
        ``project-dynamic`` where only a build can tell its dependencies.
    """
    project = _table(_read(path), "project", path)
    fields = {"dependencies"} | ({"optional-dependencies"} if extras else set())
    if dynamic := fields & set(project.get("dynamic", ())):
        raise InputError(
            f"{path} declares its {', '.join(sorted(dynamic))} as dynamic: only a build can tell them",
            code="project-dynamic",
            hint=f"ask for the project itself: {path.parent}",
        )
    optional = {canonicalize_name(key): texts for key, texts in project.get("optional-dependencies", {}).items()}
    texts = list(project.get("dependencies", ()))
    own_name = canonicalize_name(str(project.get("name", "")))
    requirements = _requirements(texts, path)
    requirements += _of_extras([canonicalize_name(extra) for extra in extras], optional, own_name, path)
    return _wanted(requirements, path, path.name)


def _of_extras(
    extras: list[NormalizedName], optional: Mapping[NormalizedName, list[str]], own_name: str, path: Path
) -> list[Requirement]:
    """The requirements of *extras*. An extra that asks for another one of the same project is followed."""
    found = []
    seen: set[str] = set()
    while extras:
        extra = extras.pop(0)
        if extra in seen:
            continue
        seen.add(extra)
        if extra not in optional:
            raise InputError(f"{path} has no extra named {extra}", code="extra-not-found")
        for requirement in _requirements(optional[extra], path):
            if canonicalize_name(requirement.name) == own_name:
                extras += map(canonicalize_name, sorted(requirement.extras))
            else:
                found.append(requirement)
    return found


def _requirements(texts: Iterable[str], path: Path) -> list[Requirement]:
    try:
        return [Requirement(text) for text in texts]
    except (InvalidRequirement, TypeError) as error:
        raise InputError(
            f"a dependency in {path} cannot be read", code="project-invalid", context=tuple(str(error).splitlines())
        ) from error


def _wanted(requirements: Iterable[Requirement], path: Path, origin: str) -> list[WantedRequirement]:
    try:
        return [WantedRequirement.of(item, base=path.parent, origin=origin) for item in requirements]
    except MalformedRequirementError as error:
        raise InputError(f"a dependency in {path} cannot be read: {error.message}", code="project-invalid") from error


def _read(path: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"there is no file {path}", code="file-not-found") from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}", code="file-unreadable") from error
    except ValueError as error:  # TOML's own errors and those of UTF-8
        raise InputError(f"{path} is not valid TOML: {error}", code="toml-malformed") from error


def _table(document: Mapping[str, Any], name: str, path: Path) -> Mapping[str, Any]:
    table = document.get(name, {})
    if not isinstance(table, dict):
        raise InputError(f"[{name}] in {path} is no table", code="toml-malformed")
    return table


def _reasons(error: Exception) -> list[str]:
    if isinstance(error, ExceptionGroup):
        return [line for each in error.exceptions for line in _reasons(each)]
    return str(error).splitlines()
