"""A package index on this machine that tests fill with files, watch, and make misbehave on demand.

::

    with LocalIndex() as index:
        index.add("demo-1.0-py3-none-any.whl", make_wheel(...))
        client = ...(index_url=index.url)
        index.fail(status=503, path="/simple/demo/", times=2, headers={"Retry-After": "1"})
        assert index.count("/files/*.whl") == 1

Several indexes live on one server: ``index.add(..., root="simple-b")`` is found below ``index.root("simple-b")``.
Everything is served from memory; a test that wants a proxy may point one here (absolute request targets work).
"""

from __future__ import annotations

import base64
import fnmatch
import hashlib
import html
import io
import json
import os
import re
import socket
import struct
import threading
import urllib.parse
import zipfile
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self

import pytest

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator, Mapping
    from types import TracebackType

JSON_TYPE = "application/vnd.pypi.simple.v1+json"
HTML_TYPE = "text/html; charset=utf-8"
DEFAULT_ROOT = "simple"
_GATE_LOOK = 0.05  # seconds


class Request(NamedTuple):
    """One request as it came in. :param path: without host and query."""

    method: str
    path: str
    headers: Mapping[str, str]


@dataclass(kw_only=True)
class Offered:
    """One file of an index and what its pages say of it."""

    filename: str
    data: bytes
    project: str
    yanked: str | bool | None = None
    requires_python: str | None = None
    upload_time: str | None = None
    metadata: bytes | None = None
    hashes: bool = True
    size: bool = True

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


@dataclass(kw_only=True)
class Fault:
    """What goes wrong with the next *times* requests whose path matches *path*.

    :param method: only requests of this method, where given.
    :param status: answer with this instead of the real answer.
    :param headers: put on top of the answer's own.
    :param body: instead of the real body.
    :param cut_after: send so many bytes of the body (announcing all), then close.
    :param stall_after: send so many bytes of the body, then nothing until the index closes.
    :param gate: end the stall, and send the rest, when this is set.
    :param reset: reset the connection before answering.
    :param pause: seconds before the answer, and between pieces of *piece* bytes.
    """

    path: str = "*"
    method: str | None = None
    times: int = 1
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    cut_after: int | None = None
    stall_after: int | None = None
    gate: threading.Event | None = None
    reset: bool = False
    pause: float = 0.0
    piece: int | None = None


