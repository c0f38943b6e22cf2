"""Find the Python that somebody means by a path, a version, or nothing at all."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING

from ..errors import TargetError

if TYPE_CHECKING:
    from collections.abc import Iterator

# A shim that starts a real Python may take a moment; one that hangs is passed over.
_START_TIMEOUT = 15.0
_VERSION = re.compile(r"(?:python|cpython)?-?(?P<version>\d+(?:\.\d+){0,2})(?:\.exe)?", re.IGNORECASE)


def find_interpreter(request: str | None, *, path_variable: str, current: str) -> str:
    """Return the absolute path of the Python that is meant; only that it runs is certain, not that it fits.

    :param request: a path of an executable or of an environment's folder; a version such as ``3.12``, ``3.12.1`` or
        ``python3.12``; or None for the Python that runs us.
    :param path_variable: folders to search for a version, as in ``PATH``.
    :param current: the executable that runs us. When it is a virtual environment's, the one behind it is taken: an
        environment made from an environment breaks with it.
    :raises TargetError: ``interpreter-missing``.
    """
    if request is None:
        return base_of(current)
    match = _VERSION.fullmatch(request)
    if match is None or os.sep in request or (os.altsep or os.sep) in request:
        return _by_path(request, path_variable)
    from .interpreter import running_version

    wanted = tuple(map(int, match["version"].split(".")))
    tried = []
    for candidate in _candidates(wanted, path_variable, current):
        version = running_version(candidate, timeout=_START_TIMEOUT)
        if version is not None and version[: len(wanted)] == wanted:
            return candidate
        tried.append(f"{candidate} is {'.'.join(map(str, version))}" if version else f"{candidate} does not run")
    raise TargetError(
        f"no Python {match['version']} was found on PATH",
        code="interpreter-missing",
        context=tuple(tried),
        hint="install it, put its folder on PATH, or name its executable with --python PATH",
    )


def base_of(executable: str) -> str:
    """Return the Python behind the virtual environment of *executable*, or itself when there is none."""
    executable = os.path.abspath(executable)
    if executable != os.path.abspath(sys.executable):
        from .interpreter import probe

        return probe(executable, timeout=_START_TIMEOUT).base_executable
    # Asked of this process without starting another: `sync` needs it each time. Set since Python 3.11.
    return os.path.abspath(getattr(sys, "_base_executable", None) or executable)


def _by_path(request: str, path_variable: str) -> str:
    path = os.path.abspath(request)
    if os.path.isdir(path):
        below = ("Scripts/python.exe", "python.exe") if os.name == "nt" else ("bin/python", "bin/python3")
        for name in below:
            if os.path.isfile(os.path.join(path, name)):
                return os.path.join(path, *name.split("/"))
    elif os.path.isfile(path):
        return path
    elif os.path.basename(request) == request and (found := _on_path(request, path_variable)):
        return found
    raise TargetError(
        f"there is no Python at {path}",
        code="interpreter-missing",
        hint="name another one with --python PATH or --python VERSION",
    )


def _on_path(name: str, path_variable: str) -> str | None:
    import shutil

    found = shutil.which(name, path=path_variable)
    return os.path.abspath(found) if found else None


def _candidates(wanted: tuple[int, ...], path_variable: str, current: str) -> Iterator[str]:
    """Yield executables that may have the version, likely ones first."""
    yield base_of(current)
    suffix = ".exe" if os.name == "nt" else ""
    names = [f"python{wanted[0]}.{wanted[1]}"] if len(wanted) > 1 else []
    names += [f"python{wanted[0]}", "python"]
    seen = set()
    for name in names:
        for folder in path_variable.split(os.pathsep):
            path = os.path.join(os.path.abspath(folder), name + suffix)
            # A relative entry of PATH could run whatever the working directory holds.
            if os.path.isabs(folder) and path not in seen and os.access(path, os.X_OK) and os.path.isfile(path):
                seen.add(path)
                yield path
    if os.name == "nt":
        yield from _registered(wanted)


def _registered(wanted: tuple[int, ...]) -> Iterator[str]:
    """Yield what the registry of Windows knows (PEP 514), as the `py` launcher would find it."""
    from python_discovery import get_interpreter

    found = get_interpreter("cpython" + ".".join(map(str, wanted)), env={"PATH": ""})
    if found is not None and found.executable:
        yield found.system_executable or found.executable
