"""Read settings from the command line, the variables and the configuration files, in that order of precedence.

Of the files, that of the project beats that of the runner's administrator. ``safe-install.toml`` and the table
``[tool.safe-install]`` of ``pyproject.toml`` are looked for in the working folder and then upwards; the first folder
that has one of them decides, and ``safe-install.toml`` beats ``pyproject.toml`` beside it. Paths in a file are relative
to that file, all others to the working folder.
"""

from __future__ import annotations

import difflib
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..models import (
    IndexStrategy,
    Isolation,
    LinkMode,
    ResolutionStrategy,
    Scope,
    SeedReference,
    Trust,
    Verification,
)
from ..settings import OPTIONS, Option, Settings
from .measures import duration, size

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

_ENUMS: dict[str, type[LinkMode | Isolation | Verification | IndexStrategy | ResolutionStrategy | Scope | Trust]] = {
    "link-mode": LinkMode,
    "isolation": Isolation,
    "verify": Verification,
    "index-strategy": IndexStrategy,
    "resolution": ResolutionStrategy,
    "scope": Scope,
    "trust": Trust,
}
_GENERATION = re.compile("[0-9a-f]{8,64}")
_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off", ""})


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationFile:
    """The options that one file sets. :param path: for messages, and as the base of relative paths."""

    path: Path
    values: Mapping[str, Any]


def read_settings(
    command_line: Mapping[str, Any],
    environ: Mapping[str, str],
    folder: Path,
    runner: ConfigurationFile | None = None,
) -> Settings:
    """Return the settings that hold for one call.

    :param command_line: raw values by option name; None or an empty sequence means "not given".
    :param folder: the working folder.
    :param runner: what the administrator of this runner wants.
    :raises InputError: ``setting-invalid`` or ``setting-unknown``; names where the value came from.
    """
    files = [each for each in (find_configuration(folder), runner) if each is not None]
    chosen: dict[str, Any] = {}
    for option in OPTIONS:
        given = command_line.get(option.name)
        if given is not None and given != ():
            chosen[option.field] = _convert(option, given, f"--{option.name}", folder)
        elif environ.get(option.variable):
            chosen[option.field] = _convert_text(option, environ[option.variable], option.variable, folder)
        elif file := next((each for each in files if option.name in each.values), None):
            where = f"{option.name} in {file.path}"
            chosen[option.field] = _convert(option, file.values[option.name], where, file.path.parent)
    return Settings(**chosen)


def find_configuration(folder: Path) -> ConfigurationFile | None:
    """Return the nearest configuration file that sets options of ours, or None.

    :raises InputError: ``configuration-invalid`` (not TOML) or ``setting-unknown``.
    """
    for place in (folder, *folder.parents):
        own = place / "safe-install.toml"
        if own.is_file():
            return checked(own, _parse(own))
        project = place / "pyproject.toml"
        if project.is_file():
            tool = _parse(project).get("tool", {})
            table = tool.get("safe-install") if isinstance(tool, dict) else None
            if table is not None:
                return checked(project, table)
    return None


def _parse(path: Path) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"cannot read {path}: {error}", code="configuration-invalid") from error


def checked(path: Path, table: object) -> ConfigurationFile:
    """Return *table* as the configuration that *path* holds. Errors as `find_configuration`."""
    if not isinstance(table, dict):
        raise InputError(f"[tool.safe-install] in {path} is not a table", code="configuration-invalid")
    known = [option.name for option in OPTIONS]
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]}?" if near else "docs/reference/settings.md lists all settings"
            raise InputError(f"unknown setting {key!r} in {path}", code="setting-unknown", hint=hint)
    return ConfigurationFile(path=path, values=table)


def _convert_text(option: Option, text: str, where: str, base: Path) -> object:
    """Read a variable: lists are separated by white space, as in pip's variables."""
    return _convert(option, text.split() if option.repeatable else text, where, base)


