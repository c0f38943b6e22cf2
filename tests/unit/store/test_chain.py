"""Reads go down the layers, writes go to the first alone; a broken layer is told once and passed by."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest
from helpers.capabilities import needs_symlinks
from helpers.stores import digest_of, put_file, put_wheel, state_of

from safe_install.errors import StoreError
from safe_install.events import Event, SteppedDown
from safe_install.store import BUILT, CachedPage, Store
from safe_install.store.chain import Chain, EntryKey, NamedLayer

if TYPE_CHECKING:
    from pathlib import Path

KEY = digest_of("key")


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def first(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "first")


@pytest.fixture
def second(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "second")


@pytest.fixture
def third(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "third")


@pytest.fixture
def chain(first: Store, second: Store, third: Store, events: list[Event]) -> Chain:
    lower = [NamedLayer(name="runner", layer=second), NamedLayer(name="seed 1", layer=third)]
    return Chain(first, lower, name="job", sink=events.append)


def page(body: bytes, fetched: float) -> CachedPage:
    return CachedPage(url="https://index.test/", content_type="text/html", body=body, fetched=fetched)


class TestReading:
    def test_everything_is_found_in_any_layer_and_where_it_is(self, chain: Chain, third: Store) -> None:
        tree = put_wheel(third, "demo")
        digest = put_file(third, b"an sdist")
        third.publish_document(BUILT, KEY, {"wheel": "x"})
        third.publish_page(KEY, page(b"page", 1.0))
        assert chain.wheel(tree.digest) == tree
        assert chain.file(digest) == third.file(digest)
        assert chain.document(BUILT, KEY) == {"wheel": "x"}
        assert chain.page(KEY) == page(b"page", 1.0)

    def test_the_uppermost_layer_wins(self, chain: Chain, first: Store, second: Store, third: Store) -> None:
        for store in (third, second, first):
            tree = put_wheel(store, "demo")
            found = chain.wheel(tree.digest)
            assert found is not None
            assert found.folder.is_relative_to(store.root)

    def test_what_is_damaged_above_is_found_below(self, chain: Chain, second: Store, third: Store) -> None:
        damaged = put_wheel(second, "demo").tree / "demo.py"
        damaged.chmod(0o644)
        damaged.write_bytes(b"")
        whole = put_wheel(third, "demo")
        assert chain.wheel(whole.digest) == whole

    def test_absent_everywhere_is_none(self, chain: Chain, events: list[Event]) -> None:
        assert chain.wheel(KEY) is None
        assert chain.file(KEY) is None
        assert chain.document(BUILT, KEY) is None
        assert chain.page(KEY) is None
        assert events == []

    def test_the_page_that_was_read_last_counts_wherever_it_is(self, chain: Chain, first: Store, third: Store) -> None:
        first.publish_page(KEY, page(b"old", 1.0))
        third.publish_page(KEY, page(b"new", 2.0))
        assert chain.page(KEY) == page(b"new", 2.0)

    def test_documents_of_all_layers_are_offered_in_order(self, chain: Chain, first: Store, third: Store) -> None:
        third.publish_document(BUILT, KEY, {"wheel": "here"})
        first.publish_document(BUILT, KEY, {"wheel": "gone"})
        assert list(chain.documents(BUILT, KEY)) == [{"wheel": "gone"}, {"wheel": "here"}]

    def test_reading_writes_nothing_below(self, chain: Chain, second: Store, third: Store) -> None:
        tree = put_wheel(third, "demo")
        before = state_of(second.root), state_of(third.root)
        chain.wheel(tree.digest)
        chain.wheel(KEY)
        chain.page(KEY)
        assert (state_of(second.root), state_of(third.root)) == before


class TestWriting:
    def test_everything_goes_to_the_first_layer_alone(
        self, chain: Chain, first: Store, second: Store, third: Store
    ) -> None:
        before = state_of(second.root), state_of(third.root)
        tree = put_wheel(chain, "demo")
        digest = put_file(chain, b"an sdist")
        chain.publish_document(BUILT, KEY, {"wheel": "x"})
        chain.publish_page(KEY, page(b"page", 1.0))
        assert first.wheel(tree.digest) == tree
        assert first.file(digest) is not None
        assert first.document(BUILT, KEY) == {"wheel": "x"}
        assert first.page(KEY) == page(b"page", 1.0)
        assert (state_of(second.root), state_of(third.root)) == before

    def test_what_was_made_is_remembered_in_order_and_once(self, chain: Chain) -> None:
        put_wheel(chain, "demo")
        chain.publish_document(BUILT, KEY, {"wheel": "x"})
        put_wheel(chain, "demo")
        assert chain.made == [EntryKey("wheels-1", digest_of("demo")), EntryKey(BUILT, KEY)]

    def test_what_lay_there_before_was_not_made(self, chain: Chain, first: Store) -> None:
        put_wheel(first, "demo")
        assert chain.wheel(digest_of("demo")) is not None
        assert chain.made == []


class TestNames:
    def test_entries_are_called_after_their_layer(self, chain: Chain, tmp_path: Path) -> None:
        assert chain.layer_of(chain.root / "x") == "job"
        assert chain.layer_of(tmp_path / "second" / "x") == "runner"
        assert chain.layer_of(tmp_path / "third" / "x") == "seed 1"
        assert chain.layer_of(tmp_path / "scratch" / "x") is None

    def test_two_paths_to_one_folder_are_one_layer(self, first: Store, second: Store) -> None:
        layers = [
            NamedLayer(name="runner", layer=first),
            NamedLayer(name="seed 1", layer=second),
            NamedLayer(name="seed 2", layer=second),
        ]
        assert [each.name for each in Chain(first, layers).lower] == ["seed 1"]

    @needs_symlinks
    def test_a_link_to_a_folder_is_that_folder(self, first: Store, second: Store, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to(second.root, target_is_directory=True)
        linked = Store.open_for_reading(tmp_path / "link")
        layers = [NamedLayer(name="seed 1", layer=second), NamedLayer(name="seed 2", layer=linked)]
        assert [each.name for each in Chain(first, layers).lower] == ["seed 1"]


class Broken:
    """A layer whose disk is gone."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.asked = 0

    def _fail(self, *_: object) -> Any:
        self.asked += 1
        raise StoreError("could not read: Stale file handle", code="io-error")

    tree = file = document = page = _fail


