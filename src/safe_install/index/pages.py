"""Pages of indexes, kept in the store between calls.

A page is used again without asking while the index's ``Cache-Control: max-age`` allows it, but ten minutes at most;
after that it is confirmed with its validators (ETag, Last-Modified). That an index does not know a project is kept too,
but believed only offline. The key of a page includes the identity of the credentials it was read with (design
section 5), so nobody is shown a private page through somebody else's cache.

Of many processes that need a whole page at one time, one reads it (RFC 9111, section 4, "collapsing requests"): what
was read after a call began is as new as what that call would read itself, unless it must not be kept at all.
"""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from ..errors import NetworkError
from ..events import Fetched
from ..models import Digest
from ..redact import redact_url
from ..store.documents import CachedPage
from .auth import split_login

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..events import EventSink
    from ..store.flight import Flights
    from .auth import Credentials, Login
    from .http import HttpClient, PageAnswer

# Package indexes allow about ten minutes; a proxy that says "a year" would hide new releases.
_LONGEST_FRESH_SECONDS = 600.0
# Most small answers come within that, and a line for each of many would say nothing.
QUIET_SECONDS = 5.0
# What keys are made of; another number is another key, so a release that reads pages differently starts anew.
_KEY_FORMAT = "page-1"


class PageStore(Protocol):
    """Where pages are kept; `safe_install.store.store.Store` is one."""

    def page(self, key: Digest) -> CachedPage | None:
        """Return the newest valid version."""

    def publish_page(self, key: Digest, page: CachedPage) -> object:
        """Keep a version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page to be parsed. :param url: where it came from in the end, without credentials."""

    url: str
    content_type: str
    body: bytes


class Pages:
    """Reads pages through the store. Safe to use from many threads.

    :param http: returns the client; called only when the network is needed.
    :param flights: let one process of many read a page; without them each reads it.
    :param now: seconds since 1970.
    """

    def __init__(
        self,
        http: Callable[[], HttpClient],
        store: PageStore | None,
        credentials: Credentials,
        sink: EventSink,
        *,
        offline: bool,
        flights: Callable[[], Flights] | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._http = http
        self._store = store
        self._credentials = credentials
        self._sink = sink
        self._offline = offline
        self._flights = flights
        self._now = now
        self._began = now()
        self._identities: dict[Login, str] = {}

    def get(self, url: str, *, what: str, index: str | None = None) -> Page | None:
        """Return a page; None when the server does not have it (404).

        :param what: for messages, such as ``the page of demo``.
        :raises NetworkError: it could not be read; ``offline`` when it is not kept and the network is forbidden.
        """
        key = self._key(url, index)
        kept = self._store.page(key) if self._store is not None else None
        if self._offline:
            if kept is None and self._store is not None and self._credentials.after_refusal(url, index=index):
                # Read, when there was a network, with what the keyring gave after a 401.
                kept = self._store.page(self._key(url, index))
            if kept is None:
                raise offline_error(what, url)
            return _page(kept)
        if kept is not None and kept.content_type and kept.fetched <= self._now() < kept.fresh_until:
            return _page(kept)
        if self._flights is None or _validators(kept):
            return _page(self._read(url, what, index, kept))
        landed = self._flights().get(
            "page",
            key,
            what=what,
            look=lambda: self._read_since(key),
            make=lambda _flight: self._read(url, what, index, kept),
            queue=False,
            quiet=QUIET_SECONDS,
        )
        return _page(landed.value)

    def _read_since(self, key: Digest) -> CachedPage | None:
        """The page as another process has read it after this call began."""
        kept = self._store.page(key) if self._store is not None else None
        return kept if kept is not None and self._began < kept.fetched <= self._now() else None

    def _read(self, url: str, what: str, index: str | None, kept: CachedPage | None) -> CachedPage:
        """Ask the index, and keep what it says. :param kept: what was said before."""
        answer = self._http().get_page(url, what=what, index=index, validators=_validators(kept))
        self._sink(Fetched(what="page", bytes=len(answer.body)))
        # The keyring may have been asked on the way, so the key is made again.
        return self._keep(self._key(url, index), kept, answer)

    def _keep(self, key: Digest, kept: CachedPage | None, answer: PageAnswer) -> CachedPage:
        control = answer.headers.get("cache-control", "").lower()
        now = self._now()
        fresh_until = now + _fresh_seconds(control, answer.headers.get("age"))
        if answer.outcome == "unchanged" and kept is not None:
            if fresh_until > now:
                self._publish(key, replace(kept, fetched=now, fresh_until=fresh_until))
            return kept
        found = CachedPage(
            url=answer.url,
            content_type=answer.headers.get("content-type", "") if answer.outcome == "found" else "",
            body=answer.body,
            etag=answer.headers.get("etag"),
            last_modified=answer.headers.get("last-modified"),
            fetched=now,
            fresh_until=fresh_until,
        )
        known_as_unknown = not found.content_type and kept is not None and not kept.content_type
        if "no-store" not in control and not known_as_unknown:
            self._publish(key, found)
        return found

    def _publish(self, key: Digest, page: CachedPage) -> None:
        if self._store is not None:
            self._store.publish_page(key, page)

    def _key(self, url: str, index: str | None) -> Digest:
        login = self._credentials.known(url, index=index)
        identity = ""
        if login is not None:
            if login not in self._identities:
                self._identities[login] = login.identity()
            identity = self._identities[login]
        text = "\n".join((_KEY_FORMAT, split_login(url)[2], identity))
        return Digest(hashlib.sha256(text.encode()).hexdigest())


def offline_error(what: str, url: str) -> NetworkError:
    """Return the error for something that only the network has, when that is forbidden."""
    return NetworkError(
        f"could not read {what}: it is not in the store, and --offline forbids the network",
        code="offline",
        context=(f"from {redact_url(url)}",),
        hint="run once without --offline (ci-install fetch) to fill the store",
    )


def _page(kept: CachedPage) -> Page | None:
    """An empty content type stands for "not known there"."""
    if not kept.content_type:
        return None
    return Page(url=kept.url, content_type=kept.content_type, body=kept.body)


def _validators(kept: CachedPage | None) -> Mapping[str, str]:
    if kept is None or not kept.content_type:
        return {}
    pairs = {"If-None-Match": kept.etag, "If-Modified-Since": kept.last_modified}
    return {name: value for name, value in pairs.items() if value}


def _fresh_seconds(control: str, age: str | None) -> float:
    """How long a page may be used without asking, by its Cache-Control and Age headers (RFC 9111)."""
    match = re.search(r"(?:^|[\s,])max-age=\"?(\d+)", control)
    if match is None or "no-cache" in control or "no-store" in control:
        return 0.0
    spent = int(age) if age is not None and age.isascii() and age.isdigit() else 0
    return min(max(0.0, float(int(match[1]) - spent)), _LONGEST_FRESH_SECONDS)
