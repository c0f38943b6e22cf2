"""Turn what an HTTP library or a server says into errors with a name, and tell what may pass from what will not."""

from __future__ import annotations

import email.utils
import re
import socket
import ssl
import time
import urllib.parse
from http import HTTPStatus
from typing import TYPE_CHECKING

from ..errors import NetworkError
from ..redact import redact_url
from ._httpx import httpx
from .auth import variable_name
from .patience import PassingError

if TYPE_CHECKING:
    from collections.abc import Iterator

# Overload, gateways and proxies that could not reach what is behind them; 520 to 530 are a CDN's names for the same.
_PASSING_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504, *range(520, 531)})
_PROXY_HINT = "check --proxy and the proxy variables; user name and password belong into the proxy's URL"


def status_failure(response: httpx.Response, *, what: str, url: str) -> NetworkError | PassingError:
    """Return what an answer other than the wanted one means.

    :param what: what was being read, such as ``the page of demo``.
    :param url: as it was asked first; redacted here.
    """
    status = response.status_code
    said = f"{status} {response.reason_phrase or _phrase(status)}".strip()
    message = f"could not read {what}: the server answered {said}"
    context = _facts(url, str(response.url))
    if status in {401, 403, 407}:
        return NetworkError(message, code="index-unauthorized", context=context, hint=_login_hint(status, url))
    if status == HTTPStatus.NOT_FOUND:
        hint = "check the URL; a lock may name a file that the index no longer has"
        return NetworkError(message, code="not-found", context=context, hint=hint)
    retry_after = _retry_after(response.headers.get("Retry-After"))
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        hint = "the index limits requests: wait, raise --retry-budget, or lower --concurrent-downloads"
        error = NetworkError(message, code="rate-limited", context=context, hint=hint)
    else:
        hint = "the index is at fault or overloaded: try again later, or raise --retry-budget"
        error = NetworkError(message, code="server-error", context=context, hint=hint)
    if status in _PASSING_STATUSES:
        return PassingError(error, reason=f"the server answered {said}", retry_after=retry_after)
    return error


def transport_failure(error: Exception, *, what: str, url: str, received: int = 0) -> NetworkError | PassingError:
    """Return what an exception of the HTTP library means.

    :param received: bytes of the body that had arrived.
    """
    reason = _reason(error, received)
    message = f"could not read {what}: {reason}"
    context = _facts(url)
    chain = list(_chain(error))
    if any(isinstance(link, ssl.SSLCertVerificationError) for link in chain):
        hint = (
            "name your company's CA file with --cert, or, if you must, exempt the host with --trusted-host "
            f"{urllib.parse.urlsplit(url).hostname}"
        )
        return NetworkError(message, code="certificate-invalid", context=context, hint=hint)
    if isinstance(error, (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError)):
        return NetworkError(message, code="invalid-url", context=context, hint="check the URL")
    if isinstance(error, httpx.TooManyRedirects):
        return NetworkError(message, code="too-many-redirects", context=context, hint="check the URL")
    if isinstance(error, httpx.ProxyError) and re.match(r"4\d\d ", str(error)):
        # The answer to CONNECT; the library makes it an exception. What a proxy denies, it will deny again.
        code = "index-unauthorized" if str(error).startswith("407") else "index-unreachable"
        message = f"could not read {what}: the proxy answered {reason}"
        return NetworkError(message, code=code, context=context, hint=_PROXY_HINT)
    if isinstance(error, (httpx.RemoteProtocolError, httpx.DecodingError)) or received:
        code, hint = "truncated-body", "a proxy or the server cuts connections: try again, or raise --retry-budget"
    else:
        code, hint = "index-unreachable", "check the URL, the proxy settings and whether this machine may connect there"
    failure = NetworkError(message, code=code, context=context, hint=hint)
    if any(isinstance(link, socket.gaierror) and link.errno == socket.EAI_NONAME for link in chain):
        # The name server answered that there is no such name; a failing name server says EAI_AGAIN instead.
        return failure
    return PassingError(failure, reason=reason)


def raise_status(response: httpx.Response, *, what: str, url: str) -> None:
    """Raise `status_failure` unless the answer is a success (2xx)."""
    if not response.is_success:
        raise status_failure(response, what=what, url=url)


def _reason(error: Exception, received: int) -> str:
    """Say in words what happened; some of the library's exceptions have no text at all."""
    so_far = f" after {received:,} bytes" if received else ""
    if isinstance(error, httpx.ConnectTimeout):
        return "no connection could be made in time"
    if isinstance(error, httpx.TimeoutException):
        return f"the connection stalled{so_far}: nothing came for the length of --timeout"
    if isinstance(error, httpx.RemoteProtocolError):
        return f"the connection was closed before the answer was complete{so_far}"
    text = redact_url(str(error)) or type(error).__name__
    return f"{text}{so_far}" if received else text


def _facts(url: str, final: str | None = None) -> tuple[str, ...]:
    facts = [f"from {redact_url(url)}"]
    if final is not None and redact_url(final) != redact_url(url):
        facts.append(f"redirected to {redact_url(final)}")
    return tuple(facts)


def _login_hint(status: int, url: str) -> str:
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return _PROXY_HINT
    if status == HTTPStatus.FORBIDDEN:
        return "these credentials may not read it: check the token's rights, or whether the index needs other ones"
    return (
        f"give credentials by the variable {variable_name(url)}=user:password, a netrc file, the keyring, "
        "or in the index URL"
    )


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _retry_after(value: str | None) -> float | None:
    """Read a Retry-After header: seconds or a date (RFC 9110 section 10.2.3). Seconds from now, not negative."""
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, moment.timestamp() - time.time())


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