class TestBrokenLayers:
    def test_one_is_told_once_and_never_asked_again(
        self, first: Store, third: Store, tmp_path: Path, events: list[Event]
    ) -> None:
        broken = Broken(tmp_path / "broken")
        layers = [NamedLayer(name="seed 1", layer=broken), NamedLayer(name="seed 2", layer=third)]
        chain = Chain(first, layers, sink=events.append)
        tree = put_wheel(third, "demo")
        assert chain.wheel(tree.digest) == tree
        assert chain.file(KEY) is None
        assert chain.page(KEY) is None
        assert broken.asked == 1
        assert [each.name for each in chain.lower] == ["seed 2"]
        assert [(event.kind, event.message) for event in events if isinstance(event, SteppedDown)] == [
            ("layer-passed-by", "the layer `seed 1` is not used: could not read: Stale file handle")
        ]

    def test_the_first_one_is_needed(self, tmp_path: Path, second: Store) -> None:
        chain = Chain(Broken(tmp_path / "broken"), [NamedLayer(name="seed 1", layer=second)])  # type: ignore[arg-type]  # only read
        with pytest.raises(StoreError, match="Stale"):
            chain.wheel(KEY)

    def test_one_that_vanishes_holds_nothing(self, chain: Chain, third: Store) -> None:
        tree = put_wheel(third, "demo")
        shutil.rmtree(third.root)
        assert chain.wheel(tree.digest) is None
