"""Frozen values that travel between the layers: files on indexes, pins, interpreters, metadata.

Nothing here touches a disk or a network.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, NewType, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from packaging.requirements import Requirement
    from packaging.specifiers import SpecifierSet
    from packaging.tags import Tag
    from packaging.utils import NormalizedName
    from packaging.version import Version

Digest = NewType("Digest", str)
"""The SHA-256 of some content: 64 lower-case hexadecimal characters."""

SECURE_ALGORITHMS = ("sha512", "sha384", "sha256", "sha3_512", "sha3_384", "sha3_256", "blake2b", "blake2s")
"""Digest algorithms that are accepted as proof of content, best first."""


class LinkMode(Enum):
    """How files get from a store entry into an environment (design section 7).

    With ``ATTACH`` most of them do not: the environment refers to an image.
    """

    AUTO = "auto"
    REFLINK = "reflink"
    HARDLINK = "hardlink"
    COPY = "copy"
    ATTACH = "attach"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedReference:
    """A seed that a job reads. :param generation: a digest or the beginning of one; None follows the current one."""

    path: Path
    generation: str | None = None

    def __str__(self) -> str:
        return f"{self.path}@{self.generation}" if self.generation else str(self.path)


class IndexStrategy(Enum):
    """Which indexes are asked for a project.

    ``FIRST_INDEX`` stops at the first index that knows the project, so that nobody can shadow a private
    project by putting a higher version on a public index. ``UNSAFE_BEST_MATCH`` merges all of them.
    """

    FIRST_INDEX = "first-index"
    UNSAFE_BEST_MATCH = "unsafe-best-match"


class Scope(Enum):
    """Whether a job writes to the store that the jobs of one host and user share, or to one of its own above it."""

    RUNNER = "runner"
    JOB = "job"


class Trust(Enum):
    """What a job may write: a trusted one also layers that other jobs read, an untrusted one its own alone."""

    TRUSTED = "trusted"
    UNTRUSTED = "untrusted"


class Verification(Enum):
    """What is looked at whenever an entry of a store is used: nothing, all but content that is trusted, everything."""

    SIZE = "size"
    FULL = "full"
    NONE = "none"


class Isolation(Enum):
    """What jobs may notice of one another's changes to installed files (design promise 4).

    With ``STRICT`` no environment shares a file with the store, so nothing; with ``STANDARD`` what a job does to its
    environment may be seen in others that exist, and never in what is installed later. With ``SHARED`` environments
    may be nothing but references to files of the store, so that every edit is one of all of them.
    """

    SHARED = "shared"
    STANDARD = "standard"
    STRICT = "strict"


class Sharing(Enum):
    """Who else may use a store: nobody, the members of a group, or everybody, who then can only read."""

    PRIVATE = "private"
    GROUP = "group"
    PUBLIC = "public"


class ResolutionStrategy(Enum):
    """Which of several allowed versions is taken: the highest, or the lowest of what is asked for directly."""

    HIGHEST = "highest"
    LOWEST_DIRECT = "lowest-direct"


class PrereleasePolicy(Enum):
    """``IF_NECESSARY`` is the rule of PEP 440: asked for by a specifier, or nothing else exists."""

    ALLOW = "allow"
    IF_NECESSARY = "if-necessary"


@dataclass(frozen=True, slots=True)
class Hashes:
    """Digests of which one must match; empty means that nothing is known.

    :param allowed: pairs of algorithm (`hashlib` name) and lower-case hexadecimal digest.
    """

    allowed: frozenset[tuple[str, str]] = frozenset()

    @classmethod
    def of(cls, mapping: Mapping[str, str | Iterable[str]]) -> Hashes:
        """Build from ``{"sha256": "ab…"}`` or ``{"sha256": ["ab…", "cd…"]}``."""
        pairs = set()
        for algorithm, values in mapping.items():
            for value in (values,) if isinstance(values, str) else values:
                pairs.add((algorithm.lower(), value.lower()))
        return cls(frozenset(pairs))

    def __bool__(self) -> bool:
        return bool(self.allowed)

    @property
    def algorithms(self) -> frozenset[str]:
        """The algorithms that have to be computed to check these."""
        return frozenset(algorithm for algorithm, _ in self.allowed)

    @property
    def secure(self) -> Hashes:
        """Only those of an algorithm in `SECURE_ALGORITHMS`."""
        return Hashes(frozenset(pair for pair in self.allowed if pair[0] in SECURE_ALGORITHMS))

    @property
    def sha256(self) -> Digest | None:
        """The SHA-256, when exactly one is allowed; it names the wheel's entry in a store."""
        found = [value for algorithm, value in self.allowed if algorithm == "sha256"]
        return Digest(found[0]) if len(found) == 1 else None

    def matches(self, computed: Mapping[str, str]) -> bool:
        """Whether *computed* (algorithm to hexadecimal digest) contains an allowed one; empty allows all."""
        return not self.allowed or any(pair in self.allowed for pair in computed.items())

    def __str__(self) -> str:
        return ", ".join(f"{algorithm}:{value}" for algorithm, value in sorted(self.allowed))


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteFile:
    """One file that an index, a find-links page or a direct URL offers.

    :param url: absolute, without fragment; may hold credentials, so print it through `redact_url` only.
    :param filename: the last, unquoted part of its path.
    :param hashes: what the index says of its content.
    :param size: bytes, when the index says so (PEP 700).
    :param requires_python: the text of the specifier as the index gives it (PEP 503), not parsed.
    :param yanked: the reason, perhaps empty, when it is yanked (PEP 592); None when it is not.
    :param upload_time: aware, when the index says so (PEP 700).
    :param metadata: whether ``<url>.metadata`` exists (PEP 658, 714).
    :param metadata_hashes: what that file must match, where the index says so.
    :param index: the index URL that it came from, without credentials; None for a direct URL.
    """

    url: str
    filename: str
    hashes: Hashes = Hashes()
    size: int | None = None
    requires_python: str | None = None
    yanked: str | None = None
    upload_time: datetime | None = None
    metadata: bool = False
    metadata_hashes: Hashes = Hashes()
    index: str | None = None

    @property
    def is_wheel(self) -> bool:
        """Whether the name says that it is a wheel; everything else that is offered is an sdist."""
        return self.filename.endswith(".whl")


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveSource:
    """A wheel or source archive named by a URL or a local path (``file:``)."""

    file: RemoteFile
    subdirectory: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VcsSource:
    """A revision in a version control system.

    :param url: without the ``git+`` prefix, without revision and fragment.
    :param revision: what was asked for; None means the default branch.
    :param commit_id: the full, immutable id, once known.
    """

    vcs: str
    url: str
    revision: str | None = None
    commit_id: str | None = None
    subdirectory: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectorySource:
    """A local source tree. :param path: absolute."""

    path: Path
    editable: bool = False
    subdirectory: str | None = None


