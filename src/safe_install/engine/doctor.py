"""Examine the places that an installation with these settings would use, judge them, and mend what can be mended.

The layout that comes out is what a command that only chooses one needs as well: `examine` and `judge` and `decide` of
`safe_install.probe` know nothing of settings or screens.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import StoreError
from ..models import Isolation, LinkMode, Scope, Trust
from ..probe.examination import Examination
from ..probe.facts import STORES, Role
from ..probe.findings import Facts, Finding, Wanted
from ..probe.layout import JobLayout, decide
from ..probe.machine import look_at_machine
from ..probe.mending import mend
from ..probe.rules import judge

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """Where things are when no setting says it, and what the process was started with.

    :param store: the store of a user who names none.
    :param temp: where programs put their temporary files.
    :param ci: the name of the CI system; empty for none.
    """

    store: str
    home: str
    temp: str
    ci: str
    variables: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """:param findings: as they are now. :param mended: what was put right, each a sentence.

    :param not_mended: what should have been put right and could not.
    """

    facts: Facts
    findings: tuple[Finding, ...]
    layout: JobLayout
    mended: tuple[str, ...] = ()
    not_mended: tuple[str, ...] = ()

    @property
    def blocking(self) -> tuple[Finding, ...]:
        """Findings with which no installation can succeed."""
        return tuple(finding for finding in self.findings if finding.blocks)


def diagnose(settings: Settings, defaults: Defaults, *, paths: Sequence[str], deadline: float, fix: bool) -> Diagnosis:
    """Return what was found out; nothing of the probes is left.

    :param paths: further folders to look at.
    :param deadline: seconds for all places together, and again for trying links.
    :param fix: also put right what can be put right safely, and look again.
    """
    found = _examine(settings, defaults, paths=paths, deadline=deadline)
    if not fix:
        return found
    mended, failed = [], []
    places = {place.path: place for place in found.facts.places}
    untouched = _untouched(found.facts.wanted)
    for finding in found.findings:
        place = places.get(finding.place)
        if place is None or place.hung or place.roles & untouched:
            continue
        try:
            if (done := mend(finding.code, place)) is not None:
                mended.append(done)
        except StoreError as error:
            failed.append(error.message)
    if mended:
        found = _examine(settings, defaults, paths=paths, deadline=deadline)
    return Diagnosis(
        facts=found.facts,
        findings=found.findings,
        layout=found.layout,
        mended=tuple(mended),
        not_mended=tuple(failed),
    )


def _examine(settings: Settings, defaults: Defaults, *, paths: Sequence[str], deadline: float) -> Diagnosis:
    wanted = wanted_by(settings)
    examination = Examination(deadline=deadline)
    with examination:
        places = examination.places(places_of(settings, wanted, defaults, paths=paths), untouched=_untouched(wanted))
        environment = next((each for each in places if Role.ENVIRONMENT in each.roles), None)
        layers = [
            (place.path, place.store.sample if place.store else "")
            for place in places
            if place.roles & STORES and not place.hung
            if (place.store and place.store.sample) or (place.writing and not place.writing.kind)
        ]
        links = []
        if environment and environment.writing and not environment.writing.kind and not environment.hung:
            links = examination.links(
                layers,
                environment.path,
                # What is not only referred to is placed in the best way.
                mode=LinkMode.AUTO if settings.link_mode is LinkMode.ATTACH else settings.link_mode,
                own_files=settings.isolation is Isolation.STRICT,
            )
    facts = Facts(
        wanted=wanted,
        machine=look_at_machine(defaults.variables, ci=defaults.ci),
        places=tuple(places),
        links=tuple(links),
        deadline=deadline,
        left=tuple(examination.left),
    )
    findings = judge(facts)
    return Diagnosis(facts=facts, findings=tuple(findings), layout=decide(facts, findings))


def _untouched(wanted: Wanted) -> frozenset[Role]:
    """What nobody writes to who only looks: seeds; and what others read, by an untrusted job."""
    return frozenset({Role.SEED} if wanted.trust is Trust.TRUSTED else {Role.SEED, Role.RUNNER})


def wanted_by(settings: Settings) -> Wanted:
    """Return what *settings* ask for, as `engine.layers` understands them."""
    scope = settings.used_scope
    return Wanted(
        scope=scope,
        trust=settings.trust,
        link_mode=settings.link_mode,
        isolation=settings.isolation,
        temporary_store=scope is Scope.JOB and settings.cache_dir is None,
    )


def places_of(
    settings: Settings, wanted: Wanted, defaults: Defaults, *, paths: Sequence[str]
) -> dict[str, frozenset[Role]]:
    """Return every place that an installation would use, and further ones, each once with all its roles."""
    runner = str(settings.runner_dir or defaults.store)
    found: list[tuple[str, Role]] = []
    if wanted.scope is Scope.RUNNER:
        found.append((str(settings.cache_dir or runner), Role.STORE))
    elif settings.cache_dir is not None:
        found.append((str(settings.cache_dir), Role.STORE))
    if wanted.scope is Scope.JOB and settings.shared:
        found.append((runner, Role.RUNNER))
    if settings.shared:
        found += [(str(seed.path), Role.SEED) for seed in settings.seed]
    found.append((str(settings.venv), Role.ENVIRONMENT))
    if settings.scratch is not None:
        found.append((str(settings.scratch), Role.SCRATCH))
    found += [(defaults.temp, Role.TEMP), (defaults.home, Role.HOME)]
    found += [(path, Role.PATH) for path in paths]
    places: dict[str, frozenset[Role]] = {}
    for path, role in found:
        place = os.path.abspath(path)
        places[place] = places.get(place, frozenset()) | {role}
    return places
