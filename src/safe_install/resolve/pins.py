"""Read a requirements file as a lock: every line pinned by ``==`` or by a direct source."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from ..errors import InputError
from ..models import DirectorySource, Hashes, Pin
from .candidates import is_exact
from .filenames import version_or_none, wheel_identity
from .graph import identity
from .markers import MarkerEvaluator
from .requirement import require_existing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from packaging.utils import NormalizedName
    from packaging.version import Version

    from ..models import DirectSource, Interpreter
    from .requirement import WantedRequirement
    from .requirements_file import ParsedRequirements


def pins_from_requirements(
    parsed: ParsedRequirements,
    interpreter: Interpreter,
    *,
    name_of: Callable[[DirectSource], NormalizedName] | None = None,
) -> list[Pin]:
    """Return one pin for each project that *parsed* asks for on *interpreter*, sorted by name.

    :param name_of: tells the project of a direct source that has no name; it may build metadata.
    :raises InputError: codes ``requirement-not-pinned`` (all lines at once), ``requirements-contradict``,
        ``requirement-unnamed``, ``file-not-found``. Nothing was fetched.
    """
    markers = MarkerEvaluator(interpreter.markers)
    wanted = [item for item in parsed.requirements if markers.applies(item.marker)]
    _require_pinned(wanted)
    pins: dict[NormalizedName, Pin] = {}
    for item in wanted:
        pin = _pin(item, name_of)
        pins[pin.name] = _merge(pins[pin.name], pin) if pin.name in pins else pin
    for item in (*wanted, *(item for item in parsed.constraints if markers.applies(item.marker))):
        _check(item, pins)
    return [pins[name] for name in sorted(pins)]


def _require_pinned(wanted: list[WantedRequirement]) -> None:
    exact = {item.name for item in wanted if is_exact(item.specifier)}
    loose = [item for item in wanted if item.direct is None and not is_exact(item.specifier) and item.name not in exact]
    if loose:
        raise InputError(
            "not pinned to one version: " + ", ".join(item.text for item in loose),
            code="requirement-not-pinned",
            context=tuple(str(item) for item in loose),
            hint="write NAME==VERSION, make a lock with `ci-install lock`, or use `ci-install install`",
        )


def _pin(item: WantedRequirement, name_of: Callable[[DirectSource], NormalizedName] | None) -> Pin:
    if item.direct is not None:
        require_existing(item)
    return Pin(
        name=item.name or _name_of_direct(item, name_of),
        version=_version(item),
        direct=item.direct,
        hashes=item.hashes,
        requested=True,
        extras=item.extras,
        config_settings=item.config_settings,
        origin=item.origin,
    )


def _version(item: WantedRequirement) -> Version | None:
    if item.direct is None:
        texts = [clause.version for clause in item.specifier if clause.operator in {"==", "==="}]
        return next(filter(None, map(version_or_none, texts)), None)
    filename = getattr(getattr(item.direct, "file", None), "filename", "")
    identity_of_wheel = wheel_identity(filename)
    return identity_of_wheel.version if identity_of_wheel else None


def _name_of_direct(
    item: WantedRequirement, name_of: Callable[[DirectSource], NormalizedName] | None
) -> NormalizedName:
    assert item.direct is not None
    name = declared_name(item.direct.path) if isinstance(item.direct, DirectorySource) else None
    if name is not None:
        return name
    if name_of is not None:
        return name_of(item.direct)
    raise InputError(f"{item} does not tell its name", code="requirement-unnamed", hint=f"write NAME @ {item.text}")


def declared_name(folder: Path) -> NormalizedName | None:
    """The name that the ``pyproject.toml`` of a source tree declares statically (PEP 621), if it does."""
    try:
        document = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    project = document.get("project")
    name = project.get("name") if isinstance(project, dict) else None
    return canonicalize_name(name) if isinstance(name, str) else None


def _merge(first: Pin, second: Pin) -> Pin:
    """Join two lines about one project, as pip does: same version or source, digests that both allow."""
    same_source = (
        identity(first.direct) == identity(second.direct)
        if first.direct is not None and second.direct is not None
        else first.direct is second.direct
    )
    versions = {version for version in (first.version, second.version) if version is not None}
    if not same_source or len(versions) > 1:
        raise _contradiction(first, second)
    allowed = [pin.hashes.allowed for pin in (first, second) if pin.hashes]
    common = frozenset.intersection(*allowed) if allowed else frozenset()
    if allowed and not common:
        raise _contradiction(first, second, ": no digest is allowed by both")
    return replace(
        first,
        version=next(iter(versions), None),
        direct=_editable(first.direct, second.direct),
        hashes=Hashes(common),
        extras=first.extras | second.extras,
        config_settings={**first.config_settings, **second.config_settings},
    )


def _editable(first: DirectSource | None, second: DirectSource | None) -> DirectSource | None:
    return second if isinstance(second, DirectorySource) and second.editable else first


def _contradiction(first: Pin, second: Pin, reason: str = "") -> InputError:
    return InputError(
        f"two lines contradict each other about {first.name}{reason}",
        code="requirements-contradict",
        context=tuple(f"{pin.origin}: {pin}" for pin in (first, second)),
    )


def _check(item: WantedRequirement, pins: dict[NormalizedName, Pin]) -> None:
    """``a==1.0`` does not go together with ``a>=2`` on another line or in a constraints file."""
    pin = pins.get(item.name) if item.name else None
    if pin is None or pin.version is None or item.specifier.contains(pin.version, prereleases=True):
        return
    raise InputError(
        f"two lines contradict each other about {pin.name}",
        code="requirements-contradict",
        context=(f"{pin.origin}: {pin}", f"{item.origin}: {item.text}"),
    )
