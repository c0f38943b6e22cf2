"""Turn the inputs of a door into the arguments of a command.

Each input arrives in a variable of its own, so that quotes, line breaks and ``$(…)`` in it are data. What cannot be
data is refused by the input's name.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...doors import COMMANDS, INPUTS, LOCK_NAMES
from ...errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from ...doors import Input

_NO_VALUES = "[]"
_REPORT = next(each for each in INPUTS if each.name == "report")
_TRUE, _FALSE = frozenset({"true", "yes", "on", "1"}), frozenset({"false", "no", "off", "0"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a job asks for.

    :param arguments: of ``ci-install``, but for ``--report``.
    :param files: those that it reads.
    :param variables: settings that no argument can express, such as a flag that is to be off.
    """

    command: str
    arguments: tuple[str, ...]
    files: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict)


def read_request(environ: Mapping[str, str], folder: Path) -> Request:
    """Return what the variables of a door ask for.

    :param folder: the working folder, in which files are looked for.
    :raises InputError: ``input-invalid``: an input has no such value, or its command does not take it; ``no-lock``.
    """
    texts = {each.name: environ.get(each.variable, "").strip() for each in INPUTS}
    texts = {name: "" if text == _NO_VALUES else text for name, text in texts.items()}
    command = texts["command"] or COMMANDS[0]
    if command not in COMMANDS:
        raise _invalid("command", f"expected one of {', '.join(COMMANDS)}, not {command!r}")
    _one_line("report", texts["report"])
    own = _words(texts["args"])
    files = tuple(_lines(texts["files"]))
    if not files and (command != "install" or not own):
        files = (_found(folder, command),)
    variables: dict[str, str] = {}
    arguments = [command]
    for each in INPUTS:
        if each.option is not None and each.name != "report" and texts[each.name]:
            arguments += _arguments(each, texts[each.name], command, variables)
    arguments += own
    if command == "install":
        arguments += [f"--requirement={name}" for name in files]
    else:
        arguments += ["--", *files]
    return Request(
        command=command,
        arguments=tuple(arguments),
        files=files,
        variables=variables,
    )


def report_asked_for(environ: Mapping[str, str]) -> str | None:
    """Return where the job wants the report, also when another of its inputs is wrong; None where it does not care."""
    text = environ.get(_REPORT.variable, "").strip()
    return text if len(text.splitlines()) == 1 else None


def _arguments(given: Input, text: str, command: str, variables: dict[str, str]) -> Iterator[str]:
    option = given.option
    assert option is not None
    if command not in option.commands:
        raise _invalid(given.name, f"{command} takes no --{option.name}")
    if option.kind == "flag":
        if text.lower() not in _TRUE | _FALSE:
            raise _invalid(given.name, f"expected true or false, not {_shown(text)}")
        if text.lower() in _TRUE:
            yield f"--{option.name}"
        elif option.no_flag:
            yield f"--{option.no_flag}"
        else:
            variables[option.variable] = "no"
    elif option.repeatable:
        yield from (f"--{option.name}={line}" for line in _lines(text))
    else:
        yield f"--{option.name}={_one_line(given.name, text)}"


def _words(text: str) -> list[str]:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise _invalid("args", str(error)) from error
    for word in words:
        for name in ("report", "json"):
            if word == f"--{name}" or word.startswith(f"--{name}="):
                raise _invalid("args", f"--{name} is for the door to set; the input report names the file")
        if word in {"-h", "--help", "--version"}:
            raise _invalid("args", f"{word} installs nothing")
        if word == "--":
            raise _invalid("args", "files belong into the input files")
    return words


def _lines(text: str) -> list[str]:
    """The values of a list: one a line, or a list of JSON, which is what GitLab makes of its arrays."""
    if text.startswith("["):
        try:
            values = json.loads(text)
        except ValueError:
            values = None
        if isinstance(values, list) and all(isinstance(each, str) for each in values):
            return values
    return [line.strip() for line in text.splitlines() if line.strip()]


def _one_line(name: str, text: str) -> str:
    if len(text.splitlines()) > 1:
        raise _invalid(name, f"expected one line, not {_shown(text)}")
    return text


def _found(folder: Path, command: str) -> str:
    names = [name for name in LOCK_NAMES if command != "install" or name.endswith(".txt")]
    for name in names:
        if (folder / name).is_file():
            return name
    raise InputError(
        f"nothing says what to {command}: there is no {' and no '.join(names)} in {folder}",
        code="no-lock",
        hint="name others with the input files, or make one with `ci-install lock -r requirements.in -o pylock.toml`",
    )


def _shown(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:79] + "…")


def _invalid(name: str, problem: str) -> InputError:
    return InputError(f"the input {name}: {problem}", code="input-invalid")
