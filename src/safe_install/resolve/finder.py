"""Find the releases that meet what is asked, and what each of them needs.

Everything that the request says of a project (`Known`) is applied here, whoever asks: constraints, overrides,
installed and preferred versions, pre-releases.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from ..errors import BuildError, InputError, IntegrityError, RequirementsError, SafeInstallError
from ..models import ArchiveSource, DirectorySource, Hashes, PrereleasePolicy, ResolutionStrategy
from ..redact import redact_url
from .candidates import Catalogue, best_file, is_exact
from .graph import BROKEN, PYTHON, Ask, Key, Release, identity
from .markers import Consulted, MarkerEvaluator
from .requirement import MalformedRequirementError, WantedRequirement, name_of, require_existing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from packaging.requirements import Requirement
    from packaging.utils import NormalizedName

    from ..models import CoreMetadata, DirectSource, Interpreter, RemoteFile
    from .lookahead import Lookahead
    from .request import ResolveRequest

# How many versions of one project may turn out to be broken (a failing build, wrong metadata) before the first such
# error is raised: each costs a build, and what fails five times in a row seldom works the sixth time.
_BROKEN_LIMIT = 5
# How many further versions are read ahead when one was rejected; doubled each time up to the second number.
_STEP_AHEAD, _MOST_AHEAD = 2, 16
# What a relative path in published metadata is relative to: there is nothing sensible, so that it cannot exist.
_NOWHERE = Path(os.path.abspath(os.sep)) / "relative-path-in-metadata"


@dataclass
class Known:
    """What the request says of one project, whoever asks for it.

    :param overrides: None when there are none; empty when nobody shall get it.
    """

    asks: list[WantedRequirement] = field(default_factory=list)
    constraints: list[WantedRequirement] = field(default_factory=list)
    overrides: list[WantedRequirement] | None = None
    prereleases: bool = False

    @property
    def sources(self) -> list[DirectSource]:
        """Where the request wants it from, whoever asks for it and in whatever order."""
        said = [*(self.asks if self.overrides is None else ()), *self.constraints]
        return [item.direct for item in said if item.direct is not None]

    @property
    def specifier(self) -> SpecifierSet:
        """The request's own restrictions, joined."""
        found = SpecifierSet()
        for wanted in (*self.asks, *self.constraints):
            found &= wanted.specifier
        return found


