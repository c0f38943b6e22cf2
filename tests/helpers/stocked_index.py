"""An index that makes what it offers, and counts what was read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from helpers.index import LocalIndex
from helpers.wheels import make_sdist, make_wheel

if TYPE_CHECKING:
    from helpers.index import Offered

_ADDING = {"root", "project", "yanked", "upload_time", "hashes", "size"}


class StockedIndex(LocalIndex):
    """A `LocalIndex` that makes what it offers."""

    def wheel(self, name: str, version: str = "1.0", **options: Any) -> Offered:
        """Offer a wheel. :param options: of `make_wheel`, or of `LocalIndex.add`."""
        adding = {key: options.pop(key) for key in list(options) if key in _ADDING}
        return self.add(*make_wheel(name, version, **options), **adding)

    def sdist(self, name: str, version: str = "1.0", **options: Any) -> Offered:
        """Offer an sdist. :param options: of `make_sdist`, or of `LocalIndex.add`."""
        adding = {key: options.pop(key) for key in list(options) if key in _ADDING}
        return self.add(*make_sdist(name, version, **options), **adding)

    def pages_read(self) -> int:
        """How many requests for index pages came."""
        return self.count("/simple*")

    def files_read(self) -> int:
        """How many requests for files came, those for their metadata not counted."""
        return self.count("/files/*") - self.count("*.metadata")


def pins(*files: Offered) -> str:
    """A requirements file that pins *files* with their digests."""
    lines = []
    for file in files:
        project, version = file.filename.removesuffix(".tar.gz").split("-")[:2]
        lines.append(f"{project}=={version} --hash=sha256:{file.sha256}\n")
    return "".join(lines)
