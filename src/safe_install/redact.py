"""Keep secrets out of everything that is printed, logged or stored."""

from __future__ import annotations

import re

# Credentials in a URL (RFC 3986 section 3.2.1), anywhere in a text. A lone user name may itself be a token.
_USERINFO = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*://)[^/?#\s@'\"]*@")
# Query parameters that carry signatures or tokens on the object stores and registries that jobs meet.
_QUERY_SECRET = re.compile(
    r"(?P<name>[?&](?:[^=&#\s]*(?:token|signature|secret|password|credential|api[-_]?key)[^=&#\s]*|sig)=)[^&#\s'\"]+",
    re.IGNORECASE,
)


def redact_url(text: str) -> str:
    """Return *text* with the credentials of every URL in it replaced by ``***``."""
    return _QUERY_SECRET.sub(r"\g<name>***", _USERINFO.sub(r"\g<scheme>***@", text))
