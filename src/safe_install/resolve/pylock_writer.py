"""Write a resolution as ``pylock.toml`` (PEP 751), the same for the same answer to the byte.

Nothing in it depends on the time, the machine's paths or the order of answers, and no credentials are written. What
was resolved for one interpreter holds for others as long as every marker on the way gives the same answer: the range
of Python versions and the variables for which that is so stand in ``requires-python`` and ``environments``.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

import tomli_w
from packaging.utils import InvalidSdistFilename, InvalidWheelFilename, parse_sdist_filename, parse_wheel_filename

from ..errors import RequirementsError
from ..metadata import read_requires_python
from ..models import ArchiveSource, DirectorySource
from ..redact import redact_url
from .markers import deciding_variables, depends_on_patch, first_other_python
from .requirement import path_of_file_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..models import Interpreter, Pin, RemoteFile, VcsSource
    from .request import Resolution

CREATED_BY = "safe-install"
_LOCK_VERSION = "1.0"
_INDENT = "    "


def write_pylock(resolution: Resolution, interpreter: Interpreter, *, base: Path) -> str:
    """Return the text of the lock.

    :param base: absolute; the folder in which the lock will stand. Local paths are written relative to it.
    :raises RequirementsError: codes ``lock-without-hash`` (PEP 751 demands digests, and no file of a pin has one)
        and ``lock-source-unpinned`` (a repository without commit id).
    """
    return _render(
        {
            "lock-version": _LOCK_VERSION,
            "environments": _environments(resolution, interpreter),
            "requires-python": _requires_python(resolution, interpreter),
            "created-by": CREATED_BY,
            "packages": [_package(pin, base) for pin in sorted(resolution.pins, key=lambda pin: pin.name)],
        }
    )


def public_url(url: str) -> str:
    """Return *url* without credentials, without parameters that carry some, and without fragment.

    The user of ``ssh`` stays: it is an account of the service (``git``), not a secret, and needed.
    """
    parts = urlsplit(url)
    userinfo, _, host = parts.netloc.rpartition("@")
    if parts.scheme == "ssh" and userinfo:
        host = f"{userinfo.partition(':')[0]}@{host}"
    parameters = parse_qsl(parts.query, keep_blank_values=True)
    public = [(name, value) for name, value in parameters if "***" not in redact_url(f"?{name}=x")]
    query = parts.query if len(public) == len(parameters) else urlencode(public)
    return urlunsplit((parts.scheme, host, parts.path, query, ""))


def _requires_python(resolution: Resolution, interpreter: Interpreter) -> str:
    markers = interpreter.markers
    deciding = deciding_variables(resolution.consulted, markers)
    major, minor = interpreter.version[:2]
    end = first_other_python(resolution.consulted, markers, deciding)
    return f">={major}.{minor}" + (f",<{end[0]}.{end[1]}" if end else "")


def _environments(resolution: Resolution, interpreter: Interpreter) -> list[str] | None:
    """One marker that pins the variables on which an answer rests; None when there are none."""
    markers = interpreter.markers
    deciding = deciding_variables(resolution.consulted, markers)
    pinned = {name: markers[name] for name in deciding}
    if depends_on_patch(resolution.consulted, markers, deciding):
        pinned["python_full_version"] = markers["python_full_version"]
    clauses = [f"{name} == {_quoted(value)}" for name, value in sorted(pinned.items())]
    return [" and ".join(clauses)] if clauses else None


def _quoted(value: str) -> str:
    return f"'{value}'" if '"' in value else f'"{value}"'


def _package(pin: Pin, base: Path) -> dict[str, Any]:
    """One table of ``packages``, its keys in the order of the specification; None stands for a key that is left out."""
    requires_python = read_requires_python(pin.requires_python)
    package: dict[str, Any] = {
        "name": pin.name,
        # The specification forbids the version of a folder, which its next state may contradict.
        "version": None if isinstance(pin.direct, DirectorySource) else str(pin.version),
        "requires-python": str(requires_python) if requires_python else None,
        "dependencies": [{"name": name} for name in pin.dependencies] or None,
    }
    if isinstance(pin.direct, DirectorySource):
        return {**package, "directory": _directory(pin.direct, base)}
    if isinstance(pin.direct, ArchiveSource):
        return {**package, "archive": _archive(_hashed(pin, (pin.direct.file,))[0], pin.direct.subdirectory, base)}
    if pin.direct is not None:
        return {**package, "vcs": _vcs(pin.direct, base)}
    return {**package, **_indexed(pin, base)}


def _indexed(pin: Pin, base: Path) -> dict[str, Any]:
    hashed = _hashed(pin, pin.files)
    wheels = sorted((file for file in hashed if _is_regular(file) and file.is_wheel), key=lambda file: file.filename)
    sdists = [file for file in hashed if _is_regular(file) and not file.is_wheel]
    if not wheels and not sdists:
        # A name that the specification does not allow, such as .tar.bz2: it can only be given as an archive.
        return {"archive": _archive(hashed[0], None, base)}
    indexes = {public_url(file.index) if file.index else None for file in (*wheels, *sdists)}
    index = indexes.pop() if len(indexes) == 1 else None
    return {
        "index": index if index and path_of_file_url(index) is None and urlsplit(index).scheme else None,
        "sdist": _file(sdists[0], base) if sdists else None,
        "wheels": [_file(file, base) for file in wheels] or None,
    }


def _hashed(pin: Pin, files: tuple[RemoteFile, ...]) -> list[RemoteFile]:
    found = [file for file in files if file.hashes.secure]
    if not found:
        raise RequirementsError(
            f"{pin} cannot be locked: no file of it has a digest",
            code="lock-without-hash",
            context=tuple(redact_url(file.url) for file in files),
        )
    return found


def _is_regular(file: RemoteFile) -> bool:
    """Whether the specification allows this file name as a wheel or sdist."""
    try:
        if file.is_wheel:
            parse_wheel_filename(file.filename)
        else:
            parse_sdist_filename(file.filename)
    except (InvalidWheelFilename, InvalidSdistFilename):
        return False
    return True


def _file(file: RemoteFile, base: Path) -> dict[str, Any]:
    location = _location(file.url, base)
    named = PurePath(location["path"]).name if "path" in location else urlsplit(location["url"]).path.rpartition("/")[2]
    return {
        # Optional where it is the last part of the path or URL.
        "name": None if unquote(named) == file.filename else file.filename,
        **_content(file, location),
    }


def _content(file: RemoteFile, location: Mapping[str, str]) -> dict[str, Any]:
    return {
        "upload-time": file.upload_time.astimezone(UTC) if file.upload_time else None,
        **location,
        "size": file.size,
        "hashes": dict(sorted(file.hashes.secure.allowed)),
    }


def _location(url: str, base: Path) -> dict[str, str]:
    local = path_of_file_url(url)
    if local is None:
        return {"url": public_url(url)}
    relative = _relative(local, base)
    return {"url": local.as_uri()} if relative is None else {"path": relative}


def _relative(path: Path, base: Path) -> str | None:
    """*path* from *base*, with slashes; None where there is no way, on another drive."""
    try:
        return Path(os.path.relpath(path, base)).as_posix()
    except ValueError:
        return None


def _directory(source: DirectorySource, base: Path) -> dict[str, Any]:
    return {
        "path": _relative(source.path, base) or source.path.as_posix(),
        "editable": source.editable or None,
        "subdirectory": source.subdirectory,
    }


def _archive(file: RemoteFile, subdirectory: str | None, base: Path) -> dict[str, Any]:
    return {**_content(file, _location(file.url, base)), "subdirectory": subdirectory}


def _vcs(source: VcsSource, base: Path) -> dict[str, Any]:
    if source.commit_id is None:
        raise RequirementsError(
            f"{redact_url(source.url)} cannot be locked: its commit is not known", code="lock-source-unpinned"
        )
    # git's short form, git@host:path, is no URL and has nothing to take out.
    location = _location(source.url, base) if "://" in source.url else {"url": source.url}
    return {
        "type": source.vcs,
        **location,
        "requested-revision": source.revision,
        "commit-id": source.commit_id,
        "subdirectory": source.subdirectory,
    }


def _render(document: Mapping[str, Any]) -> str:
    """Write TOML with one line for each file, as the specification recommends; tomli-w would take seven."""
    # An array of tables cannot say that it is empty.
    lines = [line for key, value in document.items() if key != "packages" or not value for line in _line(key, value)]
    for package in document["packages"]:
        lines += ["", "[[packages]]", *(line for key, value in package.items() for line in _line(key, value))]
    return "\n".join(lines) + "\n"


def _line(key: str, value: Any) -> list[str]:  # noqa: ANN401 - what TOML can hold
    return [] if value is None else [f"{key} = {_value(value)}"]


def _value(value: Any) -> str:  # noqa: ANN401 - what TOML can hold
    if isinstance(value, dict):
        return "{ " + ", ".join(line for key, item in value.items() for line in _line(key, item)) + " }"
    if isinstance(value, list):
        return "[\n" + "".join(f"{_INDENT}{_value(item)},\n" for item in value) + "]" if value else "[]"
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return tomli_w.dumps({"x": value}).removeprefix("x = ").rstrip("\n")
