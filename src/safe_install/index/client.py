"""One call's view of all its indexes: what is offered for a project, metadata, and the files themselves.

Which indexes are asked is decided here. An index that answers 404 does not know the project, and the next one is asked;
any other failure is an error and never "not known": otherwise an attacker who can disturb one index could make us take
a project of the same name from another (dependency confusion). Under `IndexStrategy.FIRST_INDEX` the first index that
knows a project decides, even when its page is empty. Files of ``--find-links`` are offered in addition to the index's.
"""

from __future__ import annotations

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, BinaryIO, Protocol

from ..errors import InputError, IntegrityError, NetworkError, StoreError
from ..events import Fetched, Noticed, PhaseAdvanced, telling
from ..fs.failures import explain
from ..fs.hashing import copy_and_hash
from ..models import Hashes, IndexStrategy
from ..redact import redact_url
from .auth import Credentials, origin_of, split_login
from .files import Listing, MalformedPageError, belongs_to, file_at, parse_page
from .local import is_remote, local_path, read_local_index, read_local_links
from .once import Once
from .pages import QUIET_SECONDS, Pages, PageStore, offline_error
from .ranges import MOST_METADATA_BYTES, local_wheel_metadata, remote_wheel_metadata
from .settings import IndexSettings
from .transfer import Downloaded

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from packaging.utils import NormalizedName

    from ..events import EventSink
    from ..models import Digest, RemoteFile
    from ..store.flight import Flights
    from .http import HttpClient
    from .ranges import Piece

__all__ = ["Downloaded", "IndexClient", "IndexSettings", "IndexStore"]

# Pages are small and their servers are made for many readers.
_PREFETCH_THREADS = 16
# A requirements file that is longer is something else.
_MOST_FILE_BYTES = 32 * 1024 * 1024
_ANY = Hashes()


class IndexStore(PageStore, Protocol):
    """Where pages and metadata files are kept; `safe_install.store.store.Store` is one."""

    def file(self, digest: Digest) -> Path | None:
        """Return the file with this SHA-256."""

    def stage_file(self) -> AbstractContextManager[Path]:
        """Return a path for a new file, removed at the end of the block when it was not published."""

    def publish_file(self, staged: Path, digest: Digest) -> Path:
        """Make a staged file appear."""


