"""An index that gives everybody the same pages: each is read once from the real index, and kept.

Two tools that are compared ask for a page at different moments. In between, the index may have another answer: a new
release, or a page that was made anew without the times of uploads (seen on a mirror). Only pages pass through here; the
files that they link are fetched from where they are.
"""

from __future__ import annotations

import json
import ssl
import threading
import time
import urllib.parse
from collections import defaultdict
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, NamedTuple, Self

import httpx

from safe_install.index.files import ACCEPT, JSON_TYPE

if TYPE_CHECKING:
    from types import TracebackType

_PAUSES = (1.0, 5.0)  # seconds before a page is asked for again


class Answer(NamedTuple):
    status: int
    content_type: str
    body: bytes


class SamePages:
    """A context manager. :param index: the URL of the real index. :param cafile: certificates to trust there."""

    def __init__(self, index: str, *, cafile: str | None = None) -> None:
        self._index = index.rstrip("/")
        self._client = httpx.Client(
            verify=ssl.create_default_context(cafile=cafile),
            follow_redirects=True,
            timeout=60,
            headers={"Accept": ACCEPT},
        )
        self._answers: dict[str, Answer] = {}
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        pages = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                try:
                    answer = pages.answer(self.path)
                except httpx.HTTPError as error:
                    answer = Answer(HTTPStatus.BAD_GATEWAY, "text/plain", str(error).encode())
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.content_type)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}/simple"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._client.close()

    def answer(self, path: str) -> Answer:
        """What the index answered when the page was first asked for; errors are not kept."""
        with self._locks[path]:
            if path not in self._answers:
                answer = self._ask(self._index + path.removeprefix("/simple"))
                if answer.status not in {HTTPStatus.OK, HTTPStatus.NOT_FOUND}:
                    return answer
                self._answers[path] = answer
            return self._answers[path]

    def _ask(self, url: str) -> Answer:
        for pause in _PAUSES:
            try:
                got = self._client.get(url)
            except httpx.TransportError:
                time.sleep(pause)
                continue
            if got.status_code < 500:
                break
            time.sleep(pause)
        else:
            got = self._client.get(url)
        kind = got.headers.get("Content-Type", "")
        return Answer(got.status_code, kind, _with_full_links(got.content, kind, str(got.url)))


def _with_full_links(content: bytes, kind: str, url: str) -> bytes:
    """Let relative links lead where they did."""
    if kind.partition(";")[0] != JSON_TYPE:
        return content if b"<base " in content else f'<base href="{url}">'.encode() + content
    page = json.loads(content)
    for file in page["files"]:
        file["url"] = urllib.parse.urljoin(url, file["url"])
    return json.dumps(page).encode()
