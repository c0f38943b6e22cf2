"""Pages are kept in the store: used again while fresh, confirmed when not, and served offline."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from safe_install.errors import NetworkError
from safe_install.index.auth import Credentials
from safe_install.index.http import HttpClient
from safe_install.index.pages import Pages
from safe_install.index.settings import IndexSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from helpers.index import LocalIndex
    from unit.index.conftest import KeyringContents

    from safe_install.events import Event
    from safe_install.index.pages import Page
    from safe_install.store.store import Store


class Reader:
    """One call after the other on the same store, at times that the test sets."""

    def __init__(self, index: LocalIndex, store: Store, events: list[Event]) -> None:
        self.index = index
        self.clients: list[HttpClient] = []
        self.store = store
        self.events = events
        self.now = 1_000_000.0

    def get(self, project: str = "demo", *, root: str | None = None, offline: bool = False) -> Page | None:
        root = root or self.index.url
        credentials = Credentials([root], variables={}, keyring=True, sink=self.events.append)
        settings = IndexSettings(index_urls=(root,), timeout=20.0, retry_budget=0.0)
        client = HttpClient(settings, credentials, self.events.append)
        self.clients.append(client)
        pages = Pages(
            lambda: client, self.store, credentials, self.events.append, offline=offline, now=lambda: self.now
        )
        return pages.get(f"{root}{project}/", what=f"the page of {project}")

    def names(self, *, offline: bool = False) -> bytes:
        page = self.get(offline=offline)
        return page.body if page is not None else b""


@pytest.fixture
def reader(
    local_index: LocalIndex, store: Store, events: list[Event], keyring_backend: KeyringContents
) -> Iterator[Reader]:
    local_index.add("demo-1.0.tar.gz", b"x")
    made = Reader(local_index, store, events)
    yield made
    for client in made.clients:
        client.close()


def test_a_fresh_page_is_used_without_a_request(reader: Reader) -> None:
    reader.index.cache_control = "public, max-age=60"
    reader.names()
    reader.index.add("demo-2.0.tar.gz", b"x")
    reader.now += 59
    assert b"demo-2.0" not in reader.names()
    assert reader.index.count() == 1
    reader.now += 2
    assert b"demo-2.0" in reader.names()


def test_nothing_is_fresh_for_more_than_ten_minutes(reader: Reader) -> None:
    reader.index.cache_control = "max-age=31536000"
    reader.names()
    reader.now += 601
    reader.names()
    assert reader.index.count() == 2


@pytest.mark.parametrize("control", [None, "no-cache", "max-age=0", "no-cache, max-age=60", "max-age=nonsense"])
def test_a_page_that_may_not_be_reused_is_confirmed_without_being_sent_again(
    reader: Reader, control: str | None
) -> None:
    reader.index.cache_control = control
    first = reader.names()
    sent = reader.index.bytes_sent["/simple/demo/"]
    assert reader.names() == first
    assert reader.index.count() == 2
    assert reader.index.bytes_sent["/simple/demo/"] == sent
    assert "If-None-Match" in reader.index.requests[1].headers


def test_a_confirmed_page_is_fresh_again(reader: Reader) -> None:
    reader.index.cache_control = "max-age=60"
    reader.names()
    reader.now += 61
    reader.names()
    reader.now += 59
    reader.names()
    assert reader.index.count() == 2


def test_the_time_a_page_spent_in_other_caches_counts(reader: Reader) -> None:
    reader.index.fail(headers={"Cache-Control": "max-age=60", "Age": "50"})
    reader.names()
    reader.now += 11
    reader.names()
    assert reader.index.count() == 2


def test_a_clock_that_was_set_back_makes_nothing_fresh(reader: Reader) -> None:
    reader.index.cache_control = "max-age=60"
    reader.names()
    reader.now -= 3600
    reader.names()
    assert reader.index.count() == 2


def test_without_validators_the_page_is_read_anew(reader: Reader) -> None:
    reader.index.etags = False
    reader.names()
    reader.index.add("demo-2.0.tar.gz", b"x")
    assert b"demo-2.0" in reader.names()


def test_a_stale_page_is_served_offline(reader: Reader) -> None:
    body = reader.names()
    reader.now += 10**6
    assert reader.names(offline=True) == body
    assert reader.index.count() == 1


def test_an_unread_page_is_an_error_offline(reader: Reader) -> None:
    with pytest.raises(NetworkError) as caught:
        reader.get("other", offline=True)
    assert caught.value.code == "offline"
    assert "the page of other" in caught.value.message
    assert "without --offline" in (caught.value.hint or "")
    assert not reader.index.requests


def test_that_a_project_is_unknown_is_remembered_for_offline_only(reader: Reader) -> None:
    assert reader.get("later") is None
    assert reader.get("later", offline=True) is None
    reader.index.add("later-1.0.tar.gz", b"x")
    assert reader.get("later") is not None
    assert reader.get("later", offline=True) is not None


def test_no_store_is_obeyed(reader: Reader) -> None:
    reader.index.cache_control = "no-store"
    assert reader.names()
    with pytest.raises(NetworkError):
        reader.names(offline=True)


def test_pages_read_with_other_credentials_are_not_shown(reader: Reader) -> None:
    reader.index.credentials = ("user", "secret")
    mine = reader.index.root("simple", login="user:secret")
    assert reader.get(root=mine) is not None
    assert reader.get(root=mine, offline=True) is not None
    for root in (reader.index.url, reader.index.root("simple", login="user:other")):
        with pytest.raises(NetworkError) as caught:
            reader.get(root=root, offline=True)
        assert "secret" not in str(caught.value)
        assert "other" not in str(caught.value)


def test_a_page_read_with_the_keyring_is_found_offline(reader: Reader, keyring_backend: KeyringContents) -> None:
    reader.index.credentials = ("user", "secret")
    keyring_backend.secrets[reader.index.url, None] = ("user", "secret")
    body = reader.names()
    assert body
    assert reader.names(offline=True) == body
    keyring_backend.secrets.clear()
    with pytest.raises(NetworkError):
        reader.names(offline=True)


def test_an_error_leaves_the_kept_page_as_it_was(reader: Reader) -> None:
    body = reader.names()
    reader.index.fail(status=500)
    with pytest.raises(NetworkError):
        reader.names()
    assert reader.names(offline=True) == body
