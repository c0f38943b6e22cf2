"""Files of indexes and direct URLs: found in the store, or fetched into it, checked against their digests.

A file whose SHA-256 is known and whose entry is in the store is not fetched again. What is fetched is hashed while
it streams to staging, compared, and (a wheel) unpacked and published; the whole file is never in memory. Of all
processes that need a file of known digest, one fetches it.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import BoundedSemaphore
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

from ..errors import IntegrityError
from ..events import telling
from ..fs._system import system_path
from ..fs.failures import explain
from ..fs.filesystem import is_network
from ..fs.hashing import hash_file
from ..install.archive import unpacked_size
from ..install.refusal import refusal
from ..install.wheel import unpack_wheel
from ..models import Digest, Hashes, RemoteFile
from ..redact import redact_url
from .jobs import KeyedOnce

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from packaging.utils import NormalizedName
    from packaging.version import Version

    from ..store.flight import Flight
    from ..store.trees import TreeWriter, WheelTree
    from .report import Origin
    from .session import Session


# On a local disk unpacking keeps a processor busy, and more threads would only hand Python's lock to and fro. Over a
# network each waits for answers, and the more wait side by side the better.
_MOST_UNPACKED_AT_ONCE = 4
_UNKNOWN_SIZE = 64_000_000
"""Bytes of room for a file whose index does not tell its size; few are larger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelArtifact:
    """A wheel in the store. :param digests: of the wheel file, algorithm to hexadecimal digest."""

    tree: WheelTree
    origin: Origin
    digests: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceArtifact:
    """A source archive in the store. :param path: of the file, named after its digest, not after the project."""

    path: Path
    digest: Digest
    filename: str