DirectSource: TypeAlias = ArchiveSource | VcsSource | DirectorySource
"""Where a distribution comes from when no index chose it (recorded in ``direct_url.json``, PEP 610)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One distribution that an environment shall have: what a lock or a resolution says of it.

    Exactly one of *files* and *direct* is set, but for a pin of a bare ``requirements.txt``, which has neither
    until its project's index page was read.

    :param files: all files of this version that may be used; the installer picks the best for its interpreter.
    :param hashes: digests of which any file used must match one (``--hash``); empty where the files' own hold.
    :param requested: asked for by the user, not only by another distribution (the REQUESTED file of PEP 376).
    :param dependencies: normalized names of what it needs in this set, sorted; for locks and explanations.
    :param origin: ``file:line`` of the input that asks for it, for messages.
    """

    name: NormalizedName
    version: Version | None = None
    files: tuple[RemoteFile, ...] = ()
    direct: DirectSource | None = None
    hashes: Hashes = Hashes()
    requested: bool = False
    extras: frozenset[NormalizedName] = frozenset()
    dependencies: tuple[NormalizedName, ...] = ()
    requires_python: str | None = None
    config_settings: Mapping[str, str | list[str]] = field(default_factory=dict)
    origin: str | None = None

    def __str__(self) -> str:
        return f"{self.name}=={self.version}" if self.version is not None else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreMetadata:
    """What resolving needs of a distribution's core metadata (METADATA, PKG-INFO)."""

    name: NormalizedName
    version: Version
    requires_dist: tuple[Requirement, ...] = ()
    requires_python: SpecifierSet | None = None
    provides_extra: frozenset[NormalizedName] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class FormatControl:
    """``--only-binary`` and ``--no-binary``: sets of normalized names, or ``:all:``; a name beats ``:all:``."""

    only_binary: frozenset[str] = frozenset()
    no_binary: frozenset[str] = frozenset()

    def allows_wheel(self, name: NormalizedName) -> bool:
        """Whether wheels of this project may be used."""
        return self._verdict(name) != "source"

    def allows_source(self, name: NormalizedName) -> bool:
        """Whether this project may be built from source."""
        return self._verdict(name) != "binary"

    def _verdict(self, name: NormalizedName) -> str:
        if name in self.no_binary:
            return "source"
        if name in self.only_binary:
            return "binary"
        if ":all:" in self.no_binary:
            return "source"
        return "binary" if ":all:" in self.only_binary else "any"


