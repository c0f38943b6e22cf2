"""Bytes are copied and checked on the way; nothing that is there already is read or replaced."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from helpers.stores import digest_of, put_file, put_wheel, state_of

from safe_install.errors import IntegrityError, StoreError
from safe_install.store import BUILT, FILES, INDEX, WHEELS, CachedPage, Store
from safe_install.store.chain import EntryKey
from safe_install.store.layout import SELECTIONS
from safe_install.store.transfer import copy_tree, transfer

if TYPE_CHECKING:
    from pathlib import Path

KEY = digest_of("key")


@pytest.fixture
def source(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "source")


@pytest.fixture
def target(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "target")


def litter(store: Store) -> list[str]:
    return os.listdir(store.root / "staging")


def page(fetched: float) -> CachedPage:
    return CachedPage(url="https://index.test/", content_type="text/html", body=b"page", fetched=fetched)


def test_everything_is_brought_and_the_count_is_of_what_was_missing(source: Store, target: Store) -> None:
    put_wheel(source, "one")
    content = put_file(source, b"an sdist")
    source.publish_document(BUILT, KEY, {"wheel": digest_of("one")})
    source.publish_document(SELECTIONS, KEY, {"filename": "x"})
    source.publish_page(KEY, page(1.0))
    entries = [
        EntryKey(BUILT, KEY),
        EntryKey(SELECTIONS, KEY),
        EntryKey(INDEX, KEY),
        EntryKey(WHEELS, digest_of("one")),
        EntryKey(FILES, content),
    ]
    assert transfer(entries, source, target) == 5
    assert transfer(entries, source, target) == 0
    tree = target.wheel(digest_of("one"))
    assert tree is not None
    assert tree.damage() == []
    assert target.file(content) is not None
    assert target.document(BUILT, KEY) == {"wheel": digest_of("one")}
    assert target.document(SELECTIONS, KEY) == {"filename": "x"}
    assert target.page(KEY) == page(1.0)


def test_no_file_is_shared_between_two_layers(source: Store, target: Store) -> None:
    """What a job does to its own layer must not reach that of others."""
    tree = put_wheel(source, "one")
    copied = copy_tree(WHEELS, tree, target)
    for entry in tree.manifest.files:
        assert (tree.tree / entry.path).stat().st_ino != (copied.tree / entry.path).stat().st_ino
        assert (copied.tree / entry.path).stat().st_nlink == 1


def test_the_copy_is_the_same_to_the_manifest(source: Store, target: Store) -> None:
    tree = put_wheel(source, "one")
    copied = copy_tree(WHEELS, tree, target)
    assert (copied.folder / "manifest.json").read_bytes() == (tree.folder / "manifest.json").read_bytes()


def test_changed_content_is_refused_and_nothing_appears(source: Store, target: Store) -> None:
    tree = put_wheel(source, "one")
    path = tree.tree / "one.py"
    state = path.stat()
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().swapcase())
    path.chmod(0o444)
    os.utime(path, ns=(state.st_mtime_ns, state.st_mtime_ns))
    assert source.wheel(tree.digest) is not None  # looks whole
    with pytest.raises(IntegrityError) as caught:
        transfer([EntryKey(WHEELS, tree.digest)], source, target)
    assert caught.value.code == "entry-damaged"
    assert target.wheel(tree.digest) is None
    assert litter(target) == []


def test_an_entry_that_vanishes_is_told(source: Store, target: Store) -> None:
    tree = put_wheel(source, "one")
    os.rename(tree.folder, source.root / "trash" / "gone")
    with pytest.raises(StoreError) as caught:
        copy_tree(WHEELS, tree, target)
    assert caught.value.code == "entry-vanished"
    assert litter(target) == []


def test_what_the_source_lacks_is_left_out(source: Store, target: Store) -> None:
    before = state_of(target.root)
    entries = [EntryKey(bucket, KEY) for bucket in (WHEELS, FILES, BUILT, INDEX, "buckets-of-tomorrow-9")]
    assert transfer(entries, source, target) == 0
    assert state_of(target.root) == before


def test_a_pointer_that_leads_nowhere_gives_way(source: Store, target: Store) -> None:
    put_wheel(source, "one")
    source.publish_document(BUILT, KEY, {"wheel": digest_of("one")})
    target.publish_document(BUILT, KEY, {"wheel": digest_of("gone")})
    transfer([EntryKey(WHEELS, digest_of("one")), EntryKey(BUILT, KEY)], source, target)
    assert target.document(BUILT, KEY) == {"wheel": digest_of("one")}


def test_a_pointer_that_leads_somewhere_stays(source: Store, target: Store) -> None:
    """Two builds of one key seldom make the same bytes: whoever was first is used by everybody."""
    put_wheel(source, "one")
    put_wheel(target, "two")
    source.publish_document(BUILT, KEY, {"wheel": digest_of("one")})
    target.publish_document(BUILT, KEY, {"wheel": digest_of("two")})
    transfer([EntryKey(WHEELS, digest_of("one")), EntryKey(BUILT, KEY)], source, target)
    assert target.document(BUILT, KEY) == {"wheel": digest_of("two")}


def test_the_page_that_was_read_last_stays(source: Store, target: Store) -> None:
    source.publish_page(KEY, page(1.0))
    target.publish_page(KEY, page(2.0))
    assert transfer([EntryKey(INDEX, KEY)], source, target) == 0
    assert target.page(KEY) == page(2.0)
    source.publish_page(KEY, page(3.0))
    transfer([EntryKey(INDEX, KEY)], source, target)
    assert target.page(KEY) == page(3.0)
