"""Find a set of distributions that meets a request."""

from __future__ import annotations

import time
from collections import defaultdict
from typing import TYPE_CHECKING

from resolvelib import BaseReporter, ResolutionImpossible, ResolutionTooDeep
from resolvelib.resolvers import Resolution as DecisionProcess

from ..errors import RequirementsError
from ..events import Noticed, PhaseAdvanced, PhaseEnded, PhaseStarted, SteppedDown, ignore
from ..models import Hashes, Pin
from .candidates import yanked_notice
from .explain import Explainer
from .finder import Finder
from .graph import Ask, Candidate, Key
from .lookahead import Lookahead
from .markers import Consulted, deciding_variables, named_python_variables
from .provider import Priorities, Provider
from .request import Resolution, ResolveRequest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from packaging.utils import NormalizedName
    from resolvelib.resolvers.criterion import Criterion

    from ..events import EventSink
    from ..models import Interpreter, RemoteFile
    from ..protocols import MetadataSource
    from .graph import Release
    from .requirement import WantedRequirement

# A round decides one node or goes one step back; real sets take some hundreds. pip stops at the same number.
_MOST_ROUNDS = 200_000


def resolve(
    request: ResolveRequest, source: MetadataSource, interpreter: Interpreter, sink: EventSink = ignore
) -> Resolution:
    """Choose one release of everything that *request* asks for and that those need.

    *source* is asked from several threads. The answer depends on what it says, never on the order of its answers.

    :raises RequirementsError: codes ``resolution-impossible``, ``no-such-project``, ``no-matching-version``,
        ``no-compatible-file``, ``resolution-too-deep``.
    :raises InputError: a local path that is asked for does not exist.
    :raises NetworkError: an index could not be read.
    :raises IntegrityError, BuildError: metadata without which nothing can be chosen could not be had.
    """
    started = time.monotonic()
    sink(PhaseStarted(phase="resolve", key="resolve", label="Resolving"))
    try:
        with Lookahead(source) as lookahead:
            return _resolve(Finder(request, interpreter, lookahead), sink)
    finally:
        sink(PhaseEnded(phase="resolve", key="resolve", seconds=time.monotonic() - started))


def _resolve(finder: Finder, sink: EventSink) -> Resolution:
    priorities = Priorities()
    roots = finder.roots()
    mapping = None
    while mapping is None:
        mapping = _attempt(finder, roots, priorities, sink)
    return _Answer(finder, roots, mapping).resolution(sink)


def _attempt(
    finder: Finder, roots: list[Ask], priorities: Priorities, sink: EventSink
) -> Mapping[Key, Candidate] | None:
    """Decide everything; None when the order of decisions has changed on the way, and it is best begun anew.

    That happens once for a project at most, and costs little: everything that was read is remembered.
    """
    reporter = _Reporter(priorities, sink)
    provider = Provider(finder, priorities)
    try:
        decided = DecisionProcess(provider, reporter).resolve(roots, max_rounds=_MOST_ROUNDS).mapping
    except _OrderChangedError:
        return None
    except ResolutionImpossible as error:
        raise Explainer(finder, reporter.asked_by).impossible(error.causes) from error
    except ResolutionTooDeep as error:
        raise RequirementsError(
            f"no set of versions was found in {_MOST_ROUNDS} steps",
            code="resolution-too-deep",
            hint="restrict the versions of some requirements",
        ) from error
    return _needed(roots, provider, decided)


def _needed(roots: Iterable[Ask], provider: Provider, decided: Mapping[Key, Candidate]) -> Mapping[Key, Candidate]:
    """The part of *decided* to which a way leads from *roots*; the rest was needed by what was decided otherwise later.

    `resolvelib.Resolver` does this too, but never ends where what is left over needs itself in a circle.
    """
    needed: dict[Key, Candidate] = {}
    waiting = [ask.key for ask in roots]
    while waiting:
        key = waiting.pop()
        if key not in needed:
            needed[key] = decided[key]
            waiting += [ask.key for ask in provider.get_dependencies(decided[key])]
    return needed


class _OrderChangedError(Exception):
    """Leaves a resolution that is going the wrong way."""


class _Reporter(BaseReporter[Ask, Candidate, Key]):
    """Remembers who asked for what, and tells of each decision."""

    def __init__(self, priorities: Priorities, sink: EventSink) -> None:
        self._priorities = priorities
        self.asked_by: defaultdict[NormalizedName, list[tuple[Ask, Candidate | None]]] = defaultdict(list)
        self._sink = sink

    def adding_requirement(self, requirement: Ask, parent: Candidate | None) -> None:
        self.asked_by[requirement.key.name].append((requirement, parent))

    def rejecting_candidate(self, criterion: Criterion[Ask, Candidate], candidate: Candidate) -> None:
        if self._priorities.record(candidate, criterion.information):
            raise _OrderChangedError

    def pinning(self, candidate: Candidate) -> None:
        if not candidate.key.extra:
            self._sink(PhaseAdvanced(phase="resolve", key="resolve", amount=1))


