"""What the peers `index`, `resolve`, `build` and `install` ask of one another; `engine` joins them.

Each is an interface of what the caller needs, not of what the other side can do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from packaging.requirements import Requirement
    from packaging.utils import NormalizedName

    from .models import CoreMetadata, DirectSource, Interpreter, RemoteFile


class MetadataSource(Protocol):
    """Where a resolution learns what exists and what it needs. Safe to call from many threads."""

    def files(self, name: NormalizedName) -> Sequence[RemoteFile]:
        """Return every file that the indexes offer for a project, in any order; empty when none knows it.

        :raises NetworkError: an index that should know could not be read.
        """

    def metadata(self, name: NormalizedName, file: RemoteFile) -> CoreMetadata:
        """Return the core metadata of one file, building it when it is an sdist.

        :raises IntegrityError: the file or its metadata is malformed, or says another name or version.
        :raises BuildError: metadata of an sdist could not be made.
        :raises NetworkError: it could not be read.
        """

    def direct_metadata(self, source: DirectSource) -> tuple[DirectSource, CoreMetadata]:
        """Return the metadata of a direct source, and the source with everything mutable pinned (a commit id,
        a digest). Errors as `metadata`.
        """

    def prefetch(self, names: Iterable[NormalizedName]) -> None:
        """Start reading the pages of these projects in the background; never fails."""


class BuildEnvironment(Protocol):
    """An environment in which a build backend runs."""

    @property
    def python(self) -> str:
        """Path of its interpreter."""

    @property
    def scripts(self) -> Path:
        """Its folder of commands, to be put first on PATH."""


class EnvironmentFiller(Protocol):
    """Makes private environments for builds and fills them from the same store as every other one."""

    def create(self, folder: Path, interpreter: Interpreter) -> BuildEnvironment:
        """Make an empty environment at *folder*, which must not exist."""

    def fill(self, environment: BuildEnvironment, requirements: Iterable[Requirement]) -> Mapping[str, str]:
        """Resolve and install *requirements* into it; return name to version of what was installed.

        :raises RequirementsError: they contradict one another.
        """