def _convert(option: Option, value: object, where: str, base: Path) -> object:
    """Turn a raw value into the type of its field, or tell where it is wrong."""
    try:
        match option.kind:
            case "path":
                return base / Path(_text(value)).expanduser()
            case "path-list":
                return tuple(base / Path(_text(item)).expanduser() for item in _items(value))
            case "seed-list":
                return tuple(seed_reference(_text(item), base) for item in _items(value))
            case "list":
                return tuple(_text(item) for item in _items(value))
            case "choice":
                return _choice(option, _text(value))
            case kind:
                return _PLAIN[kind](value)
    except ValueError as error:
        raise InputError(f"{where}: {error}", code="setting-invalid") from error


def seed_reference(text: str, base: Path) -> SeedReference:
    """Read ``DIR[@DIGEST]``; an ``@`` above the last part of the path belongs to it (Jenkins makes such folders).

    :raises ValueError: what follows the ``@`` is not the beginning of a digest.
    """
    folder, separator, generation = text.rpartition("@")
    if not separator or "/" in generation or "\\" in generation:
        return SeedReference(path=base / Path(text).expanduser())
    if not folder or not _GENERATION.fullmatch(generation):
        raise ValueError(
            f"expected DIR or DIR@DIGEST with 8 to 64 characters of a generation's digest, not {text!r}"
            " (a folder whose own name has an @ is written with a slash at its end)"
        )
    return SeedReference(path=base / Path(folder).expanduser(), generation=generation)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"expected a text, not {value!r}")
    if "\0" in value:
        raise ValueError("a NUL character is not allowed")
    return value


def _items(value: object) -> Sequence[object]:
    if isinstance(value, (list, tuple)):
        return value
    return (value,)


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in _TRUE | _FALSE:
        return value.lower() in _TRUE
    raise ValueError(f"expected true or false, not {value!r}")


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError(f"expected a number, not {value!r}")
    try:
        return float(value)
    except ValueError:
        raise ValueError(f"expected a number, not {value!r}") from None


def _seconds(value: object) -> float:
    number = _number(value)
    if not math.isfinite(number) or number < 0:
        raise ValueError(f"expected seconds, 0 or more, not {value!r}")
    return number


def _count(value: object) -> int:
    number = _number(value)
    if not number.is_integer() or number < 1:
        raise ValueError(f"expected a whole number, 1 or more, not {value!r}")
    return int(number)


def _choice(option: Option, text: str) -> object:
    if text not in option.choices:
        raise ValueError(f"expected one of {', '.join(option.choices)}, not {text!r}")
    enum = _ENUMS.get(option.name)
    return enum(text) if enum else text


def _mapping(value: object) -> dict[str, str | list[str]]:
    """Read ``KEY=VALUE`` items, or a table of a file; a key given twice becomes a list, as in pip."""
    pairs: list[tuple[str, str]] = []
    if isinstance(value, dict):
        pairs = [(str(key), _text(item)) for key, items in value.items() for item in _items(items)]
    else:
        for item in _items(value):
            key, separator, text = _text(item).partition("=")
            if not separator or not key:
                raise ValueError(f"expected KEY=VALUE, not {item!r}")
            pairs.append((key, text))
    merged: dict[str, str | list[str]] = {}
    for key, text in pairs:
        before = merged.get(key)
        if before is None:
            merged[key] = text
        else:
            merged[key] = [*([before] if isinstance(before, str) else before), text]
    return merged


def _time(value: object) -> datetime:
    """Read RFC 3339, or a date, which means its first moment in UTC."""
    from datetime import UTC, date, datetime

    if isinstance(value, date) and not isinstance(value, datetime):
        value = value.isoformat()
    if not isinstance(value, datetime):
        try:
            value = datetime.fromisoformat(_text(value))
        except ValueError:
            raise ValueError(f"expected a time such as 2026-01-31 or 2026-01-31T12:00:00Z, not {value!r}") from None
    return value if value.tzinfo else value.replace(tzinfo=UTC)


_PLAIN: dict[str, Callable[[object], object]] = {
    "text": _text,
    "flag": _flag,
    "seconds": _seconds,
    "count": _count,
    "size": size,
    "duration": duration,
    "mapping": _mapping,
    "time": _time,
}
