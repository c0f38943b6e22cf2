"""Keep secrets out of everything that is printed, logged or stored."""

from __future__ import annotations

import re
from urllib.parse import unquote

# Credentials in a URL (RFC 3986 section 3.2.1), anywhere in a text. A lone user name may itself be a token.
_USERINFO = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)(?P<login>[^/?#\s'\"]*)@")
# Query parameters that carry signatures or tokens on the object stores and registries that jobs meet.
_QUERY_SECRET = re.compile(
    r"(?P<name>[?&](?:[^=&#\s]*(?:token|signature|secret|password|credential|api[-_]?key)[^=&#\s]*|sig)=)"
    r"(?P<secret>[^&#\s'\"]+)",
    re.IGNORECASE,
)
# What GitHub takes as the password beside a token in the place of the user.
_NO_PASSWORD = "x-oauth-basic"  # noqa: S105 - it is none
# A shorter text is in too many words of a log to be hidden there, and worth little.
_SHORTEST_SECRET = 4


def redact_url(text: str) -> str:
    """Return *text* with the credentials of every URL in it replaced by ``***``."""
    return _QUERY_SECRET.sub(r"\g<name>***", _USERINFO.sub(r"\g<scheme>***@", text))


def secrets_in(text: str) -> set[str]:
    """Return the secrets of the URLs in *text*, as written and decoded: passwords, tokens in the place of a user."""
    found = {match["secret"] for match in _QUERY_SECRET.finditer(text)}
    for match in _USERINFO.finditer(text):
        user, _, password = match["login"].partition(":")
        if password and password != _NO_PASSWORD:
            found.add(password)
        elif "ssh" not in match["scheme"]:
            found.add(user)
    return {form for secret in found for form in (secret, unquote(secret)) if len(form) >= _SHORTEST_SECRET}