class Finder:
    """Everything that can be known of projects, for one request and one interpreter.

    :param lookahead: where questions go; they are answered once.
    """

    def __init__(self, request: ResolveRequest, interpreter: Interpreter, lookahead: Lookahead) -> None:
        self.request = request
        self.interpreter = interpreter
        self.markers = MarkerEvaluator(interpreter.markers)
        self.broken: dict[NormalizedName, list[tuple[Release, SafeInstallError]]] = {}
        self._lookahead = lookahead
        self._rules = request.rules
        self._python = Version(interpreter.version_text)
        self._known: dict[NormalizedName, Known] = {}
        self._releases: dict[object, Release] = {}
        self._guessed: set[object] = set()
        self._ahead: dict[NormalizedName, int] = {}
        self._merged: dict[frozenset[str], SpecifierSet] = {}

    # What the request says

    def roots(self) -> list[Ask]:
        """The asks of the request itself. Direct sources without a name are read to learn it, all at once.

        :raises InputError: a local path does not exist.
        """
        applying = self._applying(self.request.requirements)
        direct = [item.direct for item in applying if item.direct is not None]
        for item in applying:
            require_existing(item)
        for source in direct:
            self._lookahead.in_background(partial(self.direct, source))
        wanted = [self._named(item) for item in applying]
        for item in wanted:
            self._remember(item, self.known(_name(item)).asks)
        for item in self._applying(self.request.constraints):
            self._remember(item, self.known(_name(item)).constraints)
        for item in self.request.overrides:
            known = self.known(_name(item))
            known.overrides = known.overrides or []
            if self.markers.applies(item.marker):
                self._remember(item, known.overrides)
        asks = [ask for item in wanted for ask in self._asks(item)]
        self.expect(asks)
        return asks

    def known(self, name: NormalizedName) -> Known:
        """What the request says of *name*."""
        return self._known.setdefault(name, Known())

    def _applying(self, items: Iterable[WantedRequirement]) -> list[WantedRequirement]:
        return [item for item in items if self.markers.applies(item.marker)]

    def _named(self, item: WantedRequirement) -> WantedRequirement:
        if item.name is not None or item.direct is None:
            return item
        return replace(item, name=name_of(item.direct) or self.direct(item.direct)[1].name)

    def _remember(self, item: WantedRequirement, place: list[WantedRequirement]) -> None:
        place.append(item)
        # Only what the request itself says allows pre-releases like others: a distribution that asks for `>=2.0rc1`
        # shall not bring 3.0rc1 into an environment whose owner never heard of it (uv's rule, stricter than pip's).
        self.known(_name(item)).prereleases |= bool(item.specifier.prereleases)

    # Releases

    def releases(self, name: NormalizedName, asks: Sequence[Ask]) -> Iterator[Release]:
        """Yield the releases of *name* that meet all of *asks* and the constraints, best first, found one by one.

        :raises NetworkError: an index could not be read.
        """
        if any(ask.problem is not None for ask in asks):
            return
        exactly = {ask.exactly for ask in asks if ask.exactly is not None}
        sources = [ask.direct for ask in asks if ask.direct is not None] + self.known(name).sources
        if len(exactly) > 1 or len({identity(source) for source in sources}) > 1:
            return
        if exactly or sources:
            release = exactly.pop() if exactly else self._direct_release(name, sources)
            if self.meets_all(release, asks):
                yield release
            return
        yield from self._from_index(name, self.specifier(name, asks), _joined_hashes(ask.hashes for ask in asks))

    def meets_all(self, release: Release, asks: Iterable[Ask]) -> bool:
        """Whether *release* meets *asks* and the constraints."""
        allowed = all(
            item.specifier.contains(release.version, prereleases=True) for item in self.known(release.name).constraints
        )
        return allowed and all(satisfies(ask, release) for ask in asks)

    def specifier(self, name: NormalizedName, asks: Iterable[Ask]) -> SpecifierSet:
        """All restrictions on *name*: of *asks* and of the constraints."""
        texts = [str(ask.specifier) for ask in asks]
        texts += [str(item.specifier) for item in self.known(name).constraints]
        parts = frozenset(filter(None, texts))
        if parts not in self._merged:
            self._merged[parts] = SpecifierSet(",".join(sorted(parts)))
        return self._merged[parts]

    def catalogue(self, name: NormalizedName) -> Catalogue:
        """The versions of a project on the indexes; read once."""
        return self._lookahead.answer(
            ("catalogue", name),
            lambda: Catalogue(name, self._lookahead.files(name), self.interpreter, self._rules),
        )

    def _from_index(self, name: NormalizedName, specifier: SpecifierSet, hashes: Hashes) -> Iterator[Release]:
        installed = self.request.installed.get(name)
        if installed is not None and specifier.contains(installed.version, prereleases=True):
            yield self._release((name, "installed"), Release(name, installed.version, metadata=installed))
        preferred = self.request.preferred.get(name)
        if preferred is not None and specifier.contains(preferred, prereleases=True):
            file = self.catalogue(name).best(preferred, yanked=is_exact(specifier), hashes=hashes)
            if file is not None:
                yield self._release((name, preferred), Release(name, preferred, file=file))
        for version, file in self._choices(name, specifier, hashes):
            if version != preferred:
                yield self._release((name, version), Release(name, version, file=file))

    def _choices(
        self, name: NormalizedName, specifier: SpecifierSet, hashes: Hashes
    ) -> Iterator[tuple[Version, RemoteFile]]:
        known = self.known(name)
        return self.catalogue(name).candidates(
            specifier,
            prereleases=known.prereleases or self.request.prereleases is PrereleasePolicy.ALLOW,
            lowest=self.request.strategy is ResolutionStrategy.LOWEST_DIRECT and bool(known.asks),
            prefer_binary=self.request.prefer_binary,
            hashes=hashes,
        )

    def _release(self, key: object, release: Release) -> Release:
        return self._releases.setdefault(key, release)

    # Direct sources

    def direct(self, source: DirectSource) -> tuple[DirectSource, CoreMetadata]:
        """A direct source with everything mutable pinned, and its metadata; read once.

        :raises RequirementsError: it is a wheel that does not fit the interpreter; code ``no-compatible-file``.
        """
        if (
            isinstance(source, ArchiveSource)
            and source.file.is_wheel
            and best_file([source.file], self.interpreter) is None
        ):
            raise RequirementsError(
                f"{source.file.filename} does not fit Python {self.interpreter.version_text} "
                f"({self.interpreter.platform})",
                code="no-compatible-file",
            )
        return self._lookahead.direct(identity(source), source)

    def _direct_release(self, name: NormalizedName, sources: list[DirectSource]) -> Release:
        # Two asks for one folder, one of them editable, make it editable.
        source = next((item for item in sources if isinstance(item, DirectorySource) and item.editable), sources[0])
        key = ("direct", identity(source), isinstance(source, DirectorySource) and source.editable)
        if key not in self._releases:
            pinned, metadata = self.direct(source)
            if isinstance(source, DirectorySource) and isinstance(pinned, DirectorySource):
                pinned = replace(pinned, editable=source.editable)
            self._releases[key] = Release(
                metadata.name, metadata.version, direct=pinned, source=identity(source), metadata=metadata
            )
        release = self._releases[key]
        if release.name != name:
            raise IntegrityError(
                f"{describe(source)} contains {release.name}, but was asked for as {name}", code="metadata-mismatch"
            )
        return release

    # Dependencies

    def metadata(self, release: Release) -> CoreMetadata:
        """The metadata of *release*.

        :raises SafeInstallError: it cannot be had, or is another distribution's.
        """
        if release.metadata is not None:
            return release.metadata
        assert release.file is not None
        self._step_ahead(release)
        metadata = self._lookahead.metadata(release.name, release.file)
        if (metadata.name, metadata.version) != (release.name, release.version):
            raise IntegrityError(
                f"{release.file.filename} says that it is {metadata.name} {metadata.version}", code="metadata-mismatch"
            )
        return metadata

    def dependencies(self, release: Release, extra: str) -> list[Ask]:
        """What *release* asks for, with *extra* or without any; an ask that nothing meets if it cannot be used.

        :raises SafeInstallError: the project's fifth release that cannot be read: the error of the first.
        """
        try:
            metadata = self.metadata(release)
            needed = [item for item in metadata.requires_dist if self.markers.applies(item.marker, extra)]
            if extra:
                needed = [item for item in needed if not self.markers.applies(item.marker)]
            asks = [ask for item in needed for ask in self._asks(self._wanted(item, release))]
        except (IntegrityError, BuildError) as error:
            if release.metadata is not None:
                raise
            failures = self.broken.setdefault(release.name, [])
            failures.append((release, error))
            if len(failures) >= _BROKEN_LIMIT:
                raise failures[0][1] from error
            return [Ask(BROKEN, str(release), problem=error)]
        if metadata.requires_python and not metadata.requires_python.contains(self._python, prereleases=True):
            text = f"Python {metadata.requires_python}"
            return [Ask(PYTHON, text, problem=RequirementsError(text, code="no-compatible-file"))]
        return asks

    def consulted(self, release: Release, extra: str) -> Iterator[Consulted]:
        """The markers that `dependencies` evaluated for *release*."""
        for item in self.metadata(release).requires_dist:
            if item.marker is not None:
                yield Consulted(str(item.marker), extra)

    def _wanted(self, requirement: Requirement, release: Release) -> WantedRequirement:
        try:
            return WantedRequirement.of(requirement, base=_NOWHERE)
        except MalformedRequirementError as error:
            raise IntegrityError(
                f"{release} asks for {redact_url(str(requirement))}: {error.message}", code="metadata-invalid"
            ) from error

    def _asks(self, item: WantedRequirement) -> list[Ask]:
        """One ask for the project and one for each extra; of the overrides instead, where there are any."""
        name = _name(item)
        overrides = self.known(name).overrides
        if overrides is None:
            return list(_expanded(item))
        return [
            ask for override in overrides for ask in _expanded(replace(override, extras=override.extras | item.extras))
        ]

    # Reading ahead

    def expect(self, asks: Iterable[Ask]) -> None:
        """Begin to read what *asks* will need."""
        fresh: dict[object, Ask] = {}
        for ask in asks:
            guess = (ask.key.name, str(ask.specifier))
            if not self._is_indexed(ask) or guess in self._guessed:
                continue
            self._guessed.add(guess)
            fresh[guess] = ask
        self._lookahead.prefetch({ask.key.name for ask in fresh.values()})
        for ask in fresh.values():
            self._lookahead.in_background(partial(self._guess, ask))

    def _is_indexed(self, ask: Ask) -> bool:
        if ask.direct is not None or ask.exactly is not None or ask.problem is not None:
            return False
        installed = self.request.installed.get(ask.key.name)
        return installed is None or not ask.specifier.contains(installed.version, prereleases=True)

    def _guess(self, ask: Ask) -> None:
        """Read the release that *ask* will most likely bring, and go on with what that one needs."""
        name = ask.key.name
        specifier = ask.specifier & self.known(name).specifier
        version, file = next(self._choices(name, specifier, ask.hashes), (None, None))
        if self.request.no_deps or version is None or file is None or not file.is_wheel:
            return
        metadata = self._lookahead.metadata(name, file)
        needed = [item for item in metadata.requires_dist if item.url is None and self.markers.applies(item.marker)]
        self.expect(Ask(Key(canonicalize_name(item.name)), item.name, specifier=item.specifier) for item in needed)

    def _step_ahead(self, release: Release) -> None:
        """Where a version is looked at that nobody guessed, the next ones may be too: read their metadata."""
        assert release.file is not None
        if self._lookahead.knows(("metadata", release.file.url)):
            return
        count = self._ahead.get(release.name, 1) * _STEP_AHEAD
        self._ahead[release.name] = min(count, _MOST_AHEAD)
        catalogue = self.catalogue(release.name)
        versions = catalogue.matching(self.known(release.name).specifier)
        below = [version for version in versions if version < release.version and not version.is_prerelease]
        for version in below[: self._ahead[release.name]]:
            file = catalogue.best(version)
            if file is not None and file.is_wheel:
                self._lookahead.in_background(partial(self._lookahead.metadata, release.name, file))


