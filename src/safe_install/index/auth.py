"""Find user name and password for a URL: in URLs, variables, netrc files and the keyring. Never by asking a person.

In this order, and the first that has a password wins:

1. the URL itself;
2. the variable ``SAFE_INSTALL_CREDENTIALS_<HOST>`` with ``user:password`` (see `variable_name`);
3. the index URL of the same origin, the one whose path is nearest when there are several;
4. the netrc file (``NETRC``, else ``.netrc`` or ``_netrc`` in the home folder);
5. the keyring: at once when a user name is known, else only after the server answered 401; once for each.

A user name without any password is sent with an empty one (some indexes take a token as the user name).
"""

from __future__ import annotations

import hashlib
import netrc
import re
import threading
import urllib.parse
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..events import Noticed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..events import EventSink

_DEFAULT_PORTS = {"http": 80, "https": 443}
# The identity of credentials becomes part of a file name; guessing a password from it shall be expensive.
_IDENTITY_ROUNDS = 100_000


@dataclass(frozen=True, slots=True)
class Login:
    """Credentials for one origin; the password never shows in a text."""

    user: str
    password: str = field(repr=False)

    def identity(self) -> str:
        """Return a name for these credentials from which they cannot be read."""
        salt = b"safe-install index page " + self.user.encode()
        return hashlib.pbkdf2_hmac("sha256", self.password.encode(), salt, _IDENTITY_ROUNDS).hex()


def split_login(url: str) -> tuple[str | None, str | None, str]:
    """Return user name, password and the URL without them."""
    parts = urllib.parse.urlsplit(url)
    login, separator, host = parts.netloc.rpartition("@")
    if not separator:
        return None, None, url
    user, has_password, password = login.partition(":")
    plain = urllib.parse.urlunsplit(parts._replace(netloc=host))
    return urllib.parse.unquote(user), urllib.parse.unquote(password) if has_password else None, plain


def origin_of(url: str) -> tuple[str, str, int | None]:
    """Return scheme, host and port: credentials for one origin never go to another (RFC 6454)."""
    parts = urllib.parse.urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or _DEFAULT_PORTS.get(parts.scheme)


def variable_name(url: str) -> str:
    """Return the variable that may hold the credentials for a URL's host.

    The host in upper case, with ``_`` for what is neither letter nor digit; a port that is in the URL is appended:
    ``SAFE_INSTALL_CREDENTIALS_PACKAGES_EXAMPLE_COM_8443``.
    """
    parts = urllib.parse.urlsplit(url)
    host = f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname or ""
    return "SAFE_INSTALL_CREDENTIALS_" + re.sub(r"[^A-Z0-9]", "_", host.upper())


