"""Clients that are closed at the end of a test, and a list of what they told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import pytest
from helpers.missing_parts import missing

from safe_install.index.auth import Credentials
from safe_install.index.client import IndexClient, IndexSettings
from safe_install.index.http import HttpClient
from safe_install.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from safe_install.events import Event

# Retries that are not what a test is about must not slow it down; those that are set their own budget.
_NO_RETRIES: dict[str, Any] = {"retry_budget": 0.0, "timeout": 20.0, "keyring": False}


class MakeClient(Protocol):
    def __call__(self, *index_urls: str, **settings: Any) -> IndexClient: ...


class MakeHttp(Protocol):
    def __call__(self, *index_urls: str, **settings: Any) -> HttpClient: ...


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "store")


@pytest.fixture
def make_client(events: list[Event]) -> Iterator[MakeClient]:
    """Makes index clients; ``store=`` gives them one."""
    clients = []

    def make(*index_urls: str, **settings: Any) -> IndexClient:
        kept_in = settings.pop("store", None)
        client = IndexClient(
            IndexSettings(index_urls=index_urls, **{**_NO_RETRIES, **settings}), kept_in, events.append
        )
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def make_http(events: list[Event]) -> Iterator[MakeHttp]:
    clients = []

    def make(*index_urls: str, **settings: Any) -> HttpClient:
        values = IndexSettings(index_urls=index_urls, **{**_NO_RETRIES, **settings})
        credentials = Credentials(index_urls, variables=values.variables, keyring=values.keyring, sink=events.append)
        client = HttpClient(values, credentials, events.append)
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()


class KeyringContents:
    """A keyring in memory, installed as the real library's backend."""

    def __init__(self) -> None:
        self.secrets: dict[tuple[str, str | None], tuple[str, str]] = {}
        self.asked: list[tuple[str, str | None]] = []


@pytest.fixture
def keyring_backend() -> Iterator[KeyringContents]:
    try:
        import keyring
    except ImportError:
        missing("the library keyring", "install the extra keyring")
    from keyring.backend import KeyringBackend
    from keyring.credentials import SimpleCredential

    contents = KeyringContents()

    class Memory(KeyringBackend):
        priority = 1

        def get_credential(self, service: str, username: str | None) -> SimpleCredential | None:
            contents.asked.append((service, username))
            found = contents.secrets.get((service, username))
            return SimpleCredential(*found) if found else None

        def get_password(self, service: str, username: str) -> str | None:
            return None

        def set_password(self, service: str, username: str, password: str) -> None:
            raise NotImplementedError

        def delete_password(self, service: str, username: str) -> None:
            raise NotImplementedError

    before = keyring.get_keyring()
    keyring.set_keyring(Memory())  # type: ignore[no-untyped-call]  # the base class's constructor has no types
    yield contents
    keyring.set_keyring(before)
