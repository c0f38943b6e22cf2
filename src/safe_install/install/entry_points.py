"""Read the entry points that become commands, and refuse those that could become anything else.

The text goes into the source code of a script and its name into a path, so both are held to their plainest form.
The format: https://packaging.python.org/en/latest/specifications/entry-points/
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

from ..errors import IntegrityError
from ..fs.paths import folded, problem_with_member

if TYPE_CHECKING:
    from collections.abc import Iterator

Group = Literal["console_scripts", "gui_scripts"]

_GROUPS = ("console_scripts", "gui_scripts")
_SECTION = re.compile(r"\[(.*)\]")
_OBJECT = re.compile(r"(?P<module>[\w.]+)\s*:\s*(?P<attr>[\w.]+)\s*(?:\[(?P<extras>[\w\s,.-]*)\])?")
# What an environment's folder of scripts holds by itself: the interpreter under its many names (also as a Windows
# program, a batch file that would be found before it, or its library), and the files that switch environments.
_PROTECTED = re.compile(
    r"(?:python|pypy)w?(?:\d+(?:\.\d+)*)?t?(?:_d)?(?:\.(?:exe|com|bat|cmd|ps1|dll))?"
    r"|(?:venvlauncher|venvwlauncher)\.exe"
    r"|(?:de)?activate(?:_this)?(?:\.\w+)?"
    r"|pyvenv\.cfg"
)


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """One command: calling it calls *attr* of *module*; both are dotted identifiers.

    :param group: ``gui_scripts`` have no console window on Windows.
    """

    name: str
    module: str
    attr: str
    group: Group


def parse_entry_points(text: str, *, filename: str = "entry_points.txt", folds_case: bool = False) -> list[EntryPoint]:
    """Return the ``console_scripts`` and ``gui_scripts`` of an ``entry_points.txt``, in its order.

    Other groups are none of an installer's business, and nothing in them is an error. Extras after the object are
    allowed and mean nothing (they are deprecated by the specification).

    :param filename: what *text* was read from, for messages: the wheel and the member, or a path.
    :param folds_case: commands whose names differ in case alone are one file.
    :raises IntegrityError: code ``wheel-entry-point``: one is no plain ``module:attr``, its name is no plain file name,
        would replace the interpreter, or is there twice in its group with two meanings.
    """
    found: dict[tuple[str, str], EntryPoint] = {}
    for group, line in _lines(text):
        entry_point = _parsed(group, line, filename)
        earlier = found.setdefault((group, folded(entry_point.name) if folds_case else entry_point.name), entry_point)
        if (earlier.module, earlier.attr) != (entry_point.module, entry_point.attr):
            raise _refused(filename, f"the command {entry_point.name!a} is there twice, with two meanings")
    return list(found.values())


def is_protected_script(name: str) -> bool:
    """Whether a file of this name in an environment's folder of scripts would replace the interpreter or what
    switches environments, on any system.
    """
    return _PROTECTED.fullmatch(folded(name)) is not None


def _lines(text: str) -> Iterator[tuple[Group, str]]:
    """Yield the lines of the two groups as `importlib.metadata` reads them, which is what pip installs."""
    group = ""
    for line in map(str.strip, text.removeprefix("\ufeff").splitlines()):
        if not line or line.startswith(("#", ";")):
            continue
        section = _SECTION.fullmatch(line)
        if section:
            group = section[1].strip()
        elif group in _GROUPS:
            yield cast("Group", group), line


def _parsed(group: Group, line: str, filename: str) -> EntryPoint:
    name, equals, value = (part.strip() for part in line.partition("="))
    if not equals:
        raise _refused(filename, f"{line!a} is not of the form `name = module:attr`")
    problem = problem_with_member(name)
    if problem is None and "/" in name:
        problem = "is a path"
    if problem is None and is_protected_script(name):
        problem = "would replace a part of the environment"
    if problem is not None:
        raise _refused(filename, f"the name of the command {name!a} {problem}")
    match = _OBJECT.fullmatch(value)
    if not match or not all(part.isidentifier() for part in f"{match['module']}.{match['attr']}".split(".")):
        raise _refused(filename, f"the command {name!a} shall call {value!a}, which is no plain `module:attr`")
    return EntryPoint(name, match["module"], match["attr"], group)


def _refused(filename: str, reason: str) -> IntegrityError:
    return IntegrityError(f"refused the entry points of {filename}: {reason}", code="wheel-entry-point")
