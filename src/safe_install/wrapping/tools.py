"""The tools that can be wrapped: how their programs are called, and which variable names their cache."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PureWindowsPath
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_PYTHON = re.compile(r"python(3(\.\d+t?)?)?|py")
_VERSIONED = re.compile(r"(?P<name>pip)3(\.\d+)?")
# Options of Python whose value is an argument of its own.
_WITH_VALUE = frozenset({"-X", "-W"})
# The same of `env` (GNU coreutils manual, "env: Run a command in a modified environment").
_WITH_VALUE_OF_ENV = frozenset({"-u", "--unset", "-C", "--chdir", "-a", "--argv0"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One tool.

    :param programs: and the modules of ``python -m`` that are this tool.
    :param variable: that names its cache.
    :param uses: names of other tools whose caches it fills.
    :param source: where the variable is documented.
    """

    name: str
    programs: frozenset[str]
    variable: str
    source: str
    uses: tuple[str, ...] = ()


TOOLS: Final[dict[str, Tool]] = {
    tool.name: tool
    for tool in (
        Tool(
            name="uv",
            programs=frozenset({"uv", "uvx"}),
            variable="UV_CACHE_DIR",
            source="https://docs.astral.sh/uv/reference/environment/",
        ),
        Tool(
            name="pip",
            programs=frozenset({"pip"}),
            variable="PIP_CACHE_DIR",
            source="https://pip.pypa.io/en/stable/cli/pip/#cmdoption-cache-dir",
        ),
        Tool(
            name="poetry",
            programs=frozenset({"poetry"}),
            variable="POETRY_CACHE_DIR",
            source="https://python-poetry.org/docs/configuration/#cache-dir",
        ),
        Tool(
            name="pdm",
            programs=frozenset({"pdm"}),
            variable="PDM_CACHE_DIR",
            source="https://pdm-project.org/en/latest/reference/configuration/",
        ),
        Tool(
            name="pip-tools",
            programs=frozenset({"pip-compile", "pip-sync", "piptools"}),
            variable="PIP_TOOLS_CACHE_DIR",
            uses=("pip",),
            source="https://pip-tools.readthedocs.io/en/stable/cli/pip-compile/",
        ),
        Tool(
            name="pipenv",
            programs=frozenset({"pipenv"}),
            variable="PIPENV_CACHE_DIR",
            uses=("pip",),
            source="https://pipenv.pypa.io/en/latest/configuration.html",
        ),
        Tool(
            name="tox",
            programs=frozenset({"tox", "nox"}),
            variable="VIRTUALENV_OVERRIDE_APP_DATA",
            uses=("pip", "uv"),
            source="https://virtualenv.pypa.io/en/latest/cli_interface.html",
        ),
    )
}
"""By name. Whatever else is run gets all of their caches, empty."""


def tools_of(command: Sequence[str]) -> list[Tool]:
    """Return the tools whose caches *command* fills, its own first; none for a program that is not known."""
    name = _program(_without_env(command))
    tool = next((each for each in TOOLS.values() if name in each.programs), None)
    return [] if tool is None else [tool, *(TOOLS[used] for used in tool.uses)]


def _without_env(command: Sequence[str]) -> Sequence[str]:
    """What ``env A=1 COMMAND`` starts; any other command as it is."""
    if _program(command) != "env":
        return command
    rest = list(command[1:])
    while rest and (rest[0].startswith("-") or "=" in rest[0]):
        del rest[: 2 if rest[0] in _WITH_VALUE_OF_ENV else 1]
    return rest


def _program(command: Sequence[str]) -> str:
    """The name of the program, or of the module that a Python is told to run."""
    name = PureWindowsPath(command[0]).name if command else ""
    name = re.sub(r"\.exe$", "", name, flags=re.IGNORECASE)
    name = name.lower() if command and command[0].lower().endswith(".exe") else name
    if _PYTHON.fullmatch(name):
        name = _module(command[1:]) or name
    match = _VERSIONED.fullmatch(name)
    return match["name"] if match else name


def _module(arguments: Sequence[str]) -> str | None:
    """The module that Python's own *arguments* name."""
    values = iter(arguments)
    for argument in values:
        if argument == "-m":
            return next(values, None)
        if argument.startswith("-m"):
            return argument[2:]
        if argument in _WITH_VALUE:
            next(values, None)
        elif not argument.startswith("-"):
            return None
    return None