class IndexClient:
    """Reads indexes; safe to use from many threads. The HTTP client is made, and imported, when it is first needed.

    :param store: keeps pages and metadata files between calls; None keeps nothing.
    :param flights: let one process of many read what is kept there.
    :raises InputError: ``invalid-url``, when made: an index or find-links location is no URL that is understood.
    """

    def __init__(
        self,
        settings: IndexSettings,
        store: IndexStore | None,
        sink: EventSink,
        *,
        flights: Callable[[], Flights] | None = None,
    ) -> None:
        for location in (*settings.index_urls, *settings.find_links):
            _check_location(location)
        self._settings = settings
        self._store = store
        self._sink = sink
        self._lock = threading.Lock()
        self._closed = False
        self._http_client: HttpClient | None = None
        self._executor: ThreadPoolExecutor | None = None
        self._downloads = threading.BoundedSemaphore(settings.concurrent_downloads)
        self._projects: dict[tuple[NormalizedName, bool], Once[tuple[RemoteFile, ...]]] = {}
        self._links = Once(self._read_links)
        self._credentials = Credentials(
            (*settings.index_urls, *settings.find_links),
            variables=settings.variables,
            keyring=settings.keyring,
            sink=sink,
        )
        self._flights = flights
        self._pages = Pages(self._http, store, self._credentials, sink, offline=settings.offline, flights=flights)

    def files(self, name: NormalizedName, *, everywhere: bool = False) -> Sequence[RemoteFile]:
        """Return every file offered for a project, in no particular order; empty when nobody knows it.

        Each project is read once; who asks while it is being read waits for it.

        :param everywhere: ask every index, whatever the strategy. Only for files whose digest is known from elsewhere
            and so proves what they are.
        :raises NetworkError: an index could not be read, or (``offline``) its page is not in the store.
        """
        return self._project(name, everywhere=everywhere).get()

    def files_with(self, hashes: Hashes, name: NormalizedName) -> Sequence[RemoteFile]:
        """Return what all indexes together offer for a project with one of these digests, and links of unknown ones.

        As `files` with *everywhere*, but made for a call that is not repeated: of ten thousand files on a long page
        none but those with the digests are looked at, and none is remembered.

        :raises NetworkError: as `files`.
        """
        return self._read_project(name, everywhere=True, only=hashes)

    def prefetch(self, names: Iterable[NormalizedName]) -> None:
        """Start reading the pages of these projects in the background; never fails."""
        with self._lock:
            if self._closed:
                return
            if self._executor is None:
                self._executor = ThreadPoolExecutor(_PREFETCH_THREADS, thread_name_prefix="prefetch")
            executor = self._executor
            new = [name for name in names if (name, False) not in self._projects]
        for name in new:
            # An error is remembered and raised to who asks for the project; closing meanwhile refuses the work.
            with suppress(RuntimeError):
                executor.submit(self._project(name).settle)

    def metadata_bytes(self, file: RemoteFile) -> bytes | None:
        """Return the core metadata of a file without fetching all of it; None when only the whole file can tell.

        First the index's own metadata file (PEP 658), checked against its digest and kept in the store; then, for
        wheels, only the METADATA member (range requests; a local wheel is opened). For an sdist the caller has to
        decide whether its fields are static (PEP 643).

        :raises IntegrityError: ``hash-mismatch``: a metadata file is not what the index promised.
        :raises NetworkError: it could not be read.
        """
        what = f"the metadata of {file.filename}"
        path = local_path(file.url)
        if file.metadata:
            data = self._metadata_file(file, what, path)
            if data is not None:
                return data
        if not file.is_wheel:
            return None
        if path is not None:
            with _explained(what, file.url):
                return local_wheel_metadata(path)
        if self._settings.offline:
            raise offline_error(what, file.url)
        http = self._http()

        def fetch(span: str) -> Piece | None:
            piece = http.read_range(file.url, span, what=what, index=file.index)
            if piece is not None:
                self._sink(Fetched(what="page", bytes=len(piece.data)))
            return piece

        return remote_wheel_metadata(fetch)

    def download(self, file: RemoteFile, target: BinaryIO, *, algorithms: Collection[str], key: str) -> Downloaded:
        """Write a file to *target*, which must be empty and seekable, and return its size and digests.

        Nothing is compared with `RemoteFile.hashes`; that is for the caller, who may know better ones.

        :param key: names the download in ``fetch`` events.
        :raises NetworkError: it could not be read, after all retries; *target* holds a part of it.
        :raises IntegrityError: ``size-mismatch``: it is not as long as the index says.
        :raises StoreError: *target* could not be written (``disk-full`` and its like).
        """
        path = local_path(file.url)
        if path is None and self._settings.offline:
            raise offline_error(file.filename, file.url)
        with self._downloads, telling(self._sink, "fetch", key=key, label=file.filename, total=file.size):
            if path is not None:
                return self._copy(file, path, target, algorithms, key)
            return self._fetch(file, target, algorithms, key)

    def read_url(self, url: str) -> bytes:
        """Return a small file of the user's that lies on a server, such as a requirements file.

        :raises NetworkError: it could not be read; ``not-found``.
        """
        shown = redact_url(url)
        if self._settings.offline:
            raise offline_error(shown, url)
        data = self._http().read_file(url, what=shown, limit=_MOST_FILE_BYTES)
        if data is None:
            raise NetworkError(f"{shown} does not exist", code="not-found")
        self._sink(Fetched(what="page", bytes=len(data)))
        return data

    def close(self) -> None:
        """End what other threads are reading, and every connection. May be called again."""
        with self._lock:
            self._closed = True
            http, self._http_client = self._http_client, None
            executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown(wait=False, cancel_futures=True)
        if http is not None:
            http.close()
        if executor is not None:
            executor.shutdown()

    def _http(self) -> HttpClient:
        from .http import HttpClient, stopped_error

        with self._lock:
            if self._closed:
                raise stopped_error()
            if self._http_client is None:
                self._http_client = HttpClient(self._settings, self._credentials, self._sink)
            return self._http_client

    def _project(self, name: NormalizedName, *, everywhere: bool = False) -> Once[tuple[RemoteFile, ...]]:
        with self._lock:
            if (name, everywhere) not in self._projects:
                self._projects[name, everywhere] = Once(lambda: self._read_project(name, everywhere=everywhere))
            return self._projects[name, everywhere]

    def _read_project(self, name: NormalizedName, *, everywhere: bool, only: Hashes = _ANY) -> tuple[RemoteFile, ...]:
        found = [file for file in self._links.get() if belongs_to(file.filename, name) and _may_have(file, only)]
        for url in () if self._settings.no_index else self._settings.index_urls:
            files = self._on_index(url, name, only)
            if files is not None:
                found.extend(files)
                if self._settings.strategy is IndexStrategy.FIRST_INDEX and not everywhere:
                    break
        return tuple(found)

    def _on_index(self, url: str, name: NormalizedName, only: Hashes) -> tuple[RemoteFile, ...] | None:
        """What one index offers for a project; None when it does not know it."""
        what = f"the page of {name}"
        index = split_login(url)[2].rstrip("/") + "/"
        root = local_path(url)
        if root is not None:
            listing = read_local_index(root, name, index=index, only=only)
            return None if listing is None else self._checked(listing, index)
        page = self._pages.get(f"{url.rstrip('/')}/{name}/", what=what, index=index)
        if page is None:
            return None
        return self._parsed(page.body, page.content_type, page.url, what=what, index=index, only=only)

    def _read_links(self) -> tuple[RemoteFile, ...]:
        return tuple(file for location in self._settings.find_links for file in self._linked(location))

    def _linked(self, location: str) -> tuple[RemoteFile, ...]:
        path = local_path(location)
        shown = redact_url(location)
        if path is not None:
            listing = read_local_links(path)
            if listing is not None:
                return self._checked(listing, shown)
        elif (file := file_at(location)) is not None:
            return (file,)
        else:
            what = "the find-links page"
            page = self._pages.get(location, what=what)
            if page is not None:
                return self._parsed(page.body, page.content_type, page.url, what=what, index=None)
        self._sink(Noticed(message=f"the find-links location {shown} does not exist and is ignored"))
        return ()

    def _parsed(
        self, body: bytes, content_type: str, url: str, *, what: str, index: str | None, only: Hashes = _ANY
    ) -> tuple[RemoteFile, ...]:
        try:
            listing = parse_page(body, content_type=content_type, url=url, index=index, only=only)
        except MalformedPageError as error:
            raise NetworkError(
                f"could not read {what}: {error}",
                code="malformed-page",
                context=(f"from {redact_url(url)}",),
                hint="check that the URL is that of a package index (it often ends in /simple)",
            ) from None
        return self._checked(listing, url)

    def _checked(self, listing: Listing, where: str) -> tuple[RemoteFile, ...]:
        for line in listing.ignored:
            self._sink(Noticed(message=f"ignored on {redact_url(where)}: {line}", detail=True))
        return listing.files

    def _metadata_file(self, file: RemoteFile, what: str, path: Path | None) -> bytes | None:
        if path is not None:
            with _explained(what, file.url):
                data = _read_if_there(path.with_name(f"{path.name}.metadata"))
        else:
            data = self._kept_metadata(file) or self._shared_metadata(file, what)
        if data is not None:
            _check(data, file, what)
        return data

    def _kept_metadata(self, file: RemoteFile) -> bytes | None:
        digest = file.metadata_hashes.sha256
        if self._store is None or digest is None:
            return None
        kept = self._store.file(digest)
        try:
            data = kept.read_bytes() if kept is not None else b""
        except OSError:
            # Somebody cleaned up: a miss, like any other (promise 9).
            return None
        return data if file.metadata_hashes.matches(_digests(data, file)) else None

    def _shared_metadata(self, file: RemoteFile, what: str) -> bytes | None:
        """Read a metadata file, or wait for the process that does."""
        digest = file.metadata_hashes.sha256
        if self._settings.offline:
            return None
        if self._flights is None or digest is None:
            return self._remote_metadata(file, what)
        landed = self._flights().get(
            "file",
            digest,
            what=what,
            look=lambda: self._kept_metadata(file),
            # Empty: the index has none, whatever its page says.
            make=lambda _flight: self._remote_metadata(file, what) or b"",
            queue=False,
            quiet=QUIET_SECONDS,
        )
        return landed.value or None

    def _remote_metadata(self, file: RemoteFile, what: str) -> bytes | None:
        url = f"{file.url}.metadata"
        data = self._http().read_file(url, what=what, limit=MOST_METADATA_BYTES, index=file.index)
        if data is None:
            message = f"{file.filename} has no metadata file, although the index says so"
            self._sink(Noticed(message=message, detail=True))
            return None
        self._sink(Fetched(what="page", bytes=len(data)))
        _check(data, file, what)
        digest = file.metadata_hashes.sha256
        if self._store is not None and digest is not None:
            self._keep(self._store, data, digest, what)
        return data

    def _keep(self, store: IndexStore, data: bytes, digest: Digest, what: str) -> None:
        """Keep a metadata file for the next time; where that is impossible, it is read again then."""
        try:
            with store.stage_file() as staged:
                staged.write_bytes(data)
                store.publish_file(staged, digest)
        except (OSError, StoreError) as error:
            self._sink(Noticed(message=f"{what} is not kept: {error}", detail=True))

    def _fetch(self, file: RemoteFile, target: BinaryIO, algorithms: Collection[str], key: str) -> Downloaded:
        came = 0

        def advance(amount: int) -> None:
            nonlocal came
            came += max(0, amount)
            self._sink(PhaseAdvanced(phase="fetch", key=key, amount=amount))

        try:
            return self._http().download(
                file.url,
                target,
                what=file.filename,
                algorithms=algorithms,
                size=file.size,
                index=file.index,
                on_bytes=advance,
            )
        finally:
            self._sink(Fetched(what=key, bytes=came))

    def _copy(
        self, file: RemoteFile, path: Path, target: BinaryIO, algorithms: Collection[str], key: str
    ) -> Downloaded:
        """Take a local file, as `_fetch` does a remote one."""

        def write(chunk: bytes) -> None:
            try:
                target.write(chunk)
            except OSError as error:
                place = str(getattr(target, "name", "a temporary file"))
                raise explain(error, doing=f"write a copy of {file.filename}", path=place) from error
            self._sink(PhaseAdvanced(phase="fetch", key=key, amount=len(chunk)))

        with _explained(file.filename, file.url), path.open("rb") as source:
            hashes, size = copy_and_hash(source.read, write, algorithms)
        return Downloaded(size=size, hashes=hashes)