class Artifacts:
    """Gets files for one session; safe to use from many threads, which wait for one another per file."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._once = KeyedOnce()

    def wheel(
        self, file: RemoteFile, *, name: NormalizedName, version: Version | None, hashes: Hashes, key: str
    ) -> WheelArtifact:
        """Return a wheel as an entry of the store.

        :param hashes: what the input asks of it, besides what the index says; empty for nothing.
        :param key: names its events.
        :raises IntegrityError: ``hash-mismatch``, or the archive is refused. Nothing is in the store.
        :raises NetworkError: it could not be fetched.
        """
        found = self._once.get(
            ("wheel", file.url, hashes),
            lambda: self._wheel(file, name=name, version=version, hashes=hashes, key=key),
            is_valid=lambda found: found.tree.folder.exists(),
        )
        self.check_identity(found.tree, name=name, version=version)
        return found

    def check_identity(self, tree: WheelTree, *, name: NormalizedName, version: Version | None) -> None:
        """Hold an entry of the store to what is asked for: its digest proves what it is, but not that it is this.

        :raises IntegrityError: ``wheel-metadata``: it is another project or version, as `unpack` would have found.
        """
        from packaging.utils import InvalidWheelFilename, parse_wheel_filename

        filename = tree.manifest.filename
        with suppress(InvalidWheelFilename):
            found_name, found_version, _, _ = parse_wheel_filename(filename)
            if found_name == name and version in (None, found_version):
                return
        if not self._is_excused(name):
            reason = f"its file name is not that of {name} {version or ''}".rstrip()
            raise refusal(filename, reason, code="wheel-metadata")

    def sdist(self, file: RemoteFile, *, hashes: Hashes, key: str) -> SourceArtifact:
        """Return a source archive as a file of the store. Errors as `wheel`."""
        return self._once.get(
            ("sdist", file.url, hashes),
            lambda: self._sdist(file, hashes=hashes, key=key),
            is_valid=lambda found: found.path.exists(),
        )

    def digest(self, file: RemoteFile, *, name: NormalizedName, version: Version | None, key: str) -> Digest:
        """Return the SHA-256 of a file, which is fetched when nothing nearer tells it. Errors as `wheel`."""
        known = self._known_digest(file, Hashes())
        if known is not None:
            return known
        if file.is_wheel:
            found = self.wheel(file, name=name, version=version, hashes=Hashes(), key=key)
            return Digest(found.digests["sha256"])
        return self.sdist(file, hashes=Hashes(), key=key).digest

    def unpack(
        self,
        archive: Path,
        writer: TreeWriter,
        *,
        filename: str,
        name: NormalizedName,
        version: Version | None,
        key: str,
    ) -> None:
        """Check a wheel and write its files with *writer*, under the rules that hold for its project.

        :raises IntegrityError: it is refused.
        """
        sink = self._session.sink
        with telling(sink, "unpack", key=key, label=filename):
            unpack_wheel(
                archive,
                writer,
                filename=filename,
                name=name,
                version=version,
                irregular=self._is_excused(name),
                sink=sink,
                # Elsewhere the exclusive creation of each file finds what a file system takes for one name.
                folds_case=os.name == "nt",
            )

    def _is_excused(self, name: NormalizedName) -> bool:
        from packaging.utils import canonicalize_name

        return name in {canonicalize_name(each) for each in self._session.settings.allow_irregular}

    def _wheel(
        self, file: RemoteFile, *, name: NormalizedName, version: Version | None, hashes: Hashes, key: str
    ) -> WheelArtifact:
        def fetch(_: Flight | None = None) -> WheelArtifact:
            return self._fetch_wheel(file, name=name, version=version, hashes=hashes, key=key)

        known = self._known_digest(file, hashes)
        if known is None:
            # There is nothing by which another process could tell that this file is the one that it needs.
            return fetch()

        def look() -> WheelArtifact | None:
            found = self._session.store.wheel(known)
            return None if found is None else WheelArtifact(tree=found, origin="store", digests={"sha256": known})

        return self._session.flights.get("wheel", known, what=file.filename, look=look, make=fetch).value

    def _fetch_wheel(
        self, file: RemoteFile, *, name: NormalizedName, version: Version | None, hashes: Hashes, key: str
    ) -> WheelArtifact:
        store = self._session.store
        with store.stage_file() as staged:
            digests = self._download(file, staged, hashes=hashes, key=key)
            digest = Digest(digests["sha256"])

            def publish() -> WheelTree:
                with self._turn_to_unpack(), store.stage_tree() as writer:
                    self.unpack(staged, writer, filename=file.filename, name=name, version=version, key=key)
                    manifest = writer.finish(digest=digest, filename=file.filename)
                    return store.publish_wheel(writer.folder, manifest)

            found = store.wheel(digest) or store.with_room(publish, lambda: unpacked_size(staged))
        return WheelArtifact(tree=found, origin=_origin(file), digests=digests)

    def _turn_to_unpack(self) -> AbstractContextManager[object]:
        """Wait until few enough threads unpack; those that fetch go on meanwhile."""

        def turns() -> AbstractContextManager[object]:
            if is_network(self._session.store.root):
                return nullcontext()
            return BoundedSemaphore(min(os.cpu_count() or 1, _MOST_UNPACKED_AT_ONCE))

        return self._once.get("turns", turns)

    def _sdist(self, file: RemoteFile, *, hashes: Hashes, key: str) -> SourceArtifact:
        store = self._session.store

        def fetch(_: Flight | None = None) -> SourceArtifact:
            with store.stage_file() as staged:
                digest = Digest(self._download(file, staged, hashes=hashes, key=key)["sha256"])
                path = store.publish_file(staged, digest)
            return SourceArtifact(path=path, digest=digest, filename=file.filename)

        known = self._known_digest(file, hashes)
        if known is None:
            return fetch()

        def look() -> SourceArtifact | None:
            found = store.file(known)
            return None if found is None else SourceArtifact(path=found, digest=known, filename=file.filename)

        return self._session.flights.get("file", known, what=file.filename, look=look, make=fetch).value

    def _known_digest(self, file: RemoteFile, hashes: Hashes) -> Digest | None:
        """The SHA-256 that the file must have, when that can be told without fetching it.

        :raises IntegrityError: what the index says contradicts what the input asks.
        """
        promised = file.hashes.sha256
        asked = {value for algorithm, value in hashes.allowed if algorithm == "sha256"}
        if promised is not None:
            if asked and promised not in asked:
                raise _mismatch(file, hashes, {"sha256": promised})
            return promised
        if (local := _local_path(file)) is not None:
            # Reading a local file is cheaper than copying and unpacking it once more.
            with suppress(OSError):
                return Digest(hash_file(local)["sha256"])
        return hashes.sha256

    def _download(self, file: RemoteFile, target: Path, *, hashes: Hashes, key: str) -> Mapping[str, str]:
        def attempt() -> Mapping[str, str]:
            try:
                return self._download_once(file, target, hashes=hashes, key=key)
            except BaseException:
                with suppress(OSError):
                    os.unlink(system_path(target))
                raise

        return self._session.store.with_room(attempt, lambda: file.size or _UNKNOWN_SIZE)

    def _download_once(self, file: RemoteFile, target: Path, *, hashes: Hashes, key: str) -> Mapping[str, str]:
        usable = {
            algorithm
            for algorithm in hashes.algorithms | file.hashes.algorithms
            if algorithm in hashlib.algorithms_available
        }
        try:
            with open(system_path(target), "xb") as stream:
                result = self._session.index.download(file, stream, algorithms={"sha256", *usable}, key=key)
        except OSError as error:  # from the first or the last write: others are explained where they happen
            raise explain(error, doing=f"write the download of {file.filename}", path=target) from error
        for expected in (hashes, file.hashes):
            if not expected.matches(result.hashes):
                raise _mismatch(file, expected, result.hashes)
        return result.hashes


def _local_path(file: RemoteFile) -> Path | None:
    parts = urlsplit(file.url)
    return Path(url2pathname(parts.path)) if parts.scheme == "file" else None


def _origin(file: RemoteFile) -> Origin:
    return "local" if file.url.startswith("file:") else "fetched"


def _mismatch(file: RemoteFile, expected: Hashes, computed: Mapping[str, str]) -> IntegrityError:
    return IntegrityError(
        f"{file.filename} is not the file that was asked for: its digest differs",
        code="hash-mismatch",
        context=(
            f"expected {expected}",
            f"got      {', '.join(f'{name}:{computed[name]}' for name in sorted(expected.algorithms & set(computed)))}",
            f"from     {redact_url(file.url)}",
        ),
        hint="if the file was replaced on purpose, make the lock again; otherwise somebody changed it on the way",
    )