def satisfies(ask: Ask, release: Release) -> bool:
    """Whether *release* is what *ask* asks for."""
    if ask.problem is not None:
        return False
    if ask.exactly is not None:
        return ask.exactly is release
    if ask.direct is not None and not _same_source(ask.direct, release):
        return False
    return ask.specifier.contains(release.version, prereleases=True)


def describe(source: DirectSource) -> str:
    """A direct source for messages, without credentials."""
    if isinstance(source, ArchiveSource):
        return redact_url(source.file.url)
    return str(source.path) if isinstance(source, DirectorySource) else redact_url(source.url)


def _same_source(asked: DirectSource, release: Release) -> bool:
    wants_editable = isinstance(asked, DirectorySource) and asked.editable
    is_editable = isinstance(release.direct, DirectorySource) and release.direct.editable
    return release.source == identity(asked) and (is_editable or not wants_editable)


def _expanded(item: WantedRequirement) -> Iterator[Ask]:
    name = _name(item)
    for extra in ("", *sorted(item.extras)):
        yield Ask(
            Key(name, extra),
            item.text,
            specifier=item.specifier,
            direct=item.direct,
            hashes=item.hashes,
            origin=item.origin,
        )


def _name(item: WantedRequirement) -> NormalizedName:
    if item.name is None:
        raise InputError(f"{item} has no name; write NAME @ URL", code="requirement-unnamed")
    return item.name


def _joined_hashes(many: Iterable[Hashes]) -> Hashes:
    """What all of *many* allow; those that are empty allow everything."""
    sets = [hashes.allowed for hashes in many if hashes]
    return Hashes(frozenset.intersection(*sets)) if sets else Hashes()
