"""The commands of an environment: one file for each entry point, and the first line of scripts that a wheel brings.

The text is pip's, byte for byte: a tool that compares environments finds no difference. On Windows a command is a
launcher with a zip archive behind it, made by the `installer` library.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..models import Interpreter
    from .entry_points import EntryPoint

# pip 26.3, and pip 25.0.1, the last one that runs on Python 3.8, where text has no `removesuffix`.
_TEMPLATE = """\
import sys
from {module} import {imported}
if __name__ == '__main__':
    sys.argv[0] = sys.argv[0].removesuffix('.exe')
    sys.exit({attr}())
"""
_TEMPLATE_3_8 = """\
import sys
from {module} import {imported}
if __name__ == '__main__':
    if sys.argv[0].endswith('.exe'):
        sys.argv[0] = sys.argv[0][:-4]
    sys.exit({attr}())
"""
# Linux cut the first line of a script at 127 bytes before 5.1, and distlib still keeps below that.
_LONGEST_SHEBANG = 127
_PIP = re.compile(r"pip(\d+(\.\d+)?)?")
_EASY_INSTALL = re.compile(r"easy_install(-\d+\.\d+)?")

Launcher: TypeAlias = Literal["posix", "win-ia32", "win-amd64", "win-arm", "win-arm64"]
_LAUNCHERS: dict[str, Launcher] = {
    "win32": "win-ia32",
    "win-amd64": "win-amd64",
    "win-arm32": "win-arm",
    "win-arm64": "win-arm64",
}


class Script(NamedTuple):
    """A command to be written. :param name: of its file, with ``.exe`` on Windows."""

    name: str
    content: bytes


def commands(entry_points: Iterable[EntryPoint], python: str, interpreter: Interpreter) -> list[Script]:
    """Return the files that pip would write for *entry_points*.

    :param python: the interpreter that they run with, as a path in the finished environment.
    :param interpreter: what that interpreter is.
    """
    found = {(point.group, point.name): point for point in entry_points}
    made = [
        _command(name, point, python, interpreter)
        for point in found.values()
        for name in _names(point, {name for group, name in found if group == point.group}, interpreter)
    ]
    # Two names that are one file: the last one wins, as with pip.
    return list({script.name: script for script in made}.values())


def with_shebang(content: bytes, python: str, interpreter: Interpreter) -> bytes | None:
    """Return a wheel's own script with its first line naming *python*; None when it asks for no such thing.

    The rule of the binary distribution format: a first line that begins with ``#!python`` is replaced. pip writes the
    plain path whatever it is; we write one that works when the path is long or holds a space, too.
    """
    if not content.startswith(b"#!python"):
        return None
    _, _, rest = content.partition(b"\n")
    if interpreter.is_windows:
        return b"#!" + python.encode() + b"\r\n" + rest
    return _shebang(python) + rest


def is_command(script: str, names: frozenset[str]) -> bool:
    """Whether the *script* of a wheel is a wrapper that setuptools made for one of the entry points *names*.

    pip leaves such files out and writes its own.
    """
    lowered = script.lower()
    for ending in (".exe", "-script.py", ".pya"):
        if lowered.endswith(ending):
            return script[: -len(ending)] in names
    return script in names


def shebang_token(python: str, interpreter: Interpreter) -> bytes:
    """Return the bytes by which the scripts of an environment differ from those of another one.

    On Unix that is their first line, with what a long path needs; on Windows the path, quoted where it has to be.
    """
    if interpreter.is_windows:
        return (f'"{python}"' if " " in python else python).encode()
    return _shebang(python)


def _names(point: EntryPoint, declared: set[str], interpreter: Interpreter) -> list[str]:
    """The names under which *point* is installed: its own, but for the two that carry the version of their Python.

    Wheels of pip (and of old setuptools) name the version that built them; pip replaces that by the one at hand.
    """
    major, minor = interpreter.version[:2]
    if point.group == "console_scripts":
        if "pip" in declared and _PIP.fullmatch(point.name):
            return ["pip", f"pip{major}", f"pip{major}.{minor}"] if point.name == "pip" else []
        if "easy_install" in declared and _EASY_INSTALL.fullmatch(point.name):
            return ["easy_install", f"easy_install-{major}.{minor}"] if point.name == "easy_install" else []
    return [point.name]


def _command(name: str, point: EntryPoint, python: str, interpreter: Interpreter) -> Script:
    if interpreter.is_windows:
        return _launcher(name, point, python, interpreter)
    template = _TEMPLATE if interpreter.version >= (3, 9, 0) else _TEMPLATE_3_8
    text = template.format(module=point.module, imported=point.attr.split(".")[0], attr=point.attr)
    return Script(name, _shebang(python) + text.encode())


def _launcher(name: str, point: EntryPoint, python: str, interpreter: Interpreter) -> Script:
    from installer.scripts import Script as Launchable

    section: Literal["console", "gui"] = "gui" if point.group == "gui_scripts" else "console"
    # A launcher reads its first line up to the first space, unless it is quoted.
    quoted = f'"{python}"' if " " in python else python
    # As distlib does: the ending of a script has no place before `.exe`.
    stem = re.sub(r"\.pyw?$", "", name)
    launchable = Launchable(stem, point.module, point.attr, section)
    file, content = launchable.generate(quoted, _LAUNCHERS.get(interpreter.platform, "win-amd64"))
    return Script(file, _timeless(content))


def _timeless(launcher: bytes) -> bytes:
    """Return *launcher* with the earliest time in the archive behind it, so that it is the same whenever it is made."""
    import io
    import zipfile

    with zipfile.ZipFile(io.BytesIO(launcher)) as archive:
        (member,) = archive.infolist()
        code = archive.read(member)
    renewed = io.BytesIO()
    with zipfile.ZipFile(renewed, "w") as archive:
        archive.writestr(zipfile.ZipInfo(member.filename), code)
    return launcher[: member.header_offset] + renewed.getvalue()


def _shebang(python: str) -> bytes:
    executable = python.encode("utf-8", "surrogateescape")
    if b" " not in executable and len(executable) + len(b"#!\n") <= _LONGEST_SHEBANG:
        return b"#!" + executable + b"\n"
    # Valid for the shell, which runs the line after `exec`, and for Python, which reads a string (distlib's way).
    quoted = b'"' + executable + b'"' if b" " in executable else executable
    return b"#!/bin/sh\n'''exec' " + quoted + b' "$0" "$@"\n' + b"' '''\n"
