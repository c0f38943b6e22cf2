"""Small files of a store that carry their own checksum: JSON documents and index pages.

A file that was cut short or filled with zeros by a crash reads as nothing, not as something else.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedPage:
    """An index page as it was last read.

    :param url: where from, without credentials.
    :param content_type: as the server said, with its parameters.
    :param etag: and *last_modified*: validators for the next request.
    :param fetched: when it was read or last confirmed, in seconds since 1970.
    :param fresh_until: until when it may be used without asking, in seconds since 1970.
    """

    url: str
    content_type: str
    body: bytes
    etag: str | None = None
    last_modified: str | None = None
    fetched: float = 0.0
    fresh_until: float = 0.0


def encode_document(document: dict[str, Any]) -> bytes:
    """Return the bytes of a document file, the same for equal documents."""
    body = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f'{{"sha256":"{_digest(body.encode())}","document":{body}}}\n'.encode()


def decode_document(data: bytes) -> dict[str, Any] | None:
    """Return the document in *data*; None when it is damaged."""
    try:
        envelope = json.loads(data)
        document = envelope["document"]
        return document if isinstance(document, dict) and encode_document(document) == data else None
    except (ValueError, TypeError, KeyError):
        return None


def encode_page(page: CachedPage) -> bytes:
    """Return the bytes of a page file: one line of JSON, then the body."""
    header = {**asdict(page), "body": {"sha256": _digest(page.body), "size": len(page.body)}}
    return encode_document(header) + page.body


def decode_page(data: bytes) -> CachedPage | None:
    """Return the page in *data*; None when it is damaged or of another release."""
    line, separator, body = data.partition(b"\n")
    header = decode_document(line + separator)
    if header is None or header.get("body") != {"sha256": _digest(body), "size": len(body)}:
        return None
    try:
        return CachedPage(**{**header, "body": body})
    except TypeError:
        return None


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
