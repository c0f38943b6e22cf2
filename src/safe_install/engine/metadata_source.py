"""Core metadata for a resolution, from the cheapest place that has it.

For a wheel: the store, the index's metadata file, a part of the wheel, the whole wheel. For an sdist: its static
metadata where PEP 643 vouches for it, else what its build backend says, which is kept in the store.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import IntegrityError
from ..metadata import has_static_requirements, parse_core_metadata
from ..models import ArchiveSource, Hashes
from .jobs import KeyedOnce
from .sources import describe_source
from .vanishing import entry_vanished, survive_vanishing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from packaging.utils import NormalizedName

    from ..models import CoreMetadata, DirectSource, RemoteFile
    from ..store.trees import WheelTree
    from .workshop import Workshop


class IndexedMetadata:
    """A `safe_install.protocols.MetadataSource` for one interpreter."""

    def __init__(self, workshop: Workshop) -> None:
        self._session = workshop.session
        self._interpreter = workshop.interpreter
        self._artifacts = workshop.artifacts
        self._builds = workshop.builds
        self._once = KeyedOnce()

    def files(self, name: NormalizedName) -> Sequence[RemoteFile]:
        """As the protocol says."""
        self._session.cancellation.check()
        return self._session.index.files(name)

    def prefetch(self, names: Iterable[NormalizedName]) -> None:
        """As the protocol says."""
        self._session.index.prefetch(names)

    def metadata(self, name: NormalizedName, file: RemoteFile) -> CoreMetadata:
        """As the protocol says."""
        self._session.cancellation.check()

        def find() -> CoreMetadata:
            return survive_vanishing(lambda: self._metadata(name, file), self._session.sink)

        return self._once.get((name, file.url), find)

    def direct_metadata(self, source: DirectSource) -> tuple[DirectSource, CoreMetadata]:
        """As the protocol says."""

        def find() -> tuple[DirectSource, CoreMetadata]:
            return survive_vanishing(lambda: self._direct(source), self._session.sink)

        return self._once.get(source, find)

    def _metadata(self, name: NormalizedName, file: RemoteFile) -> CoreMetadata:
        data = self._wheel(name, file) if file.is_wheel else self._sdist(name, file)
        found = parse_core_metadata(data, where=file.filename)
        if found.name != name:
            raise IntegrityError(f"{file.filename} says that it is {found.name}, not {name}", code="metadata-differs")
        return found

    def _wheel(self, name: NormalizedName, file: RemoteFile) -> bytes:
        known = file.hashes.sha256
        if known is not None and (tree := self._session.store.wheel(known)) is not None:
            return read_wheel_metadata(tree)
        data = self._session.index.metadata_bytes(file)
        if data is not None:
            return data
        wheel = self._artifacts.wheel(file, name=name, version=None, hashes=Hashes(), key=file.filename)
        return read_wheel_metadata(wheel.tree)

    def _sdist(self, name: NormalizedName, file: RemoteFile) -> bytes:
        data = self._session.index.metadata_bytes(file)
        if data is not None and has_static_requirements(data):
            return data
        return self._builds.metadata_of_file(name, file, self._interpreter)

    def _direct(self, source: DirectSource) -> tuple[DirectSource, CoreMetadata]:
        if isinstance(source, ArchiveSource) and source.file.is_wheel:
            return self._direct_wheel(source)
        pinned, data = self._builds.metadata_of_source(source, self._interpreter)
        return pinned, parse_core_metadata(data, where=describe_source(source))

    def _direct_wheel(self, source: ArchiveSource) -> tuple[DirectSource, CoreMetadata]:
        from packaging.utils import InvalidWheelFilename, parse_wheel_filename

        try:
            name, version, _, _ = parse_wheel_filename(source.file.filename)
        except InvalidWheelFilename as error:
            raise IntegrityError(
                f"{source.file.filename} is no name of a wheel: {error}", code="wheel-metadata"
            ) from error
        wheel = self._artifacts.wheel(
            source.file, name=name, version=version, hashes=Hashes(), key=f"{name}=={version}"
        )
        pinned = replace(source, file=replace(source.file, hashes=Hashes.of(wheel.digests)))
        return pinned, parse_core_metadata(read_wheel_metadata(wheel.tree), where=source.file.filename)


def read_wheel_metadata(tree: WheelTree) -> bytes:
    """Return the METADATA of an unpacked wheel.

    :raises IntegrityError: it has none, which only a damaged entry can have.
    :raises StoreError: ``entry-vanished``.
    """
    for entry in tree.manifest.files:
        folder, _, name = entry.path.partition("/")
        if name == "METADATA" and folder.endswith(".dist-info"):
            try:
                return (tree.tree / entry.path).read_bytes()
            except FileNotFoundError as error:
                raise entry_vanished(tree.folder) from error
    raise IntegrityError(f"{tree.manifest.filename} has no METADATA", code="wheel-metadata")
