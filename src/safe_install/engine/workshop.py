"""Join what resolving, fetching and building need of one another for one session and interpreter."""

from __future__ import annotations

import functools
import threading
from typing import TYPE_CHECKING

from .supply import Supply

if TYPE_CHECKING:
    from packaging.utils import NormalizedName

    from ..models import DirectSource, Interpreter
    from ..protocols import EnvironmentFiller
    from ..store.flight import Flight
    from .artifacts import Artifacts
    from .builds import Builds
    from .metadata_source import IndexedMetadata
    from .session import Session


class Workshop:
    """The cycle that the layers below must not see: resolving needs builds, and builds need resolving.

    Each part is made, and its imports are paid for, when it is first used: a `sync` for which everything is in the
    store fetches, resolves and builds nothing.

    :param chain: the projects for whose builds this one works, so that a circle is found.
    :param flight: the innermost of these builds that other processes may wait for.
    :param artifacts: shared with the workshop whose build this one works for, so that nothing is fetched twice.
    """

    def __init__(
        self,
        session: Session,
        interpreter: Interpreter,
        *,
        chain: tuple[NormalizedName, ...] = (),
        flight: Flight | None = None,
        artifacts: Artifacts | None = None,
    ) -> None:
        self.session = session
        self.interpreter = interpreter
        self._chain = chain
        self._flight = flight
        self._shared_artifacts = artifacts
        self._lock = threading.RLock()
        self.supply = Supply(self)

    @property
    def artifacts(self) -> Artifacts:
        """Fetches files."""
        with self._lock:
            return self._artifacts

    @property
    def builds(self) -> Builds:
        """Builds wheels and metadata."""
        with self._lock:
            return self._builds

    @property
    def metadata(self) -> IndexedMetadata:
        """What a resolution asks."""
        with self._lock:
            return self._metadata

    def name_of(self, source: DirectSource) -> NormalizedName:
        """Return the project of a direct source, as its metadata tell. Errors as `IndexedMetadata.direct_metadata`."""
        return self.metadata.direct_metadata(source)[1].name

    @functools.cached_property
    def _artifacts(self) -> Artifacts:
        from .artifacts import Artifacts

        return self._shared_artifacts or Artifacts(self.session)

    @functools.cached_property
    def _builds(self) -> Builds:
        from .builds import Builds

        return Builds(self.session, self.artifacts, self._filler, chain=self._chain, flight=self._flight)

    @functools.cached_property
    def _metadata(self) -> IndexedMetadata:
        from .metadata_source import IndexedMetadata

        return IndexedMetadata(self)

    def _filler(self, chain: tuple[NormalizedName, ...], flight: Flight | None) -> EnvironmentFiller:
        from .fill import Filler

        return Filler(Workshop(self.session, self.interpreter, chain=chain, flight=flight, artifacts=self.artifacts))