@dataclass(frozen=True, kw_only=True)
class Interpreter:
    """A Python that environments are made for, as its probe described it.

    :param executable: absolute path, not resolved (a virtual environment is found by its link).
    :param version: three numbers, such as ``(3, 11, 7)``.
    :param markers: the values of PEP 508's environment markers.
    :param platform: `sysconfig.get_platform()`, such as ``linux-x86_64``.
    :param paths: the install scheme ``{purelib, platlib, scripts, data, headers, stdlib}`` of this interpreter itself.
    :param relative_paths: the same scheme of a virtual environment made from it, relative to its root.
    :param tag_texts: wheel tags that it accepts, best first, as ``py3-none-any``.
    :param prefix: `sys.prefix`; differs from *base_prefix* inside a virtual environment.
    :param externally_managed: text of the ``EXTERNALLY-MANAGED`` file's ``Error`` key (PEP 668), when there is one.
    :param cache_tag: `sys.implementation.cache_tag`, such as ``cpython-311``.
    :param magic_number: what its bytecode begins with, in hexadecimal.
    :param libc: ``("glibc", "2.36")`` and the like; empty strings where unknown.
    """

    executable: str
    base_executable: str
    version: tuple[int, int, int]
    implementation: str
    markers: Mapping[str, str]
    platform: str
    paths: Mapping[str, str]
    relative_paths: Mapping[str, str]
    tag_texts: Sequence[str]
    prefix: str
    base_prefix: str
    externally_managed: str | None
    cache_tag: str
    magic_number: str
    libc: tuple[str, str]
    pointer_bits: int
    gil_disabled: bool

    @property
    def is_virtual(self) -> bool:
        """Whether it belongs to a virtual environment."""
        return self.prefix != self.base_prefix

    @property
    def is_windows(self) -> bool:
        """Whether it runs on Windows."""
        return self.markers["sys_platform"] == "win32"

    @property
    def version_text(self) -> str:
        """Such as ``3.11.7``."""
        return ".".join(map(str, self.version))

    @functools.cached_property
    def tags(self) -> tuple[Tag, ...]:
        """The tags of `tag_texts`, parsed once."""
        from packaging.tags import Tag

        return tuple(Tag(*text.split("-", 2)) for text in self.tag_texts)

    @functools.cached_property
    def tag_priority(self) -> Mapping[Tag, int]:
        """Position of each tag; lower is better."""
        return {tag: position for position, tag in enumerate(self.tags)}