def _may_have(file: RemoteFile, hashes: Hashes) -> bool:
    """Whether a file can have one of these digests; empty stands for anything, on either side."""
    return not hashes or not file.hashes or bool(file.hashes.allowed & hashes.allowed)


def _check_location(location: str) -> None:
    try:
        understood = local_path(location) is not None or (is_remote(location) and origin_of(location)[1] != "")
    except ValueError:
        understood = False
    if not understood:
        raise InputError(
            f"{redact_url(location)} is no location of an index: only http, https and file URLs and paths are",
            code="invalid-url",
            hint="check --index-url, --extra-index-url and --find-links, and pip's configuration",
        )


def _digests(data: bytes, file: RemoteFile) -> dict[str, str]:
    return {
        name: hashlib.new(name, data, usedforsecurity=False).hexdigest() for name in file.metadata_hashes.algorithms
    }


def _check(data: bytes, file: RemoteFile, what: str) -> None:
    """Compare a metadata file with the digests that the index gave for it."""
    computed = _digests(data, file)
    if not file.metadata_hashes.matches(computed):
        raise IntegrityError(
            f"{what} is not what the index promised",
            code="hash-mismatch",
            context=(
                f"from {redact_url(file.url)}.metadata",
                f"expected {file.metadata_hashes}",
                *(f"computed {name}:{digest}" for name, digest in sorted(computed.items())),
            ),
            hint="the index or a proxy in between serves a wrong file",
        )


def _read_if_there(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


@contextmanager
def _explained(what: str, url: str) -> Iterator[None]:
    """Turn an error of a local file into one that names it."""
    try:
        yield
    except OSError as error:
        code = "not-found" if isinstance(error, FileNotFoundError) else "index-unreachable"
        message = f"could not read {what}: {error.strerror}"
        raise NetworkError(message, code=code, context=(f"from {redact_url(url)}",)) from error
