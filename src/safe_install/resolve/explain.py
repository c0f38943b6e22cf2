"""Say why no set of versions was found: who asks for what, and through whom.

resolvelib names the asks that met in the end. From each, the chain is followed back to what the user wrote.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from ..errors import RequirementsError, SafeInstallError
from .candidates import Catalogue, describe_tags
from .filenames import version_or_none
from .graph import BROKEN, PYTHON, Ask, Candidate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from packaging.specifiers import SpecifierSet
    from packaging.utils import NormalizedName
    from packaging.version import Version
    from resolvelib.structs import RequirementInformation

    from ..models import Interpreter
    from .finder import Finder

# What still fits on a screen and is read.
_MOST_LINES = 24
_MOST_VERSIONS = 6


class Explainer:
    """Explains the failures of one resolution.

    :param asked_by: everything that was asked so far of each project, with the candidate that asked.
    """

    def __init__(
        self, finder: Finder, asked_by: Mapping[NormalizedName, Sequence[tuple[Ask, Candidate | None]]]
    ) -> None:
        self._finder = finder
        self._asked_by = asked_by

    def impossible(self, causes: Iterable[RequirementInformation[Ask, Candidate]]) -> SafeInstallError:
        """The error that tells why *causes* cannot all be met.

        :return: a `RequirementsError`; or the build or integrity error that left nothing to choose from.
        """
        found = [(cause.requirement, cause.parent) for cause in causes]
        broken = [ask.problem for ask, _ in found if ask.key == BROKEN and ask.problem is not None]
        visible = [(ask, parent) for ask, parent in found if ask.exactly is None]
        if broken and len(broken) == len(visible):
            return broken[0]
        names = list(dict.fromkeys(ask.key.name for ask, _ in visible if ask.key not in {BROKEN, PYTHON}))
        if len(names) == 1 and (specific := self._single(names[0], visible)):
            return specific
        if not names:
            return self._nothing_runs(visible)
        return RequirementsError(
            f"the requirements contradict one another about {', '.join(names)}",
            code="resolution-impossible",
            context=_cut([*self._lines(visible), *self._constraint_lines(names)]),
            hint=self._hint(visible),
        )

    def _single(self, name: NormalizedName, pairs: list[tuple[Ask, Candidate | None]]) -> RequirementsError | None:
        """The error when one ask alone cannot be met, or all together only by files that cannot be used."""
        asks = [ask for ask, _ in pairs if ask.key.name == name]
        if self._finder.known(name).sources or any(ask.direct is not None for ask in asks):
            return None
        catalogue = self._finder.catalogue(name)
        joined = self._finder.specifier(name, asks)
        hopeless = [ask.specifier for ask in asks if not catalogue.matching(ask.specifier)]
        if not hopeless and (not catalogue.matching(joined) or any(catalogue.candidates(joined))):
            return None
        lines = [*self._lines(pairs), *self._constraint_lines([name])]
        return nothing_matches(catalogue, (hopeless or [joined])[0], self._finder.interpreter, asked_by=_cut(lines))

    def _nothing_runs(self, pairs: list[tuple[Ask, Candidate | None]]) -> RequirementsError:
        """Every candidate needs another Python (as only its metadata told), or is broken."""
        names = sorted({parent.key.name for _, parent in pairs if parent is not None})
        return RequirementsError(
            f"no version of {', '.join(names)} can be used on Python {self._finder.interpreter.version_text}",
            code="no-compatible-file",
            context=_cut(self._lines(pairs)),
        )

    def _lines(self, pairs: Iterable[tuple[Ask, Candidate | None]]) -> list[str]:
        """One line for each ask, the candidates that say the same joined, and the chain that leads to them."""
        grouped: defaultdict[tuple[str, str], list[Candidate]] = defaultdict(list)
        lines = []
        for ask, parent in pairs:
            if parent is None:
                lines.append(_asked_for(ask))
            else:
                grouped[str(parent.key), self._needs(ask)].append(parent)
        for (key, needs), parents in grouped.items():
            versions = sorted({parent.release.version for parent in parents}, reverse=True)
            lines.append(f"{key} {_listed(versions)} {needs}")
            lines += self._chain(parents[0], {parents[0].key.name})
        return list(dict.fromkeys(lines))

    def _needs(self, ask: Ask) -> str:
        if ask.key == BROKEN and ask.problem is not None:
            return f"cannot be used: {ask.problem.message}"
        if ask.key == PYTHON:
            return f"needs {ask.text}; this is {self._finder.interpreter.version_text}"
        return f"needs {ask.text}"

    def _chain(self, candidate: Candidate, seen: set[NormalizedName]) -> list[str]:
        """Lines from *candidate* back to the input, the shortest way that is recorded."""
        asked = [(ask, parent) for ask, parent in self._asked_by[candidate.key.name] if ask.exactly is None]
        asked = [(ask, parent) for ask, parent in asked if parent is None or parent.key.name not in seen]
        asked.sort(key=lambda pair: pair[1] is not None)
        if not asked:
            return []
        ask, parent = asked[0]
        if parent is None:
            return [f"  because {_asked_for(ask)}"]
        return [f"  because {parent} needs {ask.text}", *self._chain(parent, seen | {parent.key.name})]

    def _constraint_lines(self, names: Iterable[NormalizedName]) -> list[str]:
        return [f"constraint {item}" for name in names for item in self._finder.known(name).constraints]

    def _hint(self, pairs: Iterable[tuple[Ask, Candidate | None]]) -> str:
        for name in dict.fromkeys(parent.key.name for _, parent in pairs if parent is not None):
            known = self._finder.known(name)
            if known.prereleases or known.sources:
                continue
            asks = [ask for ask, _ in self._asked_by[name]]
            matching = self._finder.catalogue(name).matching(self._finder.specifier(name, asks))
            if matching and matching[0].is_prerelease and not all(version.is_prerelease for version in matching):
                return f"pre-releases were not tried, such as {name} {matching[0]}: --pre allows them"
        return "loosen one of these requirements, or decide the version yourself with --override"


def nothing_matches(
    catalogue: Catalogue, specifier: SpecifierSet, interpreter: Interpreter, *, asked_by: Sequence[str]
) -> RequirementsError:
    """The error that tells why no file of a project can be used for *specifier*.

    :param asked_by: lines for the context: who asks for it.
    """
    name = catalogue.project
    if not catalogue.versions:
        return RequirementsError(
            f"no index has a project named {name}",
            code="no-such-project",
            context=tuple(asked_by),
            hint="check its spelling, and whether the index that has it is among --index-url and --extra-index-url",
        )
    matching = catalogue.matching(specifier)
    if not matching:
        return RequirementsError(
            f"no version of {name} matches {specifier}",
            code="no-matching-version",
            context=(*asked_by, f"there are: {_closest(catalogue.versions, specifier)}"),
        )
    which = f"no version of {name}{f' that matches {specifier}' if specifier else ''}"
    return RequirementsError(
        f"{which} can be used on Python {interpreter.version_text} ({interpreter.platform})",
        code="no-compatible-file",
        context=(*asked_by, *_reasons(catalogue, matching)),
        hint=_way_out(catalogue, matching),
    )


def _reasons(catalogue: Catalogue, versions: Sequence[Version]) -> list[str]:
    lines = []
    for version in versions[:_MOST_VERSIONS]:
        reasons = dict.fromkeys(exclusion.reason for exclusion in catalogue.exclusions(version))
        lines.append(f"{catalogue.project} {version}: {'; '.join(reasons)}")
    if len(versions) > _MOST_VERSIONS:
        lines.append(f"and {len(versions) - _MOST_VERSIONS} more versions")
    kinds = {exclusion.kind for exclusion in catalogue.exclusions(versions[0])}
    if "tags" in kinds and (tags := describe_tags(catalogue.wheel_names(versions[0]))):
        lines.append(f"{catalogue.project} {versions[0]}: {tags}")
    return lines


_WAYS_OUT = {
    "format": "allow more with --only-binary or --no-binary",
    "newer": "choose a later --exclude-newer",
    "python": "use a Python that one of these versions supports, with --python",
    "yanked": "to use a yanked version all the same, ask for it exactly with ==",
    "tags": "use an interpreter for which there are wheels, with --python",
}


def _way_out(catalogue: Catalogue, versions: Sequence[Version]) -> str | None:
    """The hint that fits what excludes most: what a change of options would lift is named first."""
    kinds = {exclusion.kind for version in versions for exclusion in catalogue.exclusions(version)}
    return next((hint for kind, hint in _WAYS_OUT.items() if kind in kinds), None)


def _closest(versions: Sequence[Version], specifier: SpecifierSet) -> str:
    """Name a few versions around what was asked for. :param versions: highest first."""
    wanted = [version for clause in specifier if (version := version_or_none(clause.version.removesuffix(".*")))]
    above = [version for version in versions if wanted and version > max(wanted)]
    start = max(0, len(above) - _MOST_VERSIONS // 2)
    shown = list(versions[start : start + _MOST_VERSIONS])
    rest = len(versions) - len(shown)
    return ", ".join(map(str, shown)) + (f" and {rest} others" if rest else "")


def _asked_for(ask: Ask) -> str:
    return f"{ask.origin or 'the request'} asks for {ask.text}"


def _listed(versions: Sequence[Version]) -> str:
    shown = ", ".join(map(str, versions[:3]))
    return shown + (f" and {len(versions) - 3} other versions" if len(versions) > 3 else "")


def _cut(lines: Sequence[str]) -> tuple[str, ...]:
    if len(lines) <= _MOST_LINES:
        return tuple(lines)
    return (*lines[:_MOST_LINES], f"and {len(lines) - _MOST_LINES} more lines")
