"""Make what a build starts from available as a folder: sdists, checkouts, local trees."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ..build.sdist import unpack_sdist
from ..errors import SafeInstallError
from ..models import ArchiveSource, Digest, DirectorySource, Hashes, VcsSource
from ..redact import redact_url
from .indexes import timeout_of
from .jobs import KeyedOnce
from .vanishing import entry_vanished, survive_vanishing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from ..models import DirectSource, RemoteFile
    from .artifacts import Artifacts
    from .session import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSource:
    """Something to build from.

    :param digest: names its content for the build key; None when nothing does.
    :param tree: returns the folder, which it makes when it is first called.
    :param subject: what messages call it.
    :param pinned: for a direct source, the same with everything mutable pinned.
    :param digests: of its archive, algorithm to hexadecimal digest.
    """

    digest: Digest | None
    tree: Callable[[], Path]
    subject: str
    editable: bool = False
    subdirectory: str | None = None
    pinned: DirectSource | None = None
    digests: Mapping[str, str] = field(default_factory=dict)

    @property
    def identity(self) -> tuple[object, ...]:
        """What tells it from every other source of a session; one repository may hold several projects."""
        return (self.digest or self.subject, self.subdirectory, self.editable)


class Sources:
    """Opens sources for one session; each is unpacked or checked out once."""

    def __init__(self, session: Session, artifacts: Artifacts) -> None:
        self._session = session
        self._artifacts = artifacts
        self._once = KeyedOnce()

    def sdist(self, file: RemoteFile, *, hashes: Hashes, key: str, subdirectory: str | None = None) -> OpenSource:
        """Return a source archive, fetched. Errors as `Artifacts.sdist`; those of unpacking come from `tree`."""
        sink = self._session.sink
        digest = self._artifacts.sdist(file, hashes=hashes, key=key).digest

        def unpack() -> Path:
            artifact = self._artifacts.sdist(file, hashes=hashes, key=key)
            folder = self._session.scratch.folder("source")
            try:
                return unpack_sdist(artifact.path, folder, filename=artifact.filename, sink=sink)
            except (OSError, SafeInstallError) as error:
                if artifact.path.exists():
                    raise
                raise entry_vanished(artifact.path) from error

        return OpenSource(
            digest=digest,
            tree=lambda: self._once.get(digest, lambda: survive_vanishing(unpack, sink)),
            subject=file.filename,
            subdirectory=subdirectory,
            digests={"sha256": digest},
        )

    def direct(self, source: DirectSource, *, hashes: Hashes, key: str) -> OpenSource:
        """Return a direct source.

        :raises NetworkError: it could not be fetched or checked out.
        :raises IntegrityError: an archive is not what *hashes* say.
        """
        match source:
            case DirectorySource():
                return OpenSource(
                    digest=None,
                    tree=lambda: source.path,
                    subject=str(source.path),
                    editable=source.editable,
                    subdirectory=source.subdirectory,
                    pinned=source,
                )
            case VcsSource():
                return self._vcs(source)
            case ArchiveSource():
                opened = self.sdist(source.file, hashes=hashes, key=key, subdirectory=source.subdirectory)
                pinned = replace(source, file=replace(source.file, hashes=Hashes.of(opened.digests)))
                return replace(opened, pinned=pinned)

    def _vcs(self, source: VcsSource) -> OpenSource:
        pinned, folder = self._once.get(source, lambda: self._checkout(source))
        content = f"{pinned.vcs}+{pinned.url}@{pinned.commit_id}"
        return OpenSource(
            digest=Digest(hashlib.sha256(content.encode()).hexdigest()),
            tree=lambda: folder,
            subject=redact_url(pinned.url),
            subdirectory=pinned.subdirectory,
            pinned=pinned,
        )

    def _checkout(self, source: VcsSource) -> tuple[VcsSource, Path]:
        from ..index.vcs import checkout

        settings = self._session.settings
        # Messages call a build after its folder.
        name = source.url.rstrip("/").rpartition("/")[2].removesuffix(".git") or "tree"
        folder = self._session.scratch.folder("checkout") / re.sub(r"[^\w.-]", "_", name)
        pinned = checkout(
            source,
            folder,
            env=self._session.surroundings.variables,
            timeout=timeout_of(settings, self._session.surroundings),
            retry_budget=settings.retry_budget,
            offline=settings.offline,
            sink=self._session.sink,
        )
        return pinned, folder


def describe_source(source: DirectSource) -> str:
    """What messages and events call a direct source."""
    match source:
        case ArchiveSource():
            return source.file.filename
        case VcsSource():
            return redact_url(source.url)
        case DirectorySource():
            return str(source.path)
