"""What lies at a place, and where the parts of an environment are in it.

An environment is a virtual environment (PEP 405), or a Python installation that nobody manages (a container's own
Python, conda). Everything else at a place is left alone.
"""

from __future__ import annotations

import errno
import os
import posixpath
import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from ..errors import TargetError
from ..fs._system import meaning, system_path
from ..fs.failures import explain
from ..fs.paths import is_within

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..models import Interpreter

CONFIGURATION = "pyvenv.cfg"
JOURNAL_FOLDER = ".safe-install"
"""In the root of an environment while it is changed in place, and as long as somebody holds what was in its way."""
JOURNAL = "journal.json"
"""In that folder while the change can be undone (`transaction`)."""
INNER_LOCK = ".safe-install.lock"
"""In the root of an environment whose parent cannot be written (`holding`)."""

ATTACHED = "safe-install-image.json"
"""In the root of an environment that refers to an image (`attaching`)."""

# What a folder may hold and still count as empty: our own traces, and what mkfs leaves at the root of a disk.
_NOTHING = frozenset({INNER_LOCK, INNER_LOCK + ".owner", JOURNAL_FOLDER, "lost+found"})


class Place(Enum):
    """What lies where an environment shall be."""

    ABSENT = "absent"
    EMPTY = "empty folder"
    UNFINISHED = "half-made or half-changed environment"
    VIRTUAL = "virtual environment"
    REPLACED = "virtual environment that gives way to a new one"
    INSTALLATION = "Python installation"


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentState:
    """What `recognise` found.

    :param root: absolute; its links are kept.
    :param python: its interpreter, where there is one.
    :param configuration: of a virtual environment: the keys of ``pyvenv.cfg`` in lower case.
    """

    root: str
    place: Place
    python: str | None
    configuration: Mapping[str, str]

    @property
    def exists(self) -> bool:
        """Whether there is an environment to read."""
        return self.place in {Place.VIRTUAL, Place.INSTALLATION}


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """The paths of an environment that exists or shall be made.

    :param root: absolute; every part lies below it.
    :param interpreter: its own, or the one that it shall be made from.
    :param parts: scheme name (``purelib``, ``platlib``, ``scripts``, ``data``, ``headers``) to the folder relative to
        *root*, separated by ``/``; empty for the root itself. Each distribution has a folder of its own in ``headers``.
    :param python: absolute path of the interpreter that its scripts name.
    :param virtual: whether it is a virtual environment.
    """

    root: str
    interpreter: Interpreter
    parts: Mapping[str, str]
    python: str
    virtual: bool

    @classmethod
    def at(cls, root: str | os.PathLike[str], interpreter: Interpreter) -> Environment:
        """Return the environment at *root*. Nothing is read there but where ``lib64`` leads.

        :param interpreter: the environment's own; or, when a virtual one shall be made, the one to make it from.
        :raises TargetError: ``externally-managed`` (PEP 668); ``environment-unsupported``: the interpreter installs
            into folders that do not lie below one root.
        """
        place = os.path.abspath(root)
        if interpreter.is_virtual or not _is_same(place, interpreter.prefix):
            parts = _with_one_library(place, {key: _relative(path) for key, path in interpreter.relative_paths.items()})
            name = "python.exe" if interpreter.is_windows else "python"
            python = os.path.join(place, *_split(parts["scripts"]), name)
            return cls(root=place, interpreter=interpreter, parts=parts, python=python, virtual=True)
        _refuse_managed(interpreter)
        # Some distributors install below another folder than the prefix, such as /usr/local of /usr.
        place = interpreter.paths["data"]
        outside = [path for key, path in interpreter.paths.items() if key != "stdlib" and not is_within(place, path)]
        if outside:
            raise TargetError(
                f"the Python at {interpreter.executable} installs into folders that have no common root",
                code="environment-unsupported",
                context=(f"{outside[0]} is not below {place}",),
                hint="install into a virtual environment: --venv DIR",
            )
        parts = {
            key: _relative(os.path.relpath(path, place)) for key, path in interpreter.paths.items() if key != "stdlib"
        }
        return cls(root=place, interpreter=interpreter, parts=parts, python=interpreter.executable, virtual=False)

    def path(self, relative: str) -> str:
        """Return a path relative to the root, separated by ``/``, as an absolute one of this system."""
        return os.path.join(self.root, *_split(relative)) if relative else self.root

    @property
    def libraries(self) -> tuple[str, ...]:
        """The folders, relative to the root, that hold distributions: purelib, and platlib where it is another."""
        return tuple(dict.fromkeys((self.parts["purelib"], self.parts["platlib"])))

    @property
    def scripts(self) -> str:
        """The folder of its commands, absolute."""
        return self.path(self.parts["scripts"])

    @property
    def purelib(self) -> str:
        """The folder of pure Python modules, absolute."""
        return self.path(self.parts["purelib"])


