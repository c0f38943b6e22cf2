"""Read and select from ``pylock.toml`` (PEP 751); `safe_install.resolve.pylock_writer` writes it."""

from __future__ import annotations

import logging
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urldefrag, urlsplit

from packaging.pylock import (
    PackageArchive,
    PackageSdist,
    PackageWheel,
    Pylock,
    PylockSelectError,
    PylockValidationError,
)
from packaging.version import InvalidVersion, Version

from ..errors import InputError, RequirementsError
from ..events import Noticed, ignore
from ..models import ArchiveSource, DirectorySource, FormatControl, Hashes, Pin, RemoteFile, VcsSource
from .candidates import choose_file
from .filenames import wheel_identity

if TYPE_CHECKING:
    from collections.abc import Collection

    from packaging.pylock import Package

    from ..events import EventSink
    from ..models import DirectSource, Interpreter

_NEWEST = Version("1.0")
# packaging warns of a newer minor version through `logging`, which would print it; `read_pylock` tells it itself.
logging.getLogger("packaging.pylock").addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """A lock that follows the specification. :param path: absolute; what relative paths in it are relative to."""

    path: Path
    content: Pylock


def read_pylock(text: str, path: Path, sink: EventSink = ignore) -> Lock:
    """Read the content of the lock at *path*.

    :raises InputError: codes ``lock-invalid`` (no TOML, or against the specification) and ``lock-too-new`` (a version
        of the specification that this release does not know).
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path} is not valid TOML: {error}", code="lock-invalid") from error
    _check_version(document, path, sink)
    try:
        return Lock(path=Path(os.path.abspath(path)), content=Pylock.from_dict(document))
    except PylockValidationError as error:
        raise InputError(f"{path} is no valid lock: {error}", code="lock-invalid") from error


def select(
    lock: Lock,
    interpreter: Interpreter,
    *,
    extras: Collection[str] = (),
    groups: Collection[str] | None = None,
    format_control: FormatControl | None = None,
) -> list[Pin]:
    """Return what *lock* wants to have installed for *interpreter*, sorted by name.

    :param groups: None for the lock's default groups.
    :raises InputError: the lock has no such extra or group; codes ``extra-not-found``, ``group-not-found``.
    :raises RequirementsError: it is not meant for this interpreter, or has no file that fits; code
        ``lock-does-not-fit``. Nothing was fetched.
    """
    _check_choice(lock, extras, groups or ())
    control = format_control or FormatControl()
    try:
        selected = lock.content.select(
            environment=_environment(interpreter),
            tags=interpreter.tags,
            extras=extras,
            dependency_groups=groups,
            prefer_sdist_predicate=lambda name: not control.allows_wheel(name),
        )
        pins = [_pin(package, lock) for package, _ in selected]
        for pin in pins:
            if pin.direct is None:
                choose_file(pin, interpreter, control)
    except (PylockSelectError, RequirementsError) as error:
        details = error.context if isinstance(error, RequirementsError) else ()
        raise RequirementsError(
            f"{lock.path} does not fit Python {interpreter.version_text} ({interpreter.platform}): {_reason(error)}",
            code="lock-does-not-fit",
            context=details,
            hint="make a lock for this interpreter, or choose another one with --python",
        ) from error
    return sorted(pins, key=lambda pin: pin.name)


def _check_version(document: dict[str, Any], path: Path, sink: EventSink) -> None:
    """Done before anything else is read, because a newer version may look different everywhere."""
    try:
        version = Version(document["lock-version"])
    except (KeyError, TypeError, InvalidVersion):
        return  # packaging says what is wrong with it
    if version.major > _NEWEST.major:
        raise InputError(
            f"{path} has version {version} of the lock format; this release reads {_NEWEST.major}.x",
            code="lock-too-new",
            hint="update safe-install, or make the lock with an older tool",
        )
    if version > _NEWEST:
        sink(Noticed(message=f"{path} has version {version} of the lock format; what is new in it is ignored"))


def _check_choice(lock: Lock, extras: Collection[str], groups: Collection[str]) -> None:
    for kind, asked, known in (
        ("extra", extras, lock.content.extras or ()),
        ("group", groups, lock.content.dependency_groups or ()),
    ):
        missing = sorted(set(asked) - set(known))
        if missing:
            raise InputError(
                f"{lock.path} has no {kind} named {', '.join(missing)}",
                code=f"{kind}-not-found",
                hint=f"it has {', '.join(sorted(known))}" if known else f"it was made without {kind}s",
            )


def _environment(interpreter: Interpreter) -> Any:  # noqa: ANN401 - a TypedDict whose keys the probe has filled
    return dict(interpreter.markers)


def _reason(error: Exception) -> str:
    return error.message if isinstance(error, RequirementsError) else str(error)


def _pin(package: Package, lock: Lock) -> Pin:
    items: list[PackageWheel | PackageSdist] = [*(package.wheels or ())]
    if package.sdist is not None:
        items.append(package.sdist)
    files = tuple(_file(item, item.filename, lock, package.index) for item in items)
    version = package.version
    if version is None and package.wheels:
        identity = wheel_identity(package.wheels[0].filename)
        version = identity.version if identity else None
    return Pin(
        name=package.name,
        version=version,
        files=files,
        direct=None if files else _direct(package, lock),
        requested=True,
        dependencies=tuple(sorted(item["name"] for item in package.dependencies or () if "name" in item)),
        requires_python=str(package.requires_python) if package.requires_python else None,
        origin=str(lock.path),
    )


def _direct(package: Package, lock: Lock) -> DirectSource:
    if package.vcs is not None:
        vcs = package.vcs
        return VcsSource(
            vcs=vcs.type,
            url=vcs.url or _beside(vcs.path or "", lock).as_uri(),
            revision=vcs.requested_revision,
            commit_id=vcs.commit_id,
            subdirectory=vcs.subdirectory,
        )
    if package.directory is not None:
        directory = package.directory
        return DirectorySource(
            path=_beside(directory.path, lock), editable=bool(directory.editable), subdirectory=directory.subdirectory
        )
    archive = package.archive
    assert archive is not None  # the specification asks for exactly one, and packaging checked it
    filename = unquote(urlsplit(archive.url or "").path.rpartition("/")[2]) or Path(archive.path or "").name
    return ArchiveSource(file=_file(archive, filename, lock, None), subdirectory=archive.subdirectory)


def _file(
    item: PackageWheel | PackageSdist | PackageArchive, filename: str, lock: Lock, index: str | None
) -> RemoteFile:
    local = _beside(item.path, lock) if item.path else None
    # Where both are given, the file beside the lock saves the network; it may not have been copied along.
    url = item.url if item.url and not (local and local.exists()) else local.as_uri() if local else ""
    return RemoteFile(
        url=urldefrag(url).url,
        filename=filename,
        hashes=Hashes.of({algorithm: str(value) for algorithm, value in item.hashes.items()}),
        size=item.size,
        upload_time=item.upload_time,
        index=index,
    )


def _beside(path: str, lock: Lock) -> Path:
    return Path(os.path.abspath(lock.path.parent / path))
