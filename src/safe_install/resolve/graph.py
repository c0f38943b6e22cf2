"""The nouns of a resolution: keys, asks, releases, candidates.

An extra is a node of its own: ``foo[a,b]>=1`` asks for ``foo``, for ``foo`` with ``a`` and for ``foo`` with ``b``, and
a candidate with an extra asks for exactly its own release without.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from packaging.specifiers import SpecifierSet
from packaging.utils import NormalizedName

from ..models import ArchiveSource, DirectorySource, DirectSource, Hashes, VcsSource

if TYPE_CHECKING:
    from collections.abc import Hashable

    from packaging.version import Version

    from ..errors import SafeInstallError
    from ..models import CoreMetadata, RemoteFile


class Key(NamedTuple):
    """A node of the graph. :param extra: empty for the project itself."""

    name: NormalizedName
    extra: str = ""

    @property
    def base(self) -> Key:
        """The same project without the extra."""
        return Key(self.name)

    def __str__(self) -> str:
        return f"{self.name}[{self.extra}]" if self.extra else self.name


# Names that no project can have (they are not normalized): what depends on them conflicts with the world.
PYTHON = Key(NormalizedName("<python>"))
BROKEN = Key(NormalizedName("<broken>"))


@dataclass(frozen=True, eq=False, slots=True)
class Release:
    """One version of a project from one place.

    :param file: whose metadata speak for it; None when it is direct or installed.
    :param direct: where it comes from, with commit or digest; *source* is the `identity` of what was asked for.
    :param metadata: set from the beginning when it is direct or installed.
    """

    name: NormalizedName
    version: Version
    file: RemoteFile | None = None
    direct: DirectSource | None = None
    source: Hashable = None
    metadata: CoreMetadata | None = None

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


@dataclass(frozen=True, eq=False, slots=True)
class Candidate:
    """A release, with one extra or none."""

    key: Key
    release: Release

    def __str__(self) -> str:
        return f"{self.key} {self.release.version}"


@dataclass(frozen=True, eq=False, slots=True)
class Ask:
    """One requirement on one node.

    :param text: as it was written, for messages.
    :param origin: the place in an input file; None when a distribution asks.
    :param exactly: only this release will do.
    :param problem: nothing will do: the asking candidate cannot be used, for this reason.
    """

    key: Key
    text: str
    specifier: SpecifierSet = field(default_factory=SpecifierSet)
    direct: DirectSource | None = None
    hashes: Hashes = field(default_factory=Hashes)
    origin: str | None = None
    exactly: Release | None = None
    problem: SafeInstallError | None = None


def identity(source: DirectSource) -> Hashable:
    """What makes two direct sources the same, whatever else is known of them."""
    if isinstance(source, ArchiveSource):
        return ("archive", source.file.url, source.subdirectory)
    if isinstance(source, VcsSource):
        return (source.vcs, source.url.removesuffix(".git"), source.revision, source.subdirectory)
    assert isinstance(source, DirectorySource)
    return ("directory", source.path, source.subdirectory)
