"""The cache service of GitHub, as its own client speaks with it: version 2, on this machine.

Three calls in JSON over HTTP (Twirp), and uploads and downloads at the addresses that they return, as a blob store takes them:
whole, or in blocks that a list puts in order. An entry that is there is never replaced. What differs: entries of another version
are found too. A version is a digest of the paths, and act gives each job another folder for temporary files.
"""

from __future__ import annotations

import http.server
import json
import re
import threading
import urllib.parse
from dataclasses import dataclass, field
from typing import Any, Self

_CALL = re.compile(r"/twirp/github\.actions\.results\.api\.v1\.CacheService/(\w+)")
_BLOCK = re.compile(r"<(?:Latest|Committed|Uncommitted)>([^<]+)</")


@dataclass
class Entry:
    """One entry. :param data: None as long as it is not uploaded. :param final: jobs may restore it."""

    key: str
    data: bytes | None = None
    blocks: dict[str, bytes] = field(default_factory=dict)
    final: bool = False


class CacheService:
    """A context manager that serves; `entries` in the order in which they were made."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._guard = threading.Lock()
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                call = _CALL.fullmatch(self.path)
                body = json.loads(self._body() or b"{}")
                with service._guard:
                    status, answer = service._answer(call[1] if call else "", body)
                self._reply(status, json.dumps(answer).encode(), "application/json")

            def do_PUT(self) -> None:
                body = self._body()
                with service._guard:
                    service._store(self._entry(), urllib.parse.urlsplit(self.path).query, body)
                self._reply(201, b"", "text/plain")

            def do_GET(self) -> None:
                data = self._entry().data or b""
                self._reply(200, data, "application/octet-stream")

            do_HEAD = do_GET  # noqa: N815 - named by http.server

            def _entry(self) -> Entry:
                return service.entries[int(urllib.parse.urlsplit(self.path).path.rsplit("/", 1)[1])]

            def _body(self) -> bytes:
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))

            def _reply(self, status: int, data: bytes, kind: str) -> None:
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                self.send_header("ETag", '"1"')
                self.send_header("x-ms-version", "2024-11-04")
                self.send_header("x-ms-request-id", "1")
                self.send_header("Last-Modified", "Fri, 20 Nov 2026 00:00:00 GMT")
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data)

            def log_message(self, *_arguments: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _answer(self, call: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if call == "GetCacheEntryDownloadURL":
            found = self._find([body["key"], *body.get("restore_keys", [])])
            if found is None:
                return 200, {"ok": False, "signed_download_url": "", "matched_key": ""}
            return 200, {"ok": True, "signed_download_url": self._place(found), "matched_key": found.key}
        named = [each for each in self.entries if each.key == body.get("key")]
        if call == "CreateCacheEntry":
            if named:
                return 409, {
                    "code": "already_exists",
                    "msg": "cache entry with the same key, version, and scope already exists",
                }
            self.entries.append(Entry(body["key"]))
            return 200, {"ok": True, "signed_upload_url": self._place(self.entries[-1])}
        if call == "FinalizeCacheEntryUpload" and named and named[0].data is not None:
            named[0].final = len(named[0].data) == int(body["size_bytes"])
            return 200, {"ok": named[0].final, "entry_id": str(self.entries.index(named[0]))}
        return 404, {"code": "bad_route", "msg": call}

    def _find(self, keys: list[str]) -> Entry | None:
        """The entry with the first key, else the newest whose key begins with one of them, in their order."""
        final = [each for each in self.entries if each.final]
        exact = [each for each in final if each.key == keys[0]]
        prefixed = [each for key in keys for each in reversed(final) if each.key.startswith(key)]
        return next(iter([*exact, *prefixed]), None)

    def _place(self, entry: Entry) -> str:
        return f"{self.url}blob/{self.entries.index(entry)}?sig=x"

    @staticmethod
    def _store(entry: Entry, query: str, body: bytes) -> None:
        options = dict(urllib.parse.parse_qsl(query))
        if options.get("comp") == "block":
            entry.blocks[options["blockid"]] = body
        elif options.get("comp") == "blocklist":
            entry.data = b"".join(entry.blocks[name] for name in _BLOCK.findall(body.decode()))
        else:
            entry.data = body