def recognise(root: str | os.PathLike[str]) -> EnvironmentState:
    """Look at what lies at *root*. Nothing is changed.

    :raises TargetError: ``environment-is-a-file``; ``environment-not-ours``: a folder with something else in it;
        ``environment-broken``: a virtual environment whose interpreter is gone; ``environment-unreadable``.
    """
    place = os.path.abspath(root)
    try:
        names = set(os.listdir(system_path(place)))
    except FileNotFoundError as error:
        if os.path.lexists(system_path(place)):
            raise _broken_link(place) from error
        if is_below_a_file(place):
            raise _file(place) from error
        return _state(place, Place.ABSENT)
    except NotADirectoryError as error:
        raise _file(place) from error
    except OSError as error:
        raise TargetError(
            f"cannot look into {place}: {error.strerror}",
            code="environment-unreadable",
            hint="give this user the right to read it, or name another folder with --venv",
        ) from error
    if JOURNAL_FOLDER in names and os.path.lexists(system_path(os.path.join(place, JOURNAL_FOLDER, JOURNAL))):
        # Whether there is an environment below the half-done change is known once that is undone.
        return _state(place, Place.UNFINISHED)
    if CONFIGURATION in names:
        return _virtual(place)
    if not names - _NOTHING:
        return _state(place, Place.EMPTY)
    python = _python_of(place)
    if python is not None and _holds_standard_library(place, names):
        return _state(place, Place.INSTALLATION, python)
    shown = ", ".join(sorted(names - _NOTHING)[:5])
    raise TargetError(
        f"the folder {place} is not an environment, and not empty",
        code="environment-not-ours",
        context=(f"it holds {shown}" + (" …" if len(names) > 5 else ""),),
        hint="name a folder that does not exist, or an environment, with --venv",
    )


def is_below_a_file(place: str) -> bool:
    """Whether a folder above *place*, which does not exist, is a file: Windows says that it is not found, too."""
    above = os.path.dirname(place)
    while not os.path.lexists(system_path(above)) and os.path.dirname(above) != above:
        above = os.path.dirname(above)
    return os.path.isfile(system_path(above))


def is_denied(error: OSError) -> bool:
    """Whether *error* says that this user may not write here."""
    return meaning(error) in {errno.EACCES, errno.EPERM, errno.EROFS}


def read_only(root: str, error: OSError) -> TargetError:
    """Return the error for an environment that cannot be written."""
    described = explain(error, doing="change the environment", path=root, option="--venv")
    return TargetError(described.message, code="environment-read-only", context=described.context, hint=described.hint)


def _virtual(place: str) -> EnvironmentState:
    configuration = _read_configuration(os.path.join(place, CONFIGURATION))
    python = _python_of(place)
    if python is None:
        home = configuration.get("base-executable") or configuration.get("home", "an unknown place")
        raise TargetError(
            f"the environment {place} is broken: its Python is gone",
            code="environment-broken",
            context=(f"it was made from {home}",),
            hint="remove the folder, and run the command again to make it anew",
        )
    return _state(place, Place.VIRTUAL, python, configuration)


def _state(
    place: str, kind: Place, python: str | None = None, configuration: Mapping[str, str] | None = None
) -> EnvironmentState:
    return EnvironmentState(root=place, place=kind, python=python, configuration=configuration or {})


def _python_of(place: str) -> str | None:
    """The interpreter below *place*, when it is there and no dangling link."""
    for name in ("Scripts/python.exe", "python.exe") if os.name == "nt" else ("bin/python", "bin/python3"):
        path = os.path.join(place, *name.split("/"))
        if os.path.isfile(path):
            return path
    return None


def _holds_standard_library(place: str, names: set[str]) -> bool:
    if os.name == "nt":
        return os.path.isfile(os.path.join(place, "Lib", "os.py"))
    library = os.path.join(place, "lib")
    if "lib" not in names or not os.path.isdir(library):
        return False
    return any(
        name.startswith("python") and os.path.isfile(os.path.join(library, name, "os.py"))
        for name in os.listdir(library)
    )


def _read_configuration(path: str) -> dict[str, str]:
    """Read ``pyvenv.cfg``: lines of ``key = value`` (PEP 405). One that cannot be read says nothing."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            pairs = [line.partition("=") for line in file]
    except OSError:
        return {}
    return {key.strip().lower(): value.strip() for key, sign, value in pairs if sign}


def _file(place: str) -> TargetError:
    return TargetError(
        f"cannot make an environment at {place}: it, or a folder above it, is a file",
        code="environment-is-a-file",
        hint="remove it, or name another folder with --venv",
    )


def _broken_link(place: str) -> TargetError:
    return TargetError(
        f"cannot make an environment at {place}: it is a link to something that does not exist",
        code="environment-is-a-file",
        hint="remove the link, or make what it leads to",
    )


def _refuse_managed(interpreter: Interpreter) -> None:
    if interpreter.externally_managed is not None:
        raise TargetError(
            f"the Python at {interpreter.executable} is managed by the system's package manager (PEP 668)",
            code="externally-managed",
            context=tuple(interpreter.externally_managed.splitlines()),
            hint="install into a virtual environment: --venv DIR",
        )


def _is_same(one: str, other: str) -> bool:
    return os.path.normcase(os.path.realpath(one)) == os.path.normcase(os.path.realpath(other))


def _with_one_library(place: str, parts: Mapping[str, str]) -> Mapping[str, str]:
    """Return *parts* with ``lib`` for ``lib64`` where that is a link to it.

    Some systems have platlib in ``lib64``, and the venv module makes this link (``EnvBuilder.ensure_directories``):
    with two names for one folder, everything in it would be there twice.
    """
    try:
        target = os.readlink(os.path.join(place, "lib64"))
    except OSError:
        return parts
    if os.path.normpath(os.path.join(place, target)) != os.path.join(place, "lib"):
        return parts
    return {key: re.sub(r"^lib64(?=/|$)", "lib", path) for key, path in parts.items()}


def _relative(path: str) -> str:
    text = posixpath.normpath(path.replace(os.sep, "/"))
    return "" if text == "." else text


def _split(relative: str) -> list[str]:
    return relative.split("/") if relative else []
