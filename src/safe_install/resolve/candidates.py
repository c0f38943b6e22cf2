"""What the files of a project's index page amount to: versions, and which of them an interpreter can use.

A page may list thousands of files of which one or two are looked at, so everything here is done as late as possible:
versions are parsed once per text, tags and ``Requires-Python`` only for versions that are considered.
"""

from __future__ import annotations

import functools
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from ..errors import RequirementsError
from ..events import Noticed, ignore
from ..metadata import read_requires_python
from ..models import FormatControl
from .filenames import (
    build_order,
    sdist_rank,
    sdist_version_text,
    version_or_none,
    wheel_identity,
    wheel_parts,
    wheel_tags,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from packaging.utils import NormalizedName

    from ..events import EventSink
    from ..models import Hashes, Interpreter, Pin, RemoteFile

# Exact pins may choose a yanked file (PEP 592), and nothing else may.
_EXACT = frozenset({"==", "==="})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Which files may be used, whatever is asked for.

    :param exclude_newer: files that were uploaded after it, or nobody knows when, do not exist.
    """

    format_control: FormatControl = FormatControl()  # noqa: RUF009 - frozen, in another module than ruff looks at
    exclude_newer: datetime | None = None


class Exclusion(NamedTuple):
    """Why a file cannot be used. :param kind: ``python``, ``tags``, ``format``, ``yanked`` or ``newer``."""

    kind: str
    reason: str


class Catalogue:
    """The versions of one project, as its index page lists them.

    :param project: files of any other project are ignored.
    """

    def __init__(
        self,
        project: NormalizedName,
        files: Sequence[RemoteFile],
        interpreter: Interpreter,
        rules: Rules,
    ) -> None:
        self.project = project
        self._interpreter = interpreter
        self._rules = rules
        self._python = Version(interpreter.version_text)
        self._files = _by_version(project, files)
        self._matching: dict[str, tuple[Version, ...]] = {}
        self.versions: tuple[Version, ...] = tuple(sorted(self._files, reverse=True))
        self.without_upload_time = rules.exclude_newer is not None and any(file.upload_time is None for file in files)

    def files(self, version: Version, *, yanked: bool = False) -> tuple[RemoteFile, ...]:
        """All files of *version* that the rules allow on some interpreter: wheels by name, then one sdist.

        :param yanked: whether yanked ones count too; they do anyway where there is no other.
        """
        allowed = [file for file in self._files.get(version, ()) if self._forbidden(file, yanked=True) is None]
        if not yanked:
            allowed = [file for file in allowed if file.yanked is None] or allowed
        wheels = sorted((file for file in allowed if file.is_wheel), key=lambda file: file.filename)
        sdists = sorted((file for file in allowed if not file.is_wheel), key=lambda file: sdist_rank(file.filename))
        return (*wheels, *sdists[:1])

    def best(self, version: Version, *, yanked: bool = False, hashes: Hashes | None = None) -> RemoteFile | None:
        """The file of *version* that the interpreter would use; None when there is none."""
        usable = [file for file in self._files.get(version, ()) if self.exclusion(file, yanked=yanked) is None]
        return best_file(usable, self._interpreter, hashes)

    def exclusion(self, file: RemoteFile, *, yanked: bool = False) -> Exclusion | None:
        """Why the interpreter cannot use *file*; None when it can."""
        forbidden = self._forbidden(file, yanked=yanked)
        if forbidden is not None:
            return forbidden
        requires_python = _requires_python(file.requires_python)
        if requires_python is not None and not requires_python.contains(self._python, prereleases=True):
            return Exclusion("python", f"needs Python {requires_python}")
        if file.is_wheel and _tag_position(file, self._interpreter) is None:
            return Exclusion("tags", "no wheel fits this interpreter")
        return None

    def exclusions(self, version: Version) -> tuple[Exclusion, ...]:
        """Why each file of *version* that cannot be used cannot."""
        return tuple(filter(None, (self.exclusion(file) for file in self._files.get(version, ()))))

    def wheel_names(self, version: Version) -> tuple[str, ...]:
        """File names of the wheels of *version*."""
        return tuple(sorted(file.filename for file in self._files.get(version, ()) if file.is_wheel))

    def matching(self, specifier: SpecifierSet) -> tuple[Version, ...]:
        """The versions that *specifier* contains, pre-releases included, highest first."""
        text = str(specifier)
        if text not in self._matching:
            self._matching[text] = tuple(specifier.filter(self.versions, prereleases=True)) if text else self.versions
        return self._matching[text]

    def candidates(
        self,
        specifier: SpecifierSet,
        *,
        prereleases: bool = False,
        lowest: bool = False,
        prefer_binary: bool = False,
        hashes: Hashes | None = None,
    ) -> Iterator[tuple[Version, RemoteFile]]:
        """Yield the usable versions that *specifier* contains, best first, each with the file that speaks for it.

        :param prereleases: they count like others; otherwise only when no other version is usable (PEP 440).
        :param prefer_binary: a version with a wheel beats every version without.
        """
        matching = self.matching(specifier)
        ordered = tuple(reversed(matching)) if lowest else matching
        finals = [version for version in ordered if prereleases or not version.is_prerelease]
        yanked = is_exact(specifier)
        found = False
        for version, file in self._usable(finals, yanked, prefer_binary, hashes):
            found = True
            yield version, file
        if not found and not prereleases:
            rest = [version for version in ordered if version.is_prerelease]
            yield from self._usable(rest, yanked, prefer_binary, hashes)

    def _usable(
        self, versions: list[Version], yanked: bool, prefer_binary: bool, hashes: Hashes | None
    ) -> Iterator[tuple[Version, RemoteFile]]:
        sources = []
        for version in versions:
            file = self.best(version, yanked=yanked, hashes=hashes)
            if file is None:
                continue
            if prefer_binary and not file.is_wheel:
                sources.append((version, file))
                continue
            yield version, file
        yield from sources

    def _forbidden(self, file: RemoteFile, *, yanked: bool) -> Exclusion | None:
        control = self._rules.format_control
        if file.is_wheel and not control.allows_wheel(self.project):
            return Exclusion("format", "only wheels, and --no-binary forbids them")
        if not file.is_wheel and not control.allows_source(self.project):
            return Exclusion("format", "only an sdist, and --only-binary forbids building")
        limit = self._rules.exclude_newer
        if limit is not None and (file.upload_time is None or file.upload_time > limit):
            return Exclusion("newer", "uploaded after --exclude-newer, or nobody knows when")
        if file.yanked is not None and not yanked:
            return Exclusion("yanked", f"yanked{': ' + file.yanked if file.yanked else ''}")
        return None


def is_exact(specifier: SpecifierSet) -> bool:
    """Whether *specifier* names one version: ``==`` without ``.*``, or ``===``."""
    return any(clause.operator in _EXACT and not clause.version.endswith(".*") for clause in specifier)


def best_file(files: Sequence[RemoteFile], interpreter: Interpreter, hashes: Hashes | None = None) -> RemoteFile | None:
    """The best of *files* of one version: wheels before sdists, by tag, then by build tag.

    Tags and digests decide, and nothing else: whether the files are allowed was asked before. Where digests are
    given, a file that is known not to match loses against every other.
    """
    ranked = []
    for file in files:
        mismatch = bool(hashes and file.hashes and _known_mismatch(file, hashes))
        position = _tag_position(file, interpreter) if file.is_wheel else None
        if position is not None:
            number, suffix = build_order(_build(file))
            ranked.append(((mismatch, False, position, -number), suffix, file))
        elif not file.is_wheel:
            ranked.append(((mismatch, True, sdist_rank(file.filename), 0), "", file))
    if not ranked:
        return None
    best = min(key for key, _, _ in ranked)
    return max(((suffix, file) for key, suffix, file in ranked if key == best), key=lambda pair: pair[0])[1]


def choose_file(pin: Pin, interpreter: Interpreter, format_control: FormatControl) -> RemoteFile:
    """Return the file of *pin* that *interpreter* installs.

    :raises RequirementsError: none of them can be used; code ``no-compatible-file``.
    """
    allowed = [
        file
        for file in pin.files
        if (format_control.allows_wheel(pin.name) if file.is_wheel else format_control.allows_source(pin.name))
    ]
    chosen = best_file(allowed, interpreter, pin.hashes)
    if chosen is not None:
        return chosen
    wheels = [file.filename for file in allowed if file.is_wheel]
    raise RequirementsError(
        f"no file of {pin} can be used on Python {interpreter.version_text} ({interpreter.platform})",
        code="no-compatible-file",
        context=tuple(filter(None, (describe_tags(wheels), pin.origin and f"asked for by {pin.origin}"))),
        hint=_format_hint(pin, len(allowed)),
    )


def fill_pin(
    pin: Pin, files: Sequence[RemoteFile], interpreter: Interpreter, rules: Rules, sink: EventSink = ignore
) -> Pin:
    """Give a pin of a bare ``requirements.txt`` the files that its project's page lists for its version.

    :raises RequirementsError: codes ``no-such-project``, ``no-matching-version``, ``no-compatible-file``.
    """
    from .explain import nothing_matches

    assert pin.version is not None
    catalogue = Catalogue(pin.name, files, interpreter, rules)
    specifier = SpecifierSet(f"=={pin.version}")
    for version, best in catalogue.candidates(specifier, prereleases=True, hashes=pin.hashes):
        if best.yanked is not None:
            sink(yanked_notice(pin.name, version, best.yanked))
        return replace(
            pin, version=version, files=catalogue.files(version, yanked=True), requires_python=best.requires_python
        )
    raise nothing_matches(catalogue, specifier, interpreter, asked_by=(f"{pin} is asked for by {pin.origin}",))


def yanked_notice(name: NormalizedName, version: Version, reason: str) -> Noticed:
    """What the user is told when a yanked version is used (PEP 592)."""
    return Noticed(message=f"{name} {version} was yanked by its maintainers{': ' + reason if reason else ''}")


def describe_tags(filenames: Sequence[str]) -> str:
    """Say for what wheels exist: which Pythons, and which platforms; empty when there are none."""
    pythons: Counter[str] = Counter()
    platforms: Counter[str] = Counter()
    for filename in filenames:
        parts = wheel_parts(filename)
        if parts is not None:
            python, abi, platform = parts.tags.rsplit("-", 2)
            pythons[f"{python}-{abi}" if abi not in {"none", "abi3", python} else python] += 1
            platforms.update(platform.split("."))
    if not pythons:
        return ""
    return f"wheels exist for {_listed(pythons)} on {_listed(platforms)}"


def _listed(counts: Counter[str]) -> str:
    names = sorted(counts)
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def _format_hint(pin: Pin, allowed: int) -> str | None:
    if allowed == len(pin.files):
        return None
    forbidding = "--only-binary" if any(not file.is_wheel for file in pin.files) else "--no-binary"
    return f"{forbidding} forbids the other files"


def _by_version(project: NormalizedName, files: Sequence[RemoteFile]) -> dict[Version, list[RemoteFile]]:
    texts: dict[str, Version | None] = {}
    found: defaultdict[Version, list[RemoteFile]] = defaultdict(list)
    seen: set[str] = set()
    for file in files:
        text = _version_text(project, file)
        if text is None or file.filename in seen:
            continue
        if text not in texts:
            texts[text] = version_or_none(text)
        version = texts[text]
        if version is not None:
            seen.add(file.filename)
            found[version].append(file)
    return dict(found)


def _version_text(project: NormalizedName, file: RemoteFile) -> str | None:
    if not file.is_wheel:
        return sdist_version_text(file.filename, project)
    parts = wheel_parts(file.filename)
    identity = wheel_identity(file.filename) if parts and parts.name.lower() != project else None
    if parts is None or (identity is not None and identity.name != project):
        return None
    return parts.version


def _tag_position(file: RemoteFile, interpreter: Interpreter) -> int | None:
    parts = wheel_parts(file.filename)
    if parts is None:
        return None
    priority = interpreter.tag_priority
    return min((priority[tag] for tag in wheel_tags(parts.tags) if tag in priority), default=None)


def _build(file: RemoteFile) -> str:
    parts = wheel_parts(file.filename)
    return parts.build if parts else ""


def _known_mismatch(file: RemoteFile, hashes: Hashes) -> bool:
    return not file.hashes.allowed & hashes.allowed and bool(file.hashes.algorithms & hashes.algorithms)


_requires_python = functools.lru_cache(maxsize=1024)(read_requires_python)
