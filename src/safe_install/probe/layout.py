"""Decide on the layout of one job: which layers, environment and scratch, how files are linked, which locks hold.

Pure: from what was found out (`findings.Facts`) and judged to what shall be used, with a reason for each step down from
what the settings ask for. Where a place cannot be used and another can, that one is taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..models import LinkMode, Scope, Trust
from .conditions import link_of, lock_kind
from .facts import Role

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .facts import PlaceFacts
    from .findings import Facts, Finding

# Findings of a folder that make it no place for builds, as long as there is another.
_NOT_FOR_SCRATCH = frozenset({"scratch-on-network", "no-execution", "space-out", "files-out"})
_UNUSABLE = frozenset({
    "hangs", "file-in-the-way", "read-only", "not-writable", "full", "not-usable", "strangers-can-write",
    "foreign-owner", "not-a-store", "newer-format", "made-twice", "seed-unusable",
})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerChoice:
    """One layer of the chain, in reading order.

    :param name: ``job``, ``runner``, ``seed 1`` …
    :param path: of its store; None for a temporary one, made in scratch.
    :param writable: whether this job publishes there.
    :param sharing: who else may use it: ``private``, ``group`` or ``public``.
    :param locks: ``native``, ``claim`` or ``none``.
    """

    name: str
    path: str | None
    writable: bool
    sharing: str
    locks: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLayout:
    """What one job shall use.

    :param environment: and *scratch*: paths; None where no usable one is known.
    :param link_mode: how files get from the first layer that has them into the environment.
    :param environment_locks: the kind of lock that guards the environment.
    :param reasons: why it is not what the settings ask for, each a sentence.
    """

    scope: Scope
    trust: Trust
    layers: tuple[LayerChoice, ...]
    environment: str | None
    scratch: str | None
    link_mode: LinkMode
    environment_locks: str
    reasons: tuple[str, ...]

    @property
    def works(self) -> bool:
        """Whether a job can succeed with it."""
        return bool(self.layers) and self.environment is not None and self.scratch is not None


def decide(facts: Facts, findings: Sequence[Finding]) -> JobLayout:
    """Return the layout that fits what was found."""
    return _Decision(facts, findings).layout()


class _Decision:
    def __init__(self, facts: Facts, findings: Sequence[Finding]) -> None:
        self._facts = facts
        self._reasons: list[str] = []
        self._codes: dict[str, set[str]] = {}
        for finding in findings:
            self._codes.setdefault(finding.place, set()).add(finding.code)

    def layout(self) -> JobLayout:
        wanted = self._facts.wanted
        scratch = self._scratch()
        layers = self._layers(scratch)
        environment = self._facts.place(Role.ENVIRONMENT)
        usable = environment is not None and not self._blocked(environment, Role.ENVIRONMENT)
        return JobLayout(
            scope=Scope.JOB if layers and layers[0].name == "job" else Scope.RUNNER,
            trust=wanted.trust,
            layers=tuple(layers),
            environment=environment.path if environment and usable else None,
            scratch=scratch,
            link_mode=self._link_mode(layers),
            environment_locks=_locks(environment) if environment else "none",
            reasons=tuple(self._reasons),
        )

    def _blocked(self, place: PlaceFacts, role: Role) -> str:
        """The code of what makes a place unusable; empty where nothing does."""
        codes = self._codes.get(place.path, set())
        reasons = codes & _UNUSABLE
        if role is Role.ENVIRONMENT:
            reasons = codes & {"hangs", "file-in-the-way", "read-only", "not-writable", "full", "not-usable"}
            reasons |= codes & {"no-locks", "no-execution", "path-too-long"}
        return min(reasons, default="")

    def _scratch(self) -> str | None:
        """The folder that was named, unless another one is fitter for builds."""
        places = [place for role in (Role.SCRATCH, Role.TEMP) if (place := self._facts.place(role)) is not None]
        usable = [place for place in places if not self._blocked(place, Role.SCRATCH)]
        fit = [place for place in usable if not self._codes.get(place.path, set()) & _NOT_FOR_SCRATCH]
        chosen = next(iter([*fit, *usable]), None)
        if places and chosen is not places[0]:
            why = self._blocked(places[0], Role.SCRATCH) or min(self._codes[places[0].path] & _NOT_FOR_SCRATCH)
            self._reasons.append(f"scratch is not {places[0].path}: {why}")
        return chosen.path if chosen else None

    def _layers(self, scratch: str | None) -> list[LayerChoice]:
        wanted = self._facts.wanted
        store = self._facts.place(Role.STORE)
        own = wanted.scope is Scope.JOB
        if store is not None and (why := self._blocked(store, Role.STORE)):
            self._reasons.append(f"the first layer is a temporary store, and not {store.path}: {why}")
            own, store = True, None
        layers = []
        if store is not None:
            layers.append(_layer("job" if own else "runner", store, writable=True))
        elif scratch is not None:
            place = next(each for each in self._facts.places if each.path == scratch)
            locks = _locks(place)
            layers.append(LayerChoice(name="job", path=None, writable=True, sharing="private", locks=locks))
        return [*layers, *self._lower()] if layers else []

    def _lower(self) -> list[LayerChoice]:
        found = []
        seeds = 0
        for place in self._facts.places:
            if Role.RUNNER in place.roles and not (why := self._blocked(place, Role.RUNNER)):
                found.append(_layer("runner", place, writable=self._facts.wanted.trust is Trust.TRUSTED))
            elif Role.RUNNER in place.roles:
                self._reasons.append(f"{place.path} is no layer: {why}")
            if Role.SEED in place.roles:
                seeds += 1
                if why := self._blocked(place, Role.SEED):
                    self._reasons.append(f"{place.path} is no layer: {why}")
                else:
                    found.append(_layer(f"seed {seeds}", place, writable=False))
        return found

    def _link_mode(self, layers: Sequence[LayerChoice]) -> LinkMode:
        first = next((place for place in self._facts.places if layers and place.path == layers[0].path), None)
        trial = link_of(first, self._facts) if first else None
        if trial is None or not trial.mode:
            return LinkMode.COPY  # always works
        return LinkMode(trial.mode)


def _layer(name: str, place: PlaceFacts, *, writable: bool) -> LayerChoice:
    sharing = place.store.sharing if place.store else "private"
    return LayerChoice(name=name, path=place.path, writable=writable, sharing=sharing, locks=_locks(place))


def _locks(place: PlaceFacts) -> str:
    kind, _ = lock_kind(place)
    return kind.value if kind else "native"