class _Answer:
    """Turns what resolvelib decided into pins."""

    def __init__(self, finder: Finder, roots: list[Ask], mapping: Mapping[Key, Candidate]) -> None:
        self._finder = finder
        self._request = finder.request
        self._roots = {ask.key.name: ask for ask in reversed(roots)}
        self._releases: dict[NormalizedName, Release] = {}
        self._extras: defaultdict[NormalizedName, set[NormalizedName]] = defaultdict(set)
        for key, candidate in mapping.items():
            self._releases[key.name] = candidate.release
            if key.extra:
                self._extras[key.name].add(key.extra)  # type: ignore[arg-type]  # only the empty one is no name

    def resolution(self, sink: EventSink) -> Resolution:
        self._tell(sink)
        consulted = tuple(sorted(set(self._consulted())))
        markers = self._finder.interpreter.markers
        return Resolution(
            pins=tuple(self._pin(self._releases[name]) for name in sorted(self._releases)),
            consulted=consulted,
            markers_consulted=deciding_variables(consulted, markers) | named_python_variables(consulted),
        )

    def _pin(self, release: Release) -> Pin:
        name = release.name
        known = self._finder.known(name)
        hashes = [item.hashes.allowed for item in known.asks if item.hashes]
        files: tuple[RemoteFile, ...] = ()
        requires_python = release.file.requires_python if release.file else None
        if release.file is not None:
            files = self._finder.catalogue(name).files(release.version, yanked=release.file.yanked is not None)
        if not self._request.no_deps or release.metadata is not None:
            metadata = self._finder.metadata(release)
            requires_python = str(metadata.requires_python) if metadata.requires_python else requires_python
        settings: dict[str, str | list[str]] = {}
        for item in known.asks:
            settings.update(item.config_settings)
        return Pin(
            name=name,
            version=release.version,
            files=files,
            direct=release.direct,
            hashes=Hashes(frozenset.intersection(*hashes)) if hashes else Hashes(),
            requested=name in self._roots,
            extras=frozenset(self._extras[name]),
            dependencies=self._dependencies(release),
            requires_python=requires_python,
            config_settings=settings,
            origin=self._roots[name].origin if name in self._roots else None,
        )

    def _dependencies(self, release: Release) -> tuple[NormalizedName, ...]:
        if self._request.no_deps:
            return ()
        asks = [ask for extra in ("", *self._extras[release.name]) for ask in self._finder.dependencies(release, extra)]
        return tuple(sorted({ask.key.name for ask in asks} - {release.name}))

    def _consulted(self) -> Iterator[Consulted]:
        request = self._request
        restricting = [*request.constraints, *request.overrides]
        yield from _markers_of(request.requirements)
        yield from _markers_of(item for item in restricting if item.name in self._releases or item.name is None)
        if request.no_deps:
            return
        for name, release in self._releases.items():
            for extra in ("", *self._extras[name]):
                yield from self._finder.consulted(release, extra)

    def _tell(self, sink: EventSink) -> None:
        for name, release in sorted(self._releases.items()):
            if release.file is None:
                continue
            if release.file.yanked is not None:
                sink(yanked_notice(name, release.version, release.file.yanked))
            for failed, error in self._finder.broken.get(name, ()):
                if failed.version > release.version:
                    sink(SteppedDown(kind="version-skipped", message=f"{failed} was passed over: {error.message}"))
        if not self._request.no_deps:
            self._tell_missing_extras(sink)
        self._tell_unknown_times(sink)

    def _tell_missing_extras(self, sink: EventSink) -> None:
        for name, extras in sorted(self._extras.items()):
            release = self._releases[name]
            for extra in sorted(extras - self._finder.metadata(release).provides_extra):
                sink(Noticed(message=f"{release} has no extra named {extra}"))

    def _tell_unknown_times(self, sink: EventSink) -> None:
        if self._request.exclude_newer is None:
            return
        names = [
            name
            for name, release in sorted(self._releases.items())
            if release.file is not None and self._finder.catalogue(name).without_upload_time
        ]
        if names:
            sink(Noticed(message=f"--exclude-newer: files without an upload time were ignored for {', '.join(names)}"))


def _markers_of(items: Iterable[WantedRequirement]) -> Iterator[Consulted]:
    return (Consulted(str(item.marker), "") for item in items if item.marker is not None)
