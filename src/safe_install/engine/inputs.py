"""Read what the command line names: locks, requirements files, requirements, groups, constraints."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError
from .indexes import FileOptions

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..models import Interpreter, Pin
    from ..resolve.pylock import Lock
    from ..resolve.requirement import WantedRequirement
    from ..resolve.requirements_file import ParsedRequirements
    from .session import Session
    from .workshop import Workshop


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedSet:
    """What locks and pinned requirements files ask for. :param hashed: every distribution must have a digest."""

    pins: tuple[Pin, ...]
    hashed: bool


@dataclass(slots=True, kw_only=True)
class Asked:
    """What ``install`` and ``lock`` are asked for."""

    requirements: list[WantedRequirement] = field(default_factory=list)
    constraints: list[WantedRequirement] = field(default_factory=list)
    overrides: list[WantedRequirement] = field(default_factory=list)
    hashed: bool = False
    prereleases: bool = False
    prefer_binary: bool = False


def read_locked_set(
    session: Session, workshop: Workshop, files: Sequence[str], *, extras: Sequence[str], groups: Sequence[str]
) -> LockedSet:
    """Read the files of ``sync`` and ``fetch``.

    :param workshop: tells the names of direct sources that have none, which may take a build.

    :raises InputError: a file is missing or malformed, something is not pinned, or two files disagree.
    :raises RequirementsError: a lock does not fit the interpreter. Nothing was fetched.
    """
    pins: dict[str, Pin] = {}
    hashed = session.settings.require_hashes
    for name in files:
        if is_lock(name):
            found = _read_lock(session, name, workshop.interpreter, extras=extras, groups=groups)
        else:
            if extras or groups:
                raise InputError(
                    f"--extra and --group choose from a pylock.toml; {name} is a requirements file", code="usage"
                )
            found, wants_hashes = _read_pins(session, workshop, name)
            hashed = hashed or wants_hashes
        for pin in found:
            _add(pins, pin)
    return LockedSet(pins=tuple(pins[name] for name in sorted(pins)), hashed=hashed)


def read_asked(
    session: Session,
    *,
    requirements: Sequence[str],
    files: Sequence[str],
    editables: Sequence[str],
    groups: Sequence[str],
) -> Asked:
    """Read what ``install`` and ``lock`` name. Errors as `read_locked_set`."""
    from ..resolve.groups import read_group, read_project
    from ..resolve.requirement import parse_requirement

    asked = Asked(hashed=session.settings.require_hashes)
    folder = session.surroundings.folder
    for text in requirements:
        asked.requirements.append(parse_requirement(text, base=folder, origin="the command line", sink=session.sink))
    for text in editables:
        wanted = parse_requirement(text, base=folder, editable=True, origin="the command line", sink=session.sink)
        asked.requirements.append(wanted)
    for name in files:
        if Path(name).name == "pyproject.toml":
            asked.requirements += read_project(folder / name, extras=())
        else:
            _take(asked, session, _read_requirements(session, name))
    for group in groups:
        place, separator, name = group.rpartition(":")
        asked.requirements += read_group(folder / (place if separator else "pyproject.toml"), name)
    for path in session.settings.constraint:
        asked.constraints += _read_constraints(session, path)
    for path in session.settings.override:
        asked.overrides += _read_constraints(session, path)
    if not asked.requirements:
        raise InputError(
            "nothing to do: no requirement was named",
            code="nothing-asked",
            hint="name requirements, a file with -r, a project with -e, or a dependency group with --group",
        )
    return asked


def read_build_constraints(session: Session) -> list[WantedRequirement]:
    """Read the files of ``--build-constraint``. Errors as `read_locked_set`."""
    return [each for path in session.settings.build_constraint for each in _read_constraints(session, path)]


def open_lock(path: Path) -> Lock:
    """Read a lock (PEP 751).

    :raises InputError: ``file-not-found``, ``file-unreadable``, or as `read_pylock`.
    """
    from ..resolve.pylock import read_pylock

    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"there is no file {path}", code="file-not-found") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path}: {error}", code="file-unreadable") from error
    return read_pylock(text, path)


def is_lock(name: str) -> bool:
    """Whether a file is a lock by its name; all others are requirements files."""
    from packaging.pylock import is_valid_pylock_path

    return is_valid_pylock_path(Path(name)) or name.endswith(".toml")


def _read_lock(
    session: Session, name: str, interpreter: Interpreter, *, extras: Sequence[str], groups: Sequence[str]
) -> list[Pin]:
    from ..resolve.pylock import select

    lock = open_lock(session.surroundings.folder / name)
    return select(lock, interpreter, extras=extras, groups=groups or None, format_control=session.format_control)


def _read_pins(session: Session, workshop: Workshop, name: str) -> tuple[list[Pin], bool]:
    from ..resolve.pins import pins_from_requirements

    parsed = _read_requirements(session, name)
    session.add_file_options(_file_options(parsed))
    pins = pins_from_requirements(parsed, workshop.interpreter, name_of=workshop.name_of)
    return pins, parsed.require_hashes or parsed.names_hashes


def _read_requirements(session: Session, name: str, *, constraint: bool = False) -> ParsedRequirements:
    from ..resolve.requirements_file import parse_requirements_file

    return parse_requirements_file(
        name,
        cwd=session.surroundings.folder,
        environ=session.surroundings.variables,
        constraint=constraint,
        read_url=session.read_url,
        sink=session.sink,
    )


def _read_constraints(session: Session, path: Path) -> Iterable[WantedRequirement]:
    return _read_requirements(session, str(path), constraint=True).constraints


def _take(asked: Asked, session: Session, parsed: ParsedRequirements) -> None:
    session.add_file_options(_file_options(parsed))
    asked.requirements += parsed.requirements
    asked.constraints += parsed.constraints
    asked.hashed = asked.hashed or parsed.require_hashes or parsed.names_hashes
    asked.prereleases = asked.prereleases or parsed.pre
    asked.prefer_binary = asked.prefer_binary or parsed.prefer_binary


def _file_options(parsed: ParsedRequirements) -> FileOptions:
    return FileOptions(
        index_url=parsed.index_url,
        extra_index_urls=parsed.extra_index_urls,
        find_links=parsed.find_links,
        no_index=parsed.no_index,
        trusted_hosts=parsed.trusted_hosts,
        no_binary=parsed.no_binary,
        only_binary=parsed.only_binary,
    )


def _add(pins: dict[str, Pin], pin: Pin) -> None:
    before = pins.get(pin.name)
    if before is None:
        pins[pin.name] = pin
    elif (before.version, before.direct) != (pin.version, pin.direct):
        raise InputError(
            f"two files disagree about {pin.name}: {before} and {pin}",
            code="locks-disagree",
            context=tuple(f"{each} is asked for by {each.origin}" for each in (before, pin) if each.origin),
        )
