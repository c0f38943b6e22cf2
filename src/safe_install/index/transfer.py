"""Take a file as it arrives: hash it, write it, know how to ask for the rest, and notice when something is missing."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, BinaryIO

from ..errors import IntegrityError, NetworkError
from ..fs.failures import explain
from ..redact import redact_url
from .patience import PassingError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    import httpx


@dataclass(frozen=True, slots=True, kw_only=True)
class Downloaded:
    """What was written. :param hashes: algorithm to lower-case hexadecimal digest."""

    size: int
    hashes: Mapping[str, str]


class Transfer:
    """A file that is being written, perhaps by more than one request."""

    def __init__(
        self,
        target: BinaryIO,
        algorithms: Collection[str],
        on_bytes: Callable[[int], None],
        *,
        what: str,
        url: str,
        announced: int | None,
    ) -> None:
        self.what = what
        self.url = url
        self.received = 0
        self._target = target
        self._algorithms = tuple(algorithms)
        self._on_bytes = on_bytes
        self._announced = announced
        self._validator: str | None = None
        self._hashes = self._new_hashes()

    def resume_headers(self) -> dict[str, str]:
        """Headers that ask for the rest of the same version (RFC 9110, If-Range), or for all of it."""
        if not self.received or self._validator is None:
            return {}
        return {"Range": f"bytes={self.received}-", "If-Range": self._validator}

    def begin(self, response: httpx.Response) -> None:
        """Take note of which version is coming, and from where on; start over if it is not the rest of ours."""
        if response.status_code == HTTPStatus.PARTIAL_CONTENT:
            found = content_range(response)
            if found is None or found[0] != self.received:
                self.restart()
                raise self.broken("the server sent another part than asked for")
            return
        if self.received:
            self.restart()
        etag = response.headers.get("ETag", "")
        self._validator = etag if etag.startswith('"') else response.headers.get("Last-Modified")

    def write(self, chunk: bytes) -> None:
        """Take a piece of the file."""
        self.received += len(chunk)
        if self._announced is not None and self.received > self._announced:
            raise self._wrong_size("more than that came")
        for function in self._hashes.values():
            function.update(chunk)
        try:
            self._target.write(chunk)
        except OSError as error:
            path = str(getattr(self._target, "name", "a temporary file"))
            raise explain(error, doing=f"write the download of {self.what}", path=path) from error
        self._on_bytes(len(chunk))

    def restart(self) -> None:
        """Throw away what came."""
        self._target.seek(0)
        self._target.truncate()
        self._on_bytes(-self.received)
        self.received = 0
        self._validator = None
        self._hashes = self._new_hashes()

    def finish(self, response: httpx.Response) -> None:
        """Check that nothing is missing after the last byte of a body."""
        if self._announced is None or self.received == self._announced:
            return
        if "Content-Length" in response.headers:
            # The server sent all that it has.
            raise self._wrong_size(f"the server has {self.received:,}")
        raise self.broken(f"it ended after {self.received:,} of {self._announced:,} bytes")

    def result(self) -> Downloaded:
        """Size and digests of what was written."""
        return Downloaded(
            size=self.received, hashes={name: function.hexdigest() for name, function in self._hashes.items()}
        )

    def broken(self, reason: str) -> PassingError:
        """The error for a body that did not arrive as it should."""
        error = NetworkError(
            f"could not read {self.what}: {reason}",
            code="truncated-body",
            context=(f"from {redact_url(self.url)}",),
            hint="a proxy or the server cuts connections: try again, or raise --retry-budget",
        )
        return PassingError(error, reason=reason)

    def _wrong_size(self, found: str) -> IntegrityError:
        return IntegrityError(
            f"{self.what} has another size than the index says: {self._announced:,} bytes, but {found}",
            code="size-mismatch",
            context=(f"from {redact_url(self.url)}",),
            hint="the index or a proxy in between serves a wrong file",
        )

    def _new_hashes(self) -> dict[str, hashlib._Hash]:
        return {name: hashlib.new(name, usedforsecurity=False) for name in self._algorithms}


def content_range(response: httpx.Response) -> tuple[int, int, int] | None:
    """First and last position, and total length, of a Content-Range header that tells all three."""
    match = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", response.headers.get("Content-Range", "").strip())
    if match is None:
        return None
    first, last, total = map(int, match.groups())
    return (first, last, total) if first <= last < total else None
