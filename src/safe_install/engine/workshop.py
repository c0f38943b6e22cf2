"""Join what resolving, fetching and building need of one another for one session and interpreter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .artifacts import Artifacts
from .builds import Builds
from .fill import Filler
from .metadata_source import IndexedMetadata
from .supply import Supply

if TYPE_CHECKING:
    from packaging.utils import NormalizedName

    from ..models import DirectSource, Interpreter
    from ..protocols import EnvironmentFiller
    from .session import Session


class Workshop:
    """The cycle that the layers below must not see: resolving needs builds, and builds need resolving.

    Each build gets a filler whose own builds know what they are needed for, so that a circle is found.
    """

    def __init__(self, session: Session, interpreter: Interpreter) -> None:
        self.interpreter = interpreter
        self.artifacts = Artifacts(session)
        self.builds = self._builds(session, ())
        self.metadata = IndexedMetadata(session, interpreter, self.artifacts, self.builds)
        self.supply = Supply(session, interpreter, self.artifacts, self.builds)

    def name_of(self, source: DirectSource) -> NormalizedName:
        """Return the project of a direct source, as its metadata tell. Errors as `IndexedMetadata.direct_metadata`."""
        return self.metadata.direct_metadata(source)[1].name

    def _builds(self, session: Session, chain: tuple[NormalizedName, ...]) -> Builds:
        def filler(longer: tuple[NormalizedName, ...]) -> EnvironmentFiller:
            return Filler(session, self.artifacts, self._builds(session, longer))

        return Builds(session, self.artifacts, filler, chain=chain)
