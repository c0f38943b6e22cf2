"""Collecting removes what no kept generation lists, and only that."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest
from helpers.capabilities import unix_only
from helpers.faults import failing
from helpers.storage import dead_tag
from helpers.stores import digest_of, publish_names, put_file, put_wheel, state_of

from safe_install.errors import IntegrityError, StoreError
from safe_install.models import Digest, SeedReference
from safe_install.store import BUILT, Store, seed_cleanup
from safe_install.store.seed_cleanup import collect
from safe_install.store.seed_filling import Listing
from safe_install.store.seed_view import open_view
from safe_install.store.seeds import Seed, WritableSeed

if TYPE_CHECKING:
    from pathlib import Path

    from safe_install.store.seed_cleanup import Collected


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "seed"


def gc(root: Path, *, keep: int = 1, min_age: float = 0, dry_run: bool = False) -> Collected:
    seed = WritableSeed.open(root, retry_budget=0)
    with seed.held(timeout=0):
        return collect(seed, keep=keep, min_age=min_age, dry_run=dry_run, sink=lambda event: None)


def wheels(root: Path, *names: str) -> list[bool]:
    store = Store.open_for_reading(root)
    return [store.wheel(digest_of(name)) is not None for name in names]


def test_what_only_old_generations_list_goes_with_them(root: Path) -> None:
    old = publish_names(root, ["gone", "both"])
    new = publish_names(root, ["both", "new"])
    collected = gc(root)
    assert collected.generations == (old,)
    assert collected.entries == 1
    assert collected.bytes > 0
    assert wheels(root, "gone", "both", "new") == [False, True, True]
    assert Seed.open_for_reading(root).generations() == [new]
    assert os.listdir(root / "trash") == []
    assert gc(root).entries == 0


def test_the_latest_generations_stay(root: Path) -> None:
    digests = [publish_names(root, [name]) for name in "abcd"]
    assert gc(root, keep=3).generations == (digests[0],)
    assert wheels(root, *"abcd") == [False, True, True, True]


def test_after_a_rollback_the_one_that_was_left_counts_as_the_latest(root: Path) -> None:
    digests = [publish_names(root, [name]) for name in "abc"]
    seed = WritableSeed.open(root)
    with seed.held(timeout=0):
        seed.point_to(digests[0])
    assert set(gc(root, keep=2).generations) == {digests[1]}
    assert wheels(root, *"abc") == [True, False, True]


def test_a_replaced_generation_lives_for_a_while(root: Path) -> None:
    """Jobs follow the generation that they began with."""
    publish_names(root, ["old"])
    publish_names(root, ["new"])
    assert gc(root, min_age=3600) == gc(root, min_age=3600, dry_run=True)
    assert wheels(root, "old", "new") == [True, True]


def test_a_dry_run_tells_and_removes_nothing(root: Path) -> None:
    publish_names(root, ["old"])
    publish_names(root, ["new"])
    put_file(Store.open(root), b"unlisted")
    before = state_of(root / "wheels-1") | state_of(root / "files-1") | state_of(root / "generations")
    told = gc(root, dry_run=True)
    assert state_of(root / "wheels-1") | state_of(root / "files-1") | state_of(root / "generations") == before
    assert told == gc(root)
    assert told.entries == 2


def test_entries_that_nobody_listed_go_when_they_are_old_enough(root: Path) -> None:
    publish_names(root, ["listed"])
    put_wheel(Store.open(root), "unlisted")
    assert gc(root, min_age=3600).entries == 0
    assert gc(root).entries == 1
    assert wheels(root, "listed", "unlisted") == [True, False]


def test_files_that_hold_documents_and_pages_are_listed_too(root: Path) -> None:
    seed = WritableSeed.open(root)
    seed.store.publish_document(BUILT, digest_of("key"), {"wheel": "x"})
    listing = Listing(seed.store)
    listing.document(BUILT, digest_of("key"))
    with seed.held(timeout=0):
        seed.publish(listing.generation(seed.store))
    assert gc(root).entries == 0
    reader = open_view(SeedReference(path=root), retry_budget=0, sink=lambda event: None)
    assert reader.document(BUILT, digest_of("key")) == {"wheel": "x"}


def test_what_killed_publishers_left_is_removed(root: Path) -> None:
    publish_names(root, ["one"])
    leftovers = [root / "current.abc.tmp", root / "generations" / f"{'0' * 64}.json.abc.tmp"]
    for path in leftovers:
        path.write_bytes(b"half")
    gc(root)
    assert not any(path.exists() for path in leftovers)


@unix_only
def test_what_somebody_has_open_is_out_of_the_way_and_goes_another_time(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A `.nfs` name keeps its folder from being empty as long as the file is open."""
    publish_names(root, ["listed"])
    put_wheel(Store.open(root), "unlisted")
    monkeypatch.setattr(seed_cleanup, "_BUDGET", 0)
    with failing("rmdir", "/trash/", errno.ENOTEMPTY, times=None) as fault:
        assert gc(root).entries == 1
    assert fault.happened
    assert wheels(root, "listed", "unlisted") == [True, False]
    (left,) = (root / "trash").iterdir()
    gc(root)
    assert left.exists()  # its process still runs
    left.rename(root / "trash" / f"left.{dead_tag()}")
    gc(root)
    assert os.listdir(root / "trash") == []


def test_a_list_that_was_never_current_lives_for_a_while(root: Path) -> None:
    """Its publisher may have been killed a moment before the switch."""
    publish_names(root, ["one"])
    seed = Seed.open_for_reading(root)
    digest = Digest("0" * 64)
    (root / "generations" / f"{digest}.json").write_bytes(b"x")
    assert gc(root, min_age=3600).generations == ()
    assert gc(root).generations == (digest,)
    assert digest not in seed.generations()


@pytest.mark.parametrize("damage", [b"", None])
def test_an_unreadable_current_generation_stops_it_and_everything_stays(root: Path, damage: bytes | None) -> None:
    publish_names(root, ["old"])
    digest = publish_names(root, ["new"])
    path = root / "generations" / f"{digest}.json"
    path.unlink()
    if damage is not None:
        path.write_bytes(damage)
    with pytest.raises((IntegrityError, StoreError)):
        gc(root)
    assert wheels(root, "old", "new") == [True, True]


def test_a_kept_generation_that_is_damaged_stops_nothing(root: Path) -> None:
    old = publish_names(root, ["old"])
    publish_names(root, ["new"])
    path = root / "generations" / f"{old}.json"
    path.chmod(0o644)
    path.write_bytes(b"")
    gc(root, keep=2)
    assert wheels(root, "old", "new") == [False, True]


@unix_only
def test_what_cannot_be_removed_is_told_and_what_is_listed_stays(root: Path) -> None:
    publish_names(root, ["old"])
    publish_names(root, ["new"])
    with failing("rename", "wheels-1", 13) as fault, pytest.raises(StoreError):
        gc(root)
    assert fault.happened
    assert wheels(root, "new") == [True]
    gc(root)
    assert wheels(root, "old", "new") == [False, True]
