"""What is removed and what stays: by age, size and room, leases, lists, links and rights."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from helpers.capabilities import link_to_folder, needs_folder_links
from helpers.faults import before
from helpers.storage import DAY, add_lease, add_pointer, add_selection, add_wheel, dead_process, digest_of, set_age

from safe_install.errors import LockTimeoutError, StoreError
from safe_install.events import ignore
from safe_install.locks import hold
from safe_install.store import gc
from safe_install.store.gc import Collection, Limits, clean, collect
from safe_install.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from safe_install.store.entries import Entry


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.open(tmp_path / "store", retry_budget=0)
    yield store
    assert os.listdir(store.root / "trash") == []


def run(
    store: Store, *, dry_run: bool = False, listed: Callable[[Entry], bool] | None = None, **limits: float
) -> Collection:
    values = Limits(**limits)  # type: ignore[arg-type]  # numbers are numbers
    return collect(store.layout, values, lock_timeout=0, sink=ignore, listed=listed, dry_run=dry_run)


def lease(store: Store, entry: Path) -> None:
    add_lease(store, [entry])


def test_nothing_goes_without_a_limit(store: Store) -> None:
    entry = add_wheel(store, "old", age=1000 * DAY)
    found = run(store)
    assert (found.removed, found.bytes, found.complete) == ([], 1000, True)
    assert entry.is_dir()


def test_what_was_not_used_for_long_goes(store: Store) -> None:
    old, young = add_wheel(store, "old", age=8 * DAY), add_wheel(store, "young", age=6 * DAY)
    found = run(store, max_age=7 * DAY)
    assert [(each.entry, each.reason) for each in found.removed] == [(old.relative_to(store.root).as_posix(), "age")]
    assert (old.exists(), young.exists(), found.bytes) == (False, True, 1000)


def test_what_was_not_used_for_the_longest_time_goes_first_until_the_size_is_met(store: Store) -> None:
    entries = [add_wheel(store, f"lib{age}", age=age * DAY) for age in range(5)]
    found = run(store, max_size=2500)
    assert [each.exists() for each in entries] == [True, True, False, False, False]
    assert [each.reason for each in found.removed] == ["size"] * 3
    assert found.removed[0].used < found.removed[-1].used
    assert found.bytes == 2000


def test_room_is_made_by_what_no_environment_holds_on_to(store: Store, tmp_path: Path) -> None:
    linked, old, young = (
        add_wheel(store, name, size=8000, age=age)
        for name, age in (("linked", 3 * DAY), ("old", 2 * DAY), ("young", DAY))
    )
    os.link(linked / "tree" / "linked" / "__init__.py", tmp_path / "in-an-environment")
    found = run(store, set_free=1)
    assert (linked.exists(), old.exists(), young.exists()) == (True, False, True)
    assert [each.reason for each in found.removed] == ["space"]
    assert found.freed >= 8000


def test_enough_free_space_removes_nothing(store: Store) -> None:
    entry = add_wheel(store, "old", age=1000 * DAY)
    assert run(store, min_free=1).removed == []
    assert entry.exists()


def test_too_little_free_space_removes_everything_that_frees_some(store: Store) -> None:
    entry = add_wheel(store, "old", age=1000 * DAY)
    assert [each.reason for each in run(store, min_free=1 << 60).removed] == ["space"]
    assert not entry.exists()


def test_what_environments_hold_on_to_is_told_not_to_be_freed(store: Store, tmp_path: Path) -> None:
    entry = add_wheel(store, "old", age=9 * DAY)
    os.link(entry / "tree" / "old" / "__init__.py", tmp_path / "in-an-environment")
    (removed,) = run(store, max_age=DAY).removed
    assert removed.freed < 8000  # the manifest alone
    assert removed.bytes > 1000


def test_document_is_as_young_as_what_it_leads_to(store: Store) -> None:
    add_wheel(store, "used", age=DAY)
    add_wheel(store, "unused", age=20 * DAY)
    kept = [add_pointer(store, "used", age=30 * DAY), add_selection(store, "used", age=30 * DAY)]
    gone = [add_pointer(store, "unused", age=30 * DAY), add_selection(store, "unused", age=30 * DAY)]
    run(store, max_age=7 * DAY)
    assert [each.exists() for each in kept] == [True, True]
    assert [each.exists() for each in gone] == [False, False]


def test_file_counts_as_used_when_it_was_published(store: Store) -> None:
    # Its modification time follows from its content and lies years back.
    with store.stage_file() as staged:
        staged.write_bytes(b"sdist")
        path = store.publish_file(staged, digest_of("sdist"))
    run(store, max_age=7 * DAY)
    assert path.exists()
    run(store, max_age=0)
    assert not path.exists()


def test_entry_of_another_release_is_collected_by_age(store: Store) -> None:
    folder = store.root / "wheels-7" / "ab" / ("ab" * 16)
    folder.mkdir(parents=True)
    (folder / "file").write_bytes(b"x")
    set_age(folder, 9 * DAY)
    run(store, max_age=7 * DAY)
    assert not folder.exists()


def test_dry_run_tells_the_same_and_changes_nothing(store: Store) -> None:
    entries = [add_wheel(store, f"lib{age}", age=age * DAY) for age in range(5)]
    add_lease(store, entries[3:4])
    lease = add_lease(store, [], process=dead_process())
    # Older than everything, so that reading the times of folders changes nothing.
    state = sorted((path, path.lstat().st_mtime_ns) for path in store.root.rglob("*"))
    found = run(store, max_size=2500, dry_run=True)
    assert sorted((path, path.lstat().st_mtime_ns) for path in store.root.rglob("*")) == state
    real = run(store, max_size=2500)
    assert [(each.entry, each.reason) for each in found.removed] == [(e.entry, e.reason) for e in real.removed]
    assert (found.in_use, found.left_overs, found.bytes) == (real.in_use, real.left_overs, real.bytes)
    assert (found.in_use, found.left_overs) == (1, {"lease": 1})
    assert not lease.exists()


def test_entry_under_a_live_lease_stays(store: Store) -> None:
    used, unused = add_wheel(store, "used", age=9 * DAY), add_wheel(store, "unused", age=9 * DAY)
    add_lease(store, [used])
    found = run(store, max_size=0)
    assert (used.exists(), unused.exists(), found.in_use) == (True, False, 1)


def test_pointer_to_an_entry_under_a_live_lease_stays(store: Store) -> None:
    add_lease(store, [add_wheel(store, "used", age=9 * DAY)])
    pointer = add_pointer(store, "used", age=9 * DAY)
    run(store, max_size=0)
    assert pointer.exists()


@pytest.mark.parametrize("age", [0.0, 2 * DAY])
def test_lease_of_a_dead_process_keeps_nothing_and_goes(store: Store, age: float) -> None:
    entry = add_wheel(store, "used", age=9 * DAY)
    lease = add_lease(store, [entry], process=dead_process(), age=age)
    run(store, max_size=0)
    assert (entry.exists(), lease.exists()) == (False, False)


def test_lease_without_a_sign_of_life_for_its_expiry_keeps_nothing(store: Store) -> None:
    entry = add_wheel(store, "used", age=9 * DAY)
    lease = add_lease(store, [entry], age=901)
    run(store, max_size=0)
    # Whoever wrote it lives, and may only have stood still; the file goes after a day.
    assert (entry.exists(), lease.exists()) == (False, True)


def test_garbage_among_the_leases_keeps_nothing_and_stops_nothing(store: Store) -> None:
    entry = add_wheel(store, "old", age=9 * DAY)
    (store.layout.leases / "x.jsonl").write_bytes(b"\0\xff{]\n[]\n")
    (store.layout.leases / "folder.jsonl").mkdir()
    run(store, max_size=0)
    assert not entry.exists()


def test_entry_that_is_leased_while_it_is_moved_comes_back(store: Store) -> None:
    entry = add_wheel(store, "used", age=9 * DAY)
    with before("rename", "/trash/", lambda: lease(store, entry)) as fault:
        found = run(store, max_size=0)
    assert fault.happened
    assert (found.removed, found.in_use) == ([], 1)
    assert store.wheel(digest_of("used 1.0")) is not None


def test_entry_that_is_leased_after_the_listing_is_not_even_moved(store: Store) -> None:
    first, second = add_wheel(store, "first", age=9 * DAY), add_wheel(store, "second", age=8 * DAY)
    with (
        before("rename", str(second), lambda: None) as moving,
        before("rename", str(first), lambda: lease(store, second)),
    ):
        run(store, max_size=0)
    assert (first.exists(), second.exists(), moving.happened) == (False, True, False)


def test_entry_that_was_used_after_the_listing_stays(store: Store) -> None:
    first, second = add_wheel(store, "first", age=9 * DAY), add_wheel(store, "second", age=8 * DAY)
    with before("rename", str(first), lambda: set_age(second, 0)):
        found = run(store, max_size=0)
    assert (first.exists(), second.exists(), found.in_use) == (False, True, 1)


def test_entry_that_vanishes_meanwhile_is_nobodys_fault(store: Store) -> None:
    entry = add_wheel(store, "old", age=9 * DAY)
    with before("rename", str(entry), lambda: os.rename(entry, store.root / "elsewhere")):
        found = run(store, max_size=0)
    assert (found.removed, found.failures) == ([], [])


def test_listed_entry_stays(store: Store) -> None:
    entry = add_wheel(store, "listed", age=9 * DAY)
    found = run(store, max_size=0, listed=lambda each: each.path == entry)
    assert (entry.exists(), found.listed) == (True, 1)


def test_time_that_is_over_ends_it(store: Store) -> None:
    entry = add_wheel(store, "old", age=9 * DAY)
    found = collect(store.layout, Limits(max_size=0), lock_timeout=0, sink=ignore, seconds=0)
    assert (found.complete, entry.exists()) == (False, True)


def test_two_collectors_exclude_one_another(store: Store) -> None:
    lock = hold(store.layout.lock("gc"), timeout=0, what="a test", sink=ignore)
    with lock, pytest.raises(LockTimeoutError) as caught:
        run(store)
    assert int(caught.value.exit_code) == 5


def test_collector_holds_no_lock_that_jobs_take(store: Store) -> None:
    add_wheel(store, "old", age=9 * DAY)
    seen: list[str] = []
    with before("rename", "/trash/", lambda: seen.extend(os.listdir(store.root / "locks"))):
        run(store, max_size=0)
    assert {name.partition(".")[0] for name in seen} == {"gc"}


# Links and rights


@needs_folder_links
@pytest.mark.parametrize("place", ["bucket", "prefix", "entry"])
def test_link_out_of_the_store_is_never_followed(store: Store, tmp_path: Path, place: str) -> None:
    # uv#19542
    name = "ab" * 16
    parts = {"bucket": ["wheels-9"], "prefix": ["wheels-9", "ab"], "entry": ["wheels-1", "ab", name]}[place]
    outside = tmp_path / "outside"
    inside = outside.joinpath(*["wheels-9", "ab", name][len(parts) :])
    inside.mkdir(parents=True)
    (inside / "precious").write_text("x")
    link = store.root.joinpath(*parts)
    link.parent.mkdir(parents=True, exist_ok=True)
    link_to_folder(link, outside)
    set_age(inside, 9 * DAY)
    run(store, max_size=0)
    assert (inside / "precious").read_text() == "x"
    # An entry can be no link, so this one was damaged.
    assert os.path.lexists(link) is (place != "entry")


@needs_folder_links
@pytest.mark.parametrize("folder", ["staging", "logs", "quarantine", "checked", "jobs", "leases"])
def test_working_folder_that_leads_out_of_the_store_is_left_alone(store: Store, tmp_path: Path, folder: str) -> None:
    outside = tmp_path / "outside"
    (outside / "item").mkdir(parents=True)
    set_age(outside / "item", 900 * DAY)
    place = store.root / folder
    with contextlib.suppress(FileNotFoundError):
        os.rmdir(place)
    link_to_folder(place, outside)
    run(store, max_size=0, max_age=0)
    assert (outside / "item").is_dir()


@needs_folder_links
def test_trash_that_leads_out_of_the_store_is_refused(store: Store, tmp_path: Path) -> None:
    entry = add_wheel(store, "old", age=9 * DAY)
    outside = tmp_path / "outside"
    (outside / "item").mkdir(parents=True)
    os.rmdir(store.root / "trash")
    link_to_folder(store.root / "trash", outside)
    with pytest.raises(StoreError) as caught:
        run(store, max_size=0)
    assert caught.value.code == "store-unsafe-link"
    assert (entry.exists(), os.listdir(outside)) == (True, ["item"])
    (store.root / "trash").unlink()
    (store.root / "trash").mkdir()


@pytest.mark.parametrize("which", ["entry", "tree", "prefix"])
def test_folder_without_rights_is_removed(store: Store, which: str) -> None:
    # uv#3515
    entry = add_wheel(store, "old", age=9 * DAY)
    place = {"entry": entry, "tree": entry / "tree" / "old", "prefix": entry.parent}[which]
    place.chmod(0)
    set_age(entry, 9 * DAY) if which == "tree" else None
    # Without a readable manifest it is given up as half-made after a day.
    later = time.time() + 2 * DAY
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gc, "file_system_now", lambda _: later)
        run(store, max_size=0)
    assert not entry.exists()


def test_missing_trash_is_made(store: Store) -> None:
    entry = add_wheel(store, "old", age=9 * DAY)
    os.rmdir(store.root / "trash")
    run(store, max_size=0)
    assert not entry.exists()


# Cleaning


def test_clean_removes_what_is_wanted_whatever_its_age(store: Store) -> None:
    one, other = add_wheel(store, "one"), add_wheel(store, "other")
    found = clean(store.layout, lambda entry: entry.path == one, lock_timeout=0, sink=ignore)
    assert (one.exists(), other.exists()) == (False, True)
    assert [each.reason for each in found.removed] == ["asked"]


def test_clean_leaves_what_is_in_use(store: Store) -> None:
    used = add_wheel(store, "used")
    add_lease(store, [used])
    found = clean(store.layout, lambda _: True, lock_timeout=0, sink=ignore)
    assert (used.exists(), found.in_use) == (True, 1)
