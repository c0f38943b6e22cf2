"""What a finding is, and how a rule makes one."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from .facts import STORES, LinkTrial, Machine, PlaceFacts, Role

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..models import Isolation, LinkMode, Scope, Trust


class Level(Enum):
    """How much a finding matters."""

    OK = "ok"
    NOTICE = "notice"
    DANGER = "danger"


OPTIONS: Mapping[Role, str] = {
    Role.STORE: "--cache-dir",
    Role.RUNNER: "--runner-dir",
    Role.SEED: "--seed",
    Role.ENVIRONMENT: "--venv",
    Role.SCRATCH: "--scratch",
    Role.HOME: "HOME",
    Role.TEMP: "TMPDIR",
    Role.PATH: "another PATH",
}
"""With what another place can be chosen for a role."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the settings ask for.

    :param temporary_store: whether the first layer is a temporary one, made in scratch.
    """

    scope: Scope
    trust: Trust
    link_mode: LinkMode
    isolation: Isolation
    temporary_store: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that is judged.

    :param places: none twice.
    :param links: from each layer into the environment.
    :param deadline: seconds that a probe was given.
    :param left: what of the probes could not be removed.
    """

    wanted: Wanted
    machine: Machine
    places: tuple[PlaceFacts, ...]
    links: tuple[LinkTrial, ...] = ()
    deadline: float = 15.0
    left: tuple[str, ...] = ()

    def place(self, role: Role) -> PlaceFacts | None:
        """The place with this role, or the first of several."""
        return next((each for each in self.places if role in each.roles), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """:param code: stable and searchable.

    :param place: its path; empty where it is about the machine or the whole.
    :param roles: what that place is for.
    :param cause: what was found; *effect*: what comes of it; *mend*: the command or setting that mends it.
    :param blocks: whether no installation can succeed as long as it is so.
    """

    code: str
    level: Level
    place: str
    roles: tuple[str, ...]
    cause: str
    effect: str
    mend: str
    blocks: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One line of the table. Its texts have ``{names}`` for what `when` returns, ``{path}``, ``{quoted}`` (for a
    shell) and ``{option}``.

    :param roles: of the places that it is applied to; none for one that looks at the whole.
    :param when: the values for the texts, or None where it does not apply.
    :param blocks: the roles in which a place like this lets no installation succeed.
    """

    code: str
    level: Level
    cause: str
    effect: str
    mend: str
    when: Callable[[PlaceFacts, Facts], Mapping[str, object] | None]
    roles: frozenset[Role] = field(default_factory=lambda: frozenset(Role))
    blocks: frozenset[Role] = frozenset()

    def judge(self, place: PlaceFacts, facts: Facts) -> Finding | None:
        """Return the finding, where it applies."""
        roles = roles_of(place) & self.roles
        if not roles or (values := self.when(place, facts)) is None:
            return None
        first = next(role for role in Role if role in roles)
        texts = {"path": place.path, "quoted": shlex.quote(place.path), "option": OPTIONS[first], **values}
        return Finding(
            code=self.code,
            level=self.level,
            place=place.path,
            roles=tuple(role.value for role in Role if role in place.roles),
            cause=self.cause.format_map(texts),
            effect=self.effect.format_map(texts),
            mend=self.mend.format_map(texts),
            blocks=bool(place.roles & self.blocks),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeRule:
    """One line of the table about the machine, or about several places together; else as `Rule`."""

    code: str
    level: Level
    cause: str
    effect: str
    mend: str
    when: Callable[[Facts], Mapping[str, object] | None]
    blocks: bool = False

    def judge(self, facts: Facts) -> Finding | None:
        """Return the finding, where it applies."""
        if (values := self.when(facts)) is None:
            return None
        return Finding(
            code=self.code,
            level=self.level,
            place=str(values.get("place", "")),
            roles=(),
            cause=self.cause.format_map(values),
            effect=self.effect.format_map(values),
            mend=self.mend.format_map(values),
            blocks=self.blocks,
        )


def roles_of(place: PlaceFacts) -> frozenset[Role]:
    """What a place is for; a store that was named as a mere path is looked at as a store too."""
    if place.store is not None and place.store.present and not STORES & place.roles:
        return place.roles | {Role.STORE}
    return place.roles
