"""Read pages, parts of files and whole files over HTTP, through every failure that passes.

One pool of connections serves all threads. Redirects are followed here and not by the library, so that credentials are
looked up for each host and those of one origin are never sent to another. Time-outs bound the time *without progress*:
a slow download that moves goes on. Content is streamed; no file is ever whole in memory.
"""

from __future__ import annotations

import base64
import threading
import time
import urllib.parse
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Literal, TypeVar

from .. import __version__
from ..errors import NetworkError
from ..redact import redact_url
from ._httpx import httpx
from .auth import origin_of, split_login
from .connections import Connections
from .failures import raise_status, transport_failure
from .files import ACCEPT, is_page_type
from .patience import PassingError, Patience
from .ranges import Piece
from .tls import trusting_context, verifying_context
from .transfer import Transfer, content_range

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from ..events import EventSink
    from .auth import Credentials, Login
    from .settings import IndexSettings
    from .transfer import Downloaded

T = TypeVar("T")

_MOST_REDIRECTS = 20
_MOST_PAGE_BYTES = 256 << 20
# What is left of an answer that nobody wants is read up to here, so that its connection can be used again.
_MOST_DRAINED_BYTES = 64 << 10
# A try that brought at least this much gives the operation its whole retry budget again.
_PROGRESS_BYTES = 256 << 10
# Seconds. A host that does not answer to a connection for so long is not there, however slow its answers may be.
_CONNECT_TIMEOUT = 15.0
_IDENTITY = {"Accept-Encoding": "identity"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PageAnswer:
    """What an index answered to the request for a page.

    :param outcome: ``unknown`` is a 404, ``unchanged`` a 304.
    :param url: where it came from in the end, without credentials.
    :param headers: names in lower case.
    """

    outcome: Literal["found", "unchanged", "unknown"]
    url: str
    headers: Mapping[str, str]
    body: bytes = b""


class HttpClient:
    """Requests of one call; safe to use from many threads. `close` ends what other threads are waiting for.

    :raises InputError: ``certificate-unreadable``, when made.
    """

    def __init__(
        self,
        settings: IndexSettings,
        credentials: Credentials,
        sink: EventSink,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._credentials = credentials
        self._sink = sink
        self._clock = clock
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._connections = Connections()
        self._without_ranges: set[tuple[str, str, int | None]] = set()
        self._trusted = frozenset(host.lower() for host in settings.trusted_hosts)
        self._client = self._make_client(verify=True)
        self._trusting_client = self._make_client(verify=False) if self._trusted else self._client

    def get_page(
        self, url: str, *, what: str, index: str | None = None, validators: Mapping[str, str] | None = None
    ) -> PageAnswer:
        """Read a page of an index.

        :param what: the page, for messages, such as ``the page of demo``.
        :param validators: headers If-None-Match and If-Modified-Since of a version that we have.
        :raises NetworkError: any answer but 200, 304 and 404, or none at all, after all retries.
        """

        def attempt() -> PageAnswer:
            headers = {"Accept": ACCEPT, "Cache-Control": "max-age=0", **(validators or {})}
            with self._answer(url, headers, what=what, index=index) as response:
                final = split_login(str(response.url))[2]
                if response.status_code == httpx.codes.NOT_FOUND:
                    return PageAnswer(outcome="unknown", url=final, headers=_plain_headers(response))
                if response.status_code == httpx.codes.NOT_MODIFIED and validators:
                    return PageAnswer(outcome="unchanged", url=final, headers=_plain_headers(response))
                raise_status(response, what=what, url=url)
                if not is_page_type(response.headers.get("Content-Type", "")):
                    raise _wrong_content_type(response, what=what, url=url)
                body = self._read_all(response, limit=_MOST_PAGE_BYTES, what=what, url=url)
                return PageAnswer(outcome="found", url=final, headers=_plain_headers(response), body=body)

        return self._retried(attempt, what)

    def read_file(self, url: str, *, what: str, limit: int, index: str | None = None) -> bytes | None:
        """Read a small file whole; None when the server does not have it.

        :param limit: bytes, above which it is refused.
        :raises NetworkError: it could not be read.
        """

        def attempt() -> bytes | None:
            with self._answer(url, _IDENTITY, what=what, index=index) as response:
                if response.status_code == httpx.codes.NOT_FOUND:
                    return None
                raise_status(response, what=what, url=url)
                return self._read_all(response, limit=limit, what=what, url=url)

        return self._retried(attempt, what)

    def read_range(self, url: str, span: str, *, what: str, index: str | None = None) -> Piece | None:
        """Read a part of a file; None when the server does not do that, which is remembered for its origin.

        :param span: as in a Range header: ``first-last``, or ``-count`` for the end.
        :raises NetworkError: it could not be read at all.
        """
        if origin_of(url) in self._without_ranges:
            return None

        def attempt() -> Piece | None:
            headers = {**_IDENTITY, "Range": f"bytes={span}"}
            with self._answer(url, headers, what=what, index=index) as response:
                if response.status_code != httpx.codes.PARTIAL_CONTENT:
                    if response.is_success or response.status_code in {405, 416, 501}:
                        return None
                    raise_status(response, what=what, url=url)
                start_total = content_range(response)
                if start_total is None or "Content-Encoding" in response.headers:
                    return None
                first, last, total = start_total
                body = self._read_all(response, limit=last - first + 1, what=what, url=url)
                return Piece(first, body, total) if len(body) == last - first + 1 else None

        piece = self._retried(attempt, what)
        if piece is None:
            with self._lock:
                self._without_ranges.add(origin_of(url))
        return piece

    def download(
        self,
        url: str,
        target: BinaryIO,
        *,
        what: str,
        algorithms: Collection[str],
        size: int | None = None,
        index: str | None = None,
        on_bytes: Callable[[int], None] = lambda _count: None,
    ) -> Downloaded:
        """Write a file to *target*, going on where a broken connection left off.

        :param target: seekable, empty; stays the caller's. After an error it holds a part of the file.
        :param algorithms: names of `hashlib` to compute.
        :param size: bytes that the index announced; another size is refused.
        :param on_bytes: told how many bytes came; a negative number when they have to come again.
        :raises NetworkError: it could not be read, after all retries.
        :raises IntegrityError: ``size-mismatch``.
        :raises StoreError: *target* could not be written (``disk-full`` and its like).
        """
        transfer = Transfer(target, algorithms, on_bytes, what=what, url=url, announced=size)
        patience = self._patience(what)
        while True:
            before = transfer.received
            try:
                self._continue(transfer, index=index)
            except PassingError as failure:
                if transfer.received - before >= _PROGRESS_BYTES:
                    patience.progressed()
                patience.wait(failure)
            else:
                return transfer.result()

    def close(self) -> None:
        """End every request that other threads are waiting for, and all connections."""
        self._closed.set()
        self._connections.end()
        self._client.close()
        self._trusting_client.close()

    def _make_client(self, *, verify: bool) -> httpx.Client:
        settings = self._settings
        context = (
            verifying_context(settings.cert, settings.client_cert) if verify else trusting_context(settings.client_cert)
        )
        try:
            return httpx.Client(
                verify=context,
                # The library's own reading of proxy variables and, on Windows, of the registry.
                trust_env=settings.proxy is None,
                proxy=settings.proxy,
                timeout=httpx.Timeout(settings.timeout, connect=min(settings.timeout, _CONNECT_TIMEOUT), pool=None),
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=32),
                headers={"User-Agent": f"safe-install/{__version__}"},
            )
        except (ValueError, httpx.InvalidURL) as error:
            message = f"could not use the proxy {redact_url(settings.proxy or '')}: {redact_url(str(error))}"
            raise NetworkError(message, code="invalid-url", hint="check --proxy and the proxy variables") from None

    def _client_for(self, url: str) -> httpx.Client:
        parts = urllib.parse.urlsplit(url)
        names = {parts.hostname or "", f"{parts.hostname}:{origin_of(url)[2]}"}
        return self._trusting_client if names & self._trusted else self._client

    def _patience(self, what: str) -> Patience:
        return Patience(
            f"read {what}",
            budget=self._settings.retry_budget,
            sink=self._sink,
            sleep=self._sleep,
            clock=self._clock,
        )

    def _sleep(self, seconds: float) -> None:
        if self._closed.wait(seconds):
            raise stopped_error()

    def _retried(self, attempt: Callable[[], T], what: str) -> T:
        patience = self._patience(what)
        while True:
            try:
                return attempt()
            except PassingError as failure:
                patience.wait(failure)

    @contextmanager
    def _answer(
        self, url: str, headers: Mapping[str, str], *, what: str, index: str | None
    ) -> Iterator[httpx.Response]:
        """Send a GET request; yield the answer that is no redirect, its body not yet read.

        What the library raises inside the block becomes a `PassingError` or a `NetworkError`.
        """
        response = None
        try:
            response = self._send(url, headers, index)
            yield response
            _drain(response)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            if self._closed.is_set():
                raise stopped_error() from None
            received = response.num_bytes_downloaded if response is not None else 0
            raise transport_failure(error, what=what, url=url, received=received) from error
        except (NetworkError, PassingError):
            if response is not None:
                _drain(response)
            raise
        finally:
            if response is not None:
                response.close()

    def _send(self, url: str, headers: Mapping[str, str], index: str | None) -> httpx.Response:
        """Follow redirects, and answer one 401 for each hop with what the keyring knows."""
        for _hop in range(_MOST_REDIRECTS):
            _check_url(url)
            response = self._send_once(url, headers, self._credentials.known(url, index=index))
            if response.status_code == httpx.codes.UNAUTHORIZED:
                login = self._credentials.after_refusal(url, index=index)
                if login is not None:
                    _discard(response)
                    response = self._send_once(url, headers, login)
            if not response.has_redirect_location:
                return response
            _discard(response)
            url = urllib.parse.urljoin(url, response.headers["Location"])
        raise httpx.TooManyRedirects(f"more than {_MOST_REDIRECTS} redirects")

    def _send_once(self, url: str, headers: Mapping[str, str], login: Login | None) -> httpx.Response:
        if self._closed.is_set():
            raise stopped_error()
        plain = split_login(url)[2]
        client = self._client_for(plain)
        request = client.build_request("GET", plain, headers=headers, extensions={"trace": self._connections.trace})
        if login is not None:
            token = base64.b64encode(f"{login.user}:{login.password}".encode()).decode("ascii")
            request.headers["Authorization"] = f"Basic {token}"
        return client.send(request, stream=True, follow_redirects=False)

    def _read_all(self, response: httpx.Response, *, limit: int, what: str, url: str) -> bytes:
        parts, size = [], 0
        for chunk in response.iter_bytes():
            size += len(chunk)
            if size > limit:
                message = f"could not read {what}: it is larger than {limit:,} bytes"
                raise NetworkError(message, code="too-large", context=(f"from {redact_url(url)}",))
            parts.append(chunk)
        return b"".join(parts)

    def _continue(self, transfer: Transfer, *, index: str | None) -> None:
        """Make one request for what is missing, and write it.

        Bodies are taken as they were sent (`iter_raw`): some servers mark a ``.tar.gz`` as gzip-encoded, and
        unpacking it on the way would give other bytes than the digest was made of.
        """
        headers = {**_IDENTITY, **transfer.resume_headers()}
        with self._answer(transfer.url, headers, what=transfer.what, index=index) as response:
            if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE and transfer.received:
                transfer.restart()
                raise transfer.broken("the server would not continue it")
            raise_status(response, what=transfer.what, url=transfer.url)
            if response.headers.get("Content-Type", "").lower().startswith("text/html"):
                raise _wrong_content_type(response, what=transfer.what, url=transfer.url)
            transfer.begin(response)
            for chunk in response.iter_raw():
                if self._closed.is_set():
                    raise stopped_error()
                transfer.write(chunk)
            transfer.finish(response)


def _check_url(url: str) -> None:
    """Raise the library's errors for what is no URL, or one of another kind, wherever it comes from."""
    try:
        scheme = origin_of(url)[0]
    except ValueError as error:
        raise httpx.InvalidURL(str(error)) from None
    if scheme not in {"http", "https"}:
        raise httpx.UnsupportedProtocol(f"{redact_url(url)} is not an http or https URL")


def _drain(response: httpx.Response) -> None:
    """Read the little that may be left, so that the connection can be used again; then close."""
    if not response.is_stream_consumed and not response.is_closed:
        with suppress(httpx.HTTPError, OSError):  # the answer's meaning is known; a broken rest changes nothing
            left = _MOST_DRAINED_BYTES
            for chunk in response.iter_raw():
                left -= len(chunk)
                if left < 0:
                    break
    response.close()


_discard = _drain


def _plain_headers(response: httpx.Response) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


def _wrong_content_type(response: httpx.Response, *, what: str, url: str) -> NetworkError:
    kind = response.headers.get("Content-Type", "nothing")
    return NetworkError(
        f"could not read {what}: the server sent {kind!r}, which is not what an index or a file server sends",
        code="wrong-content-type",
        context=(f"from {redact_url(url)}",),
        hint="check the URL (does it end in /simple?), and whether a proxy or a sign-in page answers in between",
    )


def stopped_error() -> NetworkError:
    """Return the error of whoever still reads after `HttpClient.close`."""
    return NetworkError("reading was stopped, because this run is ending", code="stopped")