class LocalIndex:
    """A simple index (PEP 503, 691, 700, 592, 658, 714) on 127.0.0.1 for as long as the ``with`` block runs.

    Attributes that a test may set at any time:

    :ivar form: ``negotiate`` by the Accept header, or always ``json`` or ``html``.
    :ivar ranges: whether Range requests are honoured (else answered with 200 and everything).
    :ivar etags: whether pages and files carry an ETag, and If-None-Match is answered with 304.
    :ivar cache_control: the Cache-Control header of pages.
    :ivar credentials: user name and password that every request must bring (basic authentication).
    :ivar requests: every request so far, in the order of arrival.
    :ivar bytes_sent: bytes of bodies sent, by path.
    :ivar connections: connections accepted so far.
    """

    def __init__(
        self,
        *,
        form: Literal["negotiate", "json", "html"] = "negotiate",
        ranges: bool = True,
        etags: bool = True,
        cache_control: str | None = None,
        credentials: tuple[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.form = form
        self.ranges = ranges
        self.etags = etags
        self.cache_control = cache_control
        self.credentials = credentials
        self.requests: list[Request] = []
        self.bytes_sent: Counter[str] = Counter()
        self.connections = 0
        self._tls = tls
        self._roots: dict[str, dict[str, list[Offered]]] = {DEFAULT_ROOT: {}}
        self._fixed: dict[str, tuple[str, bytes]] = {}
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._server: _Server | None = None

    def __enter__(self) -> Self:
        self._server = _Server(self, self._tls)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), name="local-index")
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._closing.set()
        self._server.shutdown()
        self._server.drop_connections()
        self._server.server_close()
        self._thread.join()

    @property
    def base(self) -> str:
        """``http://127.0.0.1:port``, without a slash at the end."""
        assert self._server is not None, "use it as a context manager"
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        """The URL of the default index."""
        return self.root(DEFAULT_ROOT)

    def root(self, name: str, *, login: str | None = None) -> str:
        """The URL of one of the indexes, which exists from now on. :param login: ``user:password`` to put in."""
        self._roots.setdefault(name, {})
        base = self.base if login is None else self.base.replace("://", f"://{login}@")
        return f"{base}/{name}/"

    def links(self, name: str = DEFAULT_ROOT) -> str:
        """The URL of a page for ``--find-links`` with all files of one index."""
        return f"{self.base}/links/{name}.html"

    def file_url(self, filename: str, *, root: str = DEFAULT_ROOT) -> str:
        """The URL of one file."""
        return f"{self.base}{_file_path(root, filename)}"

    def add(
        self,
        filename: str,
        data: bytes,
        *,
        root: str = DEFAULT_ROOT,
        project: str | None = None,
        yanked: str | bool | None = None,
        requires_python: str | None = None,
        upload_time: str | None = None,
        metadata: bool | bytes = True,
        hashes: bool = True,
        size: bool = True,
    ) -> Offered:
        """Offer a file; one of the same name is replaced.

        :param project: the project's name, else it is read from the file name.
        :param upload_time: as it stands in the page, such as ``2024-01-02T03:04:05.678901Z``.
        :param metadata: True serves a wheel's own METADATA (PEP 658), bytes serve those, False serves none.
        :param hashes: whether pages name the SHA-256. :param size: whether JSON pages name the size.
        """
        if metadata is True:
            metadata_bytes = _wheel_metadata(data) if filename.endswith(".whl") else None
        else:
            metadata_bytes = metadata or None
        offered = Offered(
            filename=filename,
            data=data,
            project=_normalize(project or filename.split("-", 1)[0]),
            yanked=yanked,
            requires_python=requires_python,
            upload_time=upload_time,
            metadata=metadata_bytes,
            hashes=hashes,
            size=size,
        )
        files = self._roots.setdefault(root, {}).setdefault(offered.project, [])
        files[:] = [*(known for known in files if known.filename != filename), offered]
        return offered

    def add_page(self, path: str, body: bytes, *, content_type: str = HTML_TYPE) -> str:
        """Serve *body* at *path* as it is; return its URL."""
        self._fixed[path] = (content_type, body)
        return self.base + path

    def fail(self, **what: Any) -> Fault:
        """Plan a `Fault` (its fields are the arguments); earlier plans come first."""
        fault = Fault(**what)
        with self._lock:
            self._faults.append(fault)
        return fault

    def count(self, path: str = "*", *, method: str | None = None) -> int:
        """How many requests came for paths that match the pattern *path*."""
        with self._lock:
            return sum(
                fnmatch.fnmatchcase(request.path, path) and method in {None, request.method}
                for request in self.requests
            )

    def forget(self) -> None:
        """Start counting anew."""
        with self._lock:
            self.requests.clear()
            self.bytes_sent.clear()
            self.connections = 0

    # What the handler asks.

    def note(self, request: Request) -> Fault | None:
        """Record a request; return what is planned to go wrong with it."""
        with self._lock:
            self.requests.append(request)
            for fault in self._faults:
                if (
                    fault.times > 0
                    and fnmatch.fnmatchcase(request.path, fault.path)
                    and fault.method in {None, request.method}
                ):
                    fault.times -= 1
                    return fault
        return None

    def note_sent(self, path: str, amount: int) -> None:
        """Record bytes of a body that went out."""
        with self._lock:
            self.bytes_sent[path] += amount

    def note_connection(self) -> None:
        """Record a connection."""
        with self._lock:
            self.connections += 1

    @property
    def is_closing(self) -> bool:
        """Whether the index is about to end."""
        return self._closing.is_set()

    def wait_for_close(self, seconds: float | None = None) -> None:
        """Do nothing for *seconds*, or until the index closes."""
        self._closing.wait(seconds)

    def content(self, path: str, accept: str) -> tuple[str, bytes] | None:
        """Content type and body of *path*; None when there is nothing."""
        if path in self._fixed:
            return self._fixed[path]
        parts = urllib.parse.unquote(path).strip("/").split("/")
        if parts[0] == "files" and len(parts) == 3:
            return self._file_content(parts[1], parts[2])
        if parts[0] == "links" and len(parts) == 2:
            projects = self._roots.get(parts[1].removesuffix(".html"), {})
            files = [file for group in projects.values() for file in group]
            return HTML_TYPE, _html_page(parts[1].removesuffix(".html"), files)
        if parts[0] in self._roots and len(parts) == 2 and path.endswith("/"):
            found = self._roots[parts[0]].get(parts[1])
            if found is None:
                return None
            if self.form == "json" or (self.form == "negotiate" and JSON_TYPE in accept):
                return JSON_TYPE, _json_page(parts[0], parts[1], found)
            return HTML_TYPE, _html_page(parts[0], found)
        return None

    def _file_content(self, root: str, name: str) -> tuple[str, bytes] | None:
        wanted = name.removesuffix(".metadata")
        for files in self._roots.get(root, {}).values():
            for file in files:
                if file.filename == name:
                    return "application/octet-stream", file.data
                if file.filename == wanted and file.metadata is not None:
                    return "application/octet-stream", file.metadata
        return None


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 64

    def __init__(self, index: LocalIndex, tls: ssl.SSLContext | None) -> None:
        self.index = index
        self._tls = tls
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)

    def finish_request(self, request: object, client_address: object) -> None:
        # In the connection's own thread, so that a slow TLS handshake holds up nobody else.
        assert isinstance(request, socket.socket)
        self.index.note_connection()
        with self._open_lock:
            self._open.add(request)
        try:
            if self._tls is None:
                _Handler(request, client_address, self)
                return
            with self._tls.wrap_socket(request.dup(), server_side=True) as secured:
                _Handler(secured, client_address, self)
        finally:
            with self._open_lock:
                self._open.discard(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up are what these tests are about."""

    def drop_connections(self) -> None:
        with self._open_lock:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass  # already gone


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def do_CONNECT(self) -> None:
        """What a proxy is asked for https; this one knows no host."""
        self._answer()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is the base class's
        """Say nothing."""

    def _answer(self) -> None:
        index = self.server.index
        path = urllib.parse.urlsplit(self.path).path
        fault = index.note(Request(self.command, path, dict(self.headers.items()))) or Fault()
        if fault.pause:
            index.wait_for_close(fault.pause)
        if fault.reset:
            self._reset()
        elif fault.status is not None:
            self._send(path, fault.status, dict(fault.headers), fault.body or b"", fault)
        elif index.credentials is not None and not self._is_authorized(index.credentials):
            self._send(path, 401, {"WWW-Authenticate": 'Basic realm="index"'}, b"who are you?", fault)
        else:
            self._serve(index, path, fault)

    def _serve(self, index: LocalIndex, path: str, fault: Fault) -> None:
        found = index.content(path, self.headers.get("Accept", ""))
        if found is None:
            self._send(path, 404, {}, b"nothing here", fault)
            return
        content_type, body = found
        headers = {"Content-Type": content_type}
        is_file = path.startswith("/files/")
        etag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        if index.etags:
            headers["ETag"] = etag
        if index.cache_control is not None and not is_file:
            headers["Cache-Control"] = index.cache_control
        if index.ranges and is_file:
            headers["Accept-Ranges"] = "bytes"
        if fault.body is not None:
            body = fault.body
        if index.etags and self.headers.get("If-None-Match") == etag:
            self._send(path, 304, {**headers, **fault.headers}, b"", fault)
            return
        start_end = self._range(len(body), etag) if index.ranges and is_file else None
        if start_end is None:
            self._send(path, 200, {**headers, **fault.headers}, body, fault)
            return
        start, end = start_end
        if start >= len(body):
            self._send(path, 416, {"Content-Range": f"bytes */{len(body)}"}, b"", fault)
            return
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{len(body)}"
        self._send(path, 206, {**headers, **fault.headers}, body[start:end], fault)

    def _range(self, length: int, etag: str) -> tuple[int, int] | None:
        if self.headers.get("If-Range") not in {None, etag}:
            return None
        match = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        if match is None:
            return None
        first, last = match.groups()
        if not first:
            return max(0, length - int(last)), length
        return int(first), min(length, int(last) + 1) if last else length

    def _is_authorized(self, credentials: tuple[str, str]) -> bool:
        expected = base64.b64encode(":".join(credentials).encode()).decode()
        return self.headers.get("Authorization") == f"Basic {expected}"

    def _send(self, path: str, status: int, headers: Mapping[str, str], body: bytes, fault: Fault) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        stop = min((mark for mark in (fault.cut_after, fault.stall_after) if mark is not None), default=len(body))
        piece = fault.piece or max(1, stop)
        for start in range(0, stop, piece):
            if start and fault.pause:
                self.server.index.wait_for_close(fault.pause)
            part = body[start : min(stop, start + piece)]
            # Counted before it is sent, so that who has read it also finds it counted.
            self.server.index.note_sent(path, len(part))
            self.wfile.write(part)
        if fault.gate is not None:
            while not fault.gate.wait(_GATE_LOOK) and not self.server.index.is_closing:
                pass
            self.server.index.note_sent(path, len(body) - stop)
            self.wfile.write(body[stop:])
            return
        if fault.stall_after is not None:
            self.server.index.wait_for_close()
        if stop < len(body):
            self.close_connection = True

    def _reset(self) -> None:
        self.connection.setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
        )
        self.close_connection = True
        self.rfile.close()
        self.connection.close()


def _file_path(root: str, filename: str) -> str:
    return f"/files/{root}/{urllib.parse.quote(filename)}"


def _normalize(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _wheel_metadata(data: bytes) -> bytes | None:
    """The METADATA of a wheel; None when it is too broken to say."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for name in archive.namelist():
                if name.count("/") == 1 and name.endswith(".dist-info/METADATA"):
                    return archive.read(name)
    except zipfile.BadZipFile:
        pass
    return None


def _json_page(root: str, project: str, files: list[Offered]) -> bytes:
    entries = []
    for file in files:
        entry: dict[str, object] = {
            "filename": file.filename,
            "url": f"../..{_file_path(root, file.filename)}",
            "hashes": {"sha256": file.sha256} if file.hashes else {},
        }
        if file.size:
            entry["size"] = len(file.data)
        if file.yanked is not None:
            entry["yanked"] = file.yanked
        if file.requires_python is not None:
            entry["requires-python"] = file.requires_python
        if file.upload_time is not None:
            entry["upload-time"] = file.upload_time
        if file.metadata is not None:
            entry["core-metadata"] = {"sha256": hashlib.sha256(file.metadata).hexdigest()}
        entries.append(entry)
    page = {"meta": {"api-version": "1.1"}, "name": project, "versions": [], "files": entries}
    return json.dumps(page).encode()


def _html_page(root: str, files: list[Offered]) -> bytes:
    lines = ["<!DOCTYPE html><html><head><meta name='pypi:repository-version' content='1.0'></head><body>"]
    for file in files:
        fragment = f"#sha256={file.sha256}" if file.hashes else ""
        attributes = {"href": _file_path(root, file.filename) + fragment}
        if file.yanked is not None and file.yanked is not False:
            attributes["data-yanked"] = "" if file.yanked is True else file.yanked
        if file.requires_python is not None:
            attributes["data-requires-python"] = file.requires_python
        if file.metadata is not None:
            attributes["data-core-metadata"] = f"sha256={hashlib.sha256(file.metadata).hexdigest()}"
        text = " ".join(f'{name}="{html.escape(value)}"' for name, value in attributes.items())
        lines.append(f"<a {text}>{html.escape(file.filename)}</a><br>")
    return "\n".join([*lines, "</body></html>"]).encode()


@pytest.fixture
def local_index() -> Iterator[LocalIndex]:
    """A running, empty index."""
    with LocalIndex() as index:
        yield index
