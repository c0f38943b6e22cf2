"""What resolvelib asks about: candidates, their dependencies, and what to decide next.

Decided first is what leaves the least choice: direct sources, exact pins, then projects in the order in which they
came into sight, breadth first, so that what the user names first keeps its newest version. After a conflict those
who had a part in it come first, which ends most backtracking at once; who had a part in many changes his place for
good (`Priorities`).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from resolvelib import AbstractProvider

from .candidates import is_exact
from .finder import satisfies
from .graph import Ask, Candidate, Key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from packaging.utils import NormalizedName
    from resolvelib.structs import RequirementInformation

    from .finder import Finder
    from .graph import Release


# How many versions of a project are rejected before it is decided earlier: the number that uv uses.
_PATIENCE = 5


@dataclass
class Priorities:
    """Whose turn comes early and whose late, as learnt from conflicts.

    A project of which version after version is rejected, because others were decided before it, would end at some
    ancient version. More often than not it is one of the others that should give way. So the project is decided
    early and those late from then on; the idea and the number of versions are uv's.
    """

    early: set[NormalizedName] = field(default_factory=set)
    late: set[NormalizedName] = field(default_factory=set)
    _rejected: Counter[NormalizedName] = field(default_factory=Counter)
    _culprits: Counter[tuple[NormalizedName, NormalizedName]] = field(default_factory=Counter)

    def record(self, rejected: Candidate, information: Iterable[RequirementInformation[Ask, Candidate]]) -> bool:
        """Take note that *rejected* met those who ask in *information*; return whether that changes an order."""
        name = rejected.key.name
        culprits = {item.parent.key.name for item in information if item.parent is not None} - {name}
        if not culprits or name in self.early:
            return False
        self._rejected[name] += 1
        self._culprits.update((name, culprit) for culprit in culprits)
        if self._rejected[name] < _PATIENCE:
            return False
        blamed = {culprit for (of, culprit), count in self._culprits.items() if of == name and count >= _PATIENCE}
        # Who was put early once stays there: two that push each other back and forth would never end.
        blamed -= self.early
        if not blamed:
            return False
        self.early.add(name)
        self.late |= blamed
        return True

    def rank(self, name: NormalizedName) -> int:
        """0 for early, 1 for most, 2 for late."""
        return 0 if name in self.early else 2 if name in self.late else 1


class Provider(AbstractProvider[Ask, Candidate, Key]):
    """Joins resolvelib and a `Finder`; answers are the same objects each time, so that identity is equality."""

    def __init__(self, finder: Finder, priorities: Priorities) -> None:
        self._finder = finder
        self._priorities = priorities
        self._candidates: dict[tuple[Key, Release], Candidate] = {}
        self._dependencies: dict[Candidate, tuple[Ask, ...]] = {}
        self._satisfied: dict[tuple[Ask, Candidate], bool] = {}
        self._order: dict[NormalizedName, int] = {}
        self._decided: Mapping[Key, Candidate] = {}

    def identify(self, requirement_or_candidate: Ask | Candidate) -> Key:
        """The node that it is about."""
        return requirement_or_candidate.key

    def narrow_requirement_selection(
        self,
        identifiers: Iterable[Key],
        resolutions: Mapping[Key, Candidate],
        candidates: Mapping[Key, Iterator[Candidate]],  # noqa: ARG002 - resolvelib's signature
        information: Mapping[Key, Iterator[RequirementInformation[Ask, Candidate]]],  # noqa: ARG002 - the same
        backtrack_causes: Sequence[RequirementInformation[Ask, Candidate]],
    ) -> Iterable[Key]:
        """After a conflict: only those who had a part in it, if any of them is undecided."""
        self._decided = resolutions
        causes = {cause.requirement.key.name for cause in backtrack_causes}
        causes |= {cause.parent.key.name for cause in backtrack_causes if cause.parent is not None}
        undecided = list(identifiers)
        return [key for key in undecided if key.name in causes] or undecided

    def get_preference(
        self,
        identifier: Key,
        resolutions: Mapping[Key, Candidate],  # noqa: ARG002 - resolvelib's signature
        candidates: Mapping[Key, Iterator[Candidate]],  # noqa: ARG002 - the same
        information: Mapping[Key, Iterator[RequirementInformation[Ask, Candidate]]],
        backtrack_causes: Sequence[RequirementInformation[Ask, Candidate]],  # noqa: ARG002 - the same
    ) -> tuple[bool, bool, int, int, bool, str]:
        """The order of decisions: see the module. A node with an extra comes before its project, which it decides."""
        asks = [item.requirement for item in information[identifier]]
        direct = any(ask.direct is not None or ask.exactly is not None for ask in asks)
        pinned = any(is_exact(ask.specifier) for ask in asks)
        name, extra = identifier
        return (not direct, not pinned, self._priorities.rank(name), self._seen(name), not extra, extra)

    def find_matches(
        self,
        identifier: Key,
        requirements: Mapping[Key, Iterator[Ask]],
        incompatibilities: Mapping[Key, Iterator[Candidate]],
    ) -> Callable[[], Iterator[Candidate]]:
        """The candidates that meet all asks on the node and on its project, best first, found one by one."""
        self._seen(identifier.name)
        asks = list(requirements[identifier])
        if identifier.extra and identifier.base in requirements:
            asks += requirements[identifier.base]
        bad = set(incompatibilities[identifier])
        # What its project has been decided to be costs a node with an extra no new decision.
        decided = self._decided.get(identifier.base) if identifier.extra else None
        first = decided.release if decided and self._finder.meets_all(decided.release, asks) else None

        def releases() -> Iterator[Release]:
            if first is not None:
                yield first
            yield from (release for release in self._finder.releases(identifier.name, asks) if release is not first)

        def candidates() -> Iterator[Candidate]:
            for release in releases():
                candidate = self._candidates.setdefault((identifier, release), Candidate(identifier, release))
                if candidate not in bad:
                    yield candidate

        return candidates

    def is_satisfied_by(self, requirement: Ask, candidate: Candidate) -> bool:
        """Whether *candidate* is what *requirement* asks for. Asked some ten thousand times, answered once."""
        question = (requirement, candidate)
        if question not in self._satisfied:
            self._satisfied[question] = satisfies(requirement, candidate.release)
        return self._satisfied[question]

    def get_dependencies(self, candidate: Candidate) -> Iterable[Ask]:
        """What *candidate* asks for. One with an extra first asks for its own release: no metadata are read if that
        is impossible anyway.
        """
        if candidate.key.extra:
            yield Ask(candidate.key.base, str(candidate.release), exactly=candidate.release)
        if self._finder.request.no_deps:
            return
        if candidate not in self._dependencies:
            asks = tuple(self._finder.dependencies(candidate.release, candidate.key.extra))
            self._dependencies[candidate] = asks
            for ask in asks:
                self._seen(ask.key.name)
            self._finder.expect(asks)
        yield from self._dependencies[candidate]

    def _seen(self, name: NormalizedName) -> int:
        return self._order.setdefault(name, len(self._order))