class Credentials:
    """Knows the credentials of a call. Safe to ask from many threads.

    :param index_urls: those that may hold credentials, find-links pages included.
    :param keyring: whether the keyring may be asked.
    """

    def __init__(
        self, index_urls: Iterable[str], *, variables: Mapping[str, str], keyring: bool, sink: EventSink
    ) -> None:
        self._index_urls = tuple(index_urls)
        self._variables = variables
        self._keyring = keyring
        self._sink = sink
        self._lock = threading.Lock()
        self._netrc: netrc.netrc | None = None
        self._netrc_read = False
        self._answers: dict[tuple[tuple[str, str, int | None], str | None], Login | None] = {}

    def known(self, url: str, *, index: str | None = None) -> Login | None:
        """Return the credentials to send with the first request.

        :param index: the index that a file or page belongs to; its own credentials come before those of another one
            of the same origin.
        """
        user, password = self._given(url, index)
        if password is None and user is not None:
            answer = self._ask_keyring(url, user)
        else:
            answer = self._answers.get((origin_of(url), user))
        if answer is not None:
            return answer
        return None if user is None else Login(user, password or "")

    def after_refusal(self, url: str, *, index: str | None = None) -> Login | None:
        """Return other credentials to try after a 401, or None when there are none."""
        tried = self.known(url, index=index)
        user, _ = self._given(url, index)
        answer = self._ask_keyring(url, user)
        return answer if answer != tried else None

    def _given(self, url: str, index: str | None) -> tuple[str | None, str | None]:
        """User name and password, as far as they are known without the keyring."""
        user, password, plain = split_login(url)
        if password is not None:
            return user, password
        variable = self._variables.get(variable_name(plain))
        if variable:
            name, _, secret = variable.partition(":")
            return name, secret
        index_user, index_password = self._of_index(plain, index)
        if index_password is not None and user in {None, index_user}:
            return index_user, index_password
        user = user if user is not None else index_user
        found = self._of_netrc(plain)
        if found is not None and user in {None, found.user}:
            return found.user, found.password
        return user, None

    def _of_index(self, url: str, index: str | None) -> tuple[str | None, str | None]:
        def nearness(candidate: tuple[str | None, str | None, str]) -> tuple[bool, int]:
            place = candidate[2].rstrip("/") + "/"
            shared = 0
            for ours, theirs in zip(place.split("/"), url.split("/"), strict=False):
                if ours != theirs:
                    break
                shared += 1
            return (index is not None and place == index.rstrip("/") + "/", shared)

        splits = (split_login(candidate) for candidate in self._index_urls)
        candidates = [split for split in splits if origin_of(split[2]) == origin_of(url)]
        if not candidates:
            return None, None
        user, password, _ = max(candidates, key=nearness)
        return user, password

    def _of_netrc(self, url: str) -> Login | None:
        with self._lock:
            if not self._netrc_read:
                self._netrc_read = True
                self._netrc = self._read_netrc()
        host = urllib.parse.urlsplit(url).hostname
        found = self._netrc.authenticators(host) if self._netrc is not None and host else None
        return Login(found[0] or "", found[2] or "") if found is not None else None

    def _read_netrc(self) -> netrc.netrc | None:
        for path in self._netrc_paths():
            try:
                return netrc.netrc(str(path))
            except FileNotFoundError:
                continue
            except netrc.NetrcParseError as error:
                # Its text names line and token; a token may be a password, so only the line is told.
                self._sink(Noticed(message=f"{path} is ignored: line {error.lineno} is no netrc syntax"))
            except OSError as error:
                self._sink(Noticed(message=f"{path} is ignored: {error.strerror}"))
            return None
        return None

    def _netrc_paths(self) -> list[Path]:
        if self._variables.get("NETRC"):
            return [Path(self._variables["NETRC"])]
        home = self._variables.get("HOME") or self._variables.get("USERPROFILE")
        return [Path(home, name) for name in (".netrc", "_netrc")] if home else []

    def _ask_keyring(self, url: str, user: str | None) -> Login | None:
        """Ask once for each origin and user; index URLs are more specific than hosts and come first."""
        if not self._keyring:
            return None
        origin = origin_of(url)
        with self._lock:
            if (origin, user) not in self._answers:
                places = [plain for _, _, plain in map(split_login, self._index_urls) if origin_of(plain) == origin]
                host = urllib.parse.urlsplit(split_login(url)[2]).netloc
                self._answers[origin, user] = self._look_up([*places, host], user)
            return self._answers[origin, user]

    def _look_up(self, places: Iterable[str], user: str | None) -> Login | None:
        from unearth.auth import get_keyring_provider

        try:
            provider = get_keyring_provider()
            for place in places if provider is not None else ():
                found = provider.get_auth_info(place, user) if provider is not None else None
                if found is not None and found[1] is not None:
                    return Login(found[0] or user or "", found[1])
        except Exception as error:  # noqa: BLE001  # backends raise what they like, and none is worth a failed job
            self._sink(Noticed(message=f"the keyring is not used: {type(error).__name__}", detail=True))
        return None
