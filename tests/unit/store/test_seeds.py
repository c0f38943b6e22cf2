"""Generations and the pointer of a seed, and what is seen through one."""

from __future__ import annotations

import builtins
import json
import os
import stat
import threading
from typing import TYPE_CHECKING

import pytest
from helpers.capabilities import needs_symlinks, unix_only
from helpers.faults import before, failing
from helpers.stores import digest_of, listing_of, publish_names, put_file, put_wheel, state_of

from safe_install.errors import InputError, IntegrityError, LockTimeoutError, PolicyError, StoreError
from safe_install.events import Event, SteppedDown
from safe_install.models import Digest, SeedReference
from safe_install.store import BUILT, CachedPage, Store
from safe_install.store.seed_filling import Listing
from safe_install.store.seed_view import open_view
from safe_install.store.seeds import Seed, WritableSeed

if TYPE_CHECKING:
    from pathlib import Path

    from safe_install.store.seed_view import SeedView

KEY = digest_of("key")
PAGE = CachedPage(url="https://index.test/", content_type="text/html", body=b"page", fetched=1.0)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "seed"


@pytest.fixture
def events() -> list[Event]:
    return []


def view(root: Path, generation: str | None = None) -> SeedView:
    return open_view(SeedReference(path=root, generation=generation), retry_budget=0, sink=lambda event: None)


def current(root: Path) -> Digest:
    return Seed.open_for_reading(root).pointer().current


class TestPublishing:
    def test_what_was_published_is_current_and_readable(self, root: Path) -> None:
        digest = publish_names(root, ["one", "two"])
        seed = Seed.open_for_reading(root)
        assert seed.pointer().current == digest
        assert set(seed.generation(digest).wheels) == {digest_of("one"), digest_of("two")}
        assert seed.generations() == [digest]

    def test_the_same_entries_are_the_same_generation_and_nothing_switches(self, root: Path) -> None:
        publish_names(root, ["one", "two"])
        pointer = Seed.open_for_reading(root).pointer()
        publish_names(root, ["two", "one"])
        assert Seed.open_for_reading(root).pointer() == pointer

    def test_one_change_adds_the_bytes_of_the_change(self, root: Path) -> None:
        names = [f"name{number}" for number in range(20)]
        publish_names(root, names)
        entries = state_of(root / "wheels-1")
        publish_names(root, [*names[1:], "new"])
        after = state_of(root / "wheels-1")
        assert {name: after[name] for name in entries if name in after and "/" in name[3:]} == {
            name: entries[name] for name in entries if "/" in name[3:]
        }
        assert len([name for name in after if name.endswith("manifest.json")]) == 21

    def test_a_damaged_generation_file_is_written_again(self, root: Path) -> None:
        digest = publish_names(root, ["one"])
        path = root / "generations" / f"{digest}.json"
        path.chmod(0o644)
        path.write_bytes(b"")
        assert publish_names(root, ["one"]) == digest
        assert Seed.open_for_reading(root).generation(digest)

    def test_the_lock_is_really_needed(self, root: Path) -> None:
        publish_names(root, ["one"])
        seed, other = WritableSeed.open(root), WritableSeed.open(root)
        refused: list[LockTimeoutError] = []

        def try_it() -> None:
            try:
                with other.held(timeout=0):
                    raise AssertionError("two hold it")
            except LockTimeoutError as error:
                refused.append(error)

        with seed.held(timeout=0):
            thread = threading.Thread(target=try_it)
            thread.start()
            thread.join()
        assert [error.exit_code for error in refused] == [5]

    @unix_only
    @pytest.mark.parametrize("call", ["open", "fsync", "replace"])
    @pytest.mark.parametrize("path", ["/generations/", "/current"])
    def test_a_failing_call_leaves_the_old_generation_current(self, root: Path, call: str, path: str) -> None:
        old = publish_names(root, ["one"])
        WritableSeed.open(root)
        with failing(call, path, 28) as fault, pytest.raises(StoreError) as caught:
            publish_names(root, ["one", "two"])
        assert fault.happened
        assert caught.value.code == "disk-full"
        assert current(root) == old
        new = publish_names(root, ["one", "two"])
        assert current(root) == new

    @unix_only
    def test_the_list_is_whole_before_the_pointer_moves(self, root: Path) -> None:
        """Promise 1: at the moment of the switch, what it leads to can be read."""
        publish_names(root, ["one"])
        seen: list[bool] = []

        def look() -> None:
            seed = Seed.open_for_reading(root)
            known = [seed.generation(digest) for digest in seed.generations()]
            seen.append(any(digest_of("two") in each.wheels for each in known))

        with before("replace", "/current", look) as fault:
            publish_names(root, ["two"])
        assert fault.happened
        assert seen == [True]


@unix_only
class TestWhoMayRead:
    """A seed is there to be read by other users, but for who says otherwise by the folder."""

    def modes(self, root: Path) -> set[int]:
        return {stat.S_IMODE(os.stat(folder).st_mode) for folder, _, _ in os.walk(root)}

    @pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
    def test_everybody_reads_a_new_one(self, root: Path, umask: int) -> None:
        before_it = os.umask(umask)
        try:
            publish_names(root, ["one"])
        finally:
            os.umask(before_it)
        assert self.modes(root) == {0o755}
        for name in ("current", "store.json", f"generations/{current(root)}.json"):
            assert (root / name).stat().st_mode & 0o466 == 0o444

    def test_an_empty_folder_that_all_can_read_stays_so(self, root: Path) -> None:
        root.mkdir()
        root.chmod(0o755)
        publish_names(root, ["one"])
        assert self.modes(root) == {0o755}

    def test_a_private_folder_stays_private(self, root: Path) -> None:
        root.mkdir(mode=0o700)
        publish_names(root, ["one"])
        assert self.modes(root) == {0o700}

    def test_a_folder_of_a_group_stays_the_groups(self, root: Path) -> None:
        root.mkdir()
        root.chmod(0o2770)
        publish_names(root, ["one"])
        assert self.modes(root) == {0o2770, 0o2775}


class TestNames:
    def test_a_beginning_of_a_digest_is_enough(self, root: Path) -> None:
        digest = publish_names(root, ["one"])
        assert Seed.open_for_reading(root).named(digest[:8]) == digest

    def test_an_unknown_one_is_the_mistake_of_who_names_it(self, root: Path) -> None:
        publish_names(root, ["one"])
        with pytest.raises(InputError) as caught:
            Seed.open_for_reading(root).named("0" * 8)
        assert caught.value.code == "generation-missing"

    def test_an_ambiguous_one_is_refused(self, root: Path) -> None:
        publish_names(root, ["one"])
        for ending in "ab":
            (root / "generations" / f"{'0' * 63}{ending}.json").write_bytes(b"")
        with pytest.raises(InputError) as caught:
            Seed.open_for_reading(root).named("0" * 8)
        assert caught.value.code == "generation-ambiguous"

    def test_foreign_files_among_the_generations_are_none(self, root: Path) -> None:
        digest = publish_names(root, ["one"])
        for name in ("notes.txt", f"{digest}.json.ab12.tmp", "x.json"):
            (root / "generations" / name).write_bytes(b"")
        assert Seed.open_for_reading(root).generations() == [digest]


class TestReadingThroughAGeneration:
    def test_only_what_it_lists_is_seen(self, root: Path) -> None:
        publish_names(root, ["one"])
        put_wheel(Store.open(root), "unlisted")
        unlisted = put_file(Store.open(root), b"unlisted")
        assert view(root).wheel(digest_of("one")) is not None
        assert view(root).wheel(digest_of("unlisted")) is None
        assert view(root).file(unlisted) is None

    def test_a_pin_shows_its_own_generation_whatever_is_current(self, root: Path) -> None:
        old = publish_names(root, ["one"])
        publish_names(root, ["two"])
        pinned = view(root, old[:10])
        assert pinned.wheel(digest_of("one")) is not None
        assert pinned.wheel(digest_of("two")) is None
        assert view(root).wheel(digest_of("one")) is None

    def test_a_switch_is_not_noticed_by_who_reads_already(self, root: Path) -> None:
        publish_names(root, ["one"])
        reader = view(root)
        publish_names(root, ["two"])
        assert reader.wheel(digest_of("one")) is not None
        assert reader.wheel(digest_of("two")) is None

    def test_files_documents_and_pages_are_seen_as_they_were_published(self, root: Path) -> None:
        seed = WritableSeed.open(root)
        content = put_file(seed.store, b"an sdist")
        seed.store.publish_document(BUILT, KEY, {"wheel": "one"})
        seed.store.publish_page(KEY, PAGE)
        listing = Listing(seed.store)
        listing.file(content)
        listing.document(BUILT, KEY)
        listing.page(KEY)
        with seed.held(timeout=0):
            seed.publish(listing.generation(seed.store))
        # What the store answers later is another matter.
        seed.store.publish_document(BUILT, KEY, {"wheel": "two"}, replace=True)
        reader = view(root)
        assert reader.file(content) == seed.store.file(content)
        assert reader.document(BUILT, KEY) == {"wheel": "one"}
        assert reader.page(KEY) == PAGE

    def test_a_wheel_with_another_manifest_than_the_listed_one_is_not_used(self, root: Path) -> None:
        """The name of a generation stands for every byte: a tree that was exchanged together with its manifest is none."""
        events: list[Event] = []
        publish_names(root, ["one"])
        place = Store.open(root).layout.wheel(digest_of("one"))
        os.rename(place, root / "staging" / "old")
        put_wheel(Store.open(root), "one", content=b"evil = True\n")
        reader = open_view(SeedReference(path=root), retry_budget=0, sink=events.append)
        assert reader.wheel(digest_of("one")) is None
        assert [event.kind for event in events if isinstance(event, SteppedDown)] == ["damaged-entry"]

    def test_a_document_whose_file_was_changed_is_absent(self, root: Path) -> None:
        seed = WritableSeed.open(root)
        seed.store.publish_document(BUILT, KEY, {"wheel": "one"})
        listing = Listing(seed.store)
        listing.document(BUILT, KEY)
        generation = listing.generation(seed.store)
        with seed.held(timeout=0):
            seed.publish(generation)
        (digest,) = generation.all_files
        path = seed.store.file(digest)
        assert path is not None
        state = path.stat()
        path.chmod(0o644)
        path.write_bytes(path.read_bytes().replace(b"one", b"two"))
        path.chmod(0o444)
        os.utime(path, ns=(state.st_mtime_ns, state.st_mtime_ns))
        assert view(root).document(BUILT, KEY) is None

    def test_reading_writes_nothing(self, root: Path) -> None:
        publish_names(root, ["one"])
        before_it = state_of(root)
        assert view(root).wheel(digest_of("one")) is not None
        assert view(root).wheel(KEY) is None
        assert state_of(root) == before_it


class TestWhatCannotBeRead:
    def test_a_missing_folder(self, root: Path) -> None:
        with pytest.raises(StoreError) as caught:
            view(root)
        assert caught.value.code == "store-missing"
        assert not root.exists()

    def test_a_file(self, root: Path) -> None:
        root.write_bytes(b"")
        with pytest.raises(StoreError) as caught:
            view(root)
        assert caught.value.code == "store-not-a-folder"

    def test_a_folder_of_somebody_else(self, root: Path) -> None:
        root.mkdir(mode=0o755)
        (root / "precious").write_bytes(b"")
        with pytest.raises(StoreError) as caught:
            view(root)
        assert caught.value.code == "store-not-ours"

    def test_an_empty_folder(self, root: Path) -> None:
        root.mkdir(mode=0o755)
        with pytest.raises(StoreError) as caught:
            view(root)
        assert caught.value.code == "store-not-ours"
        assert list(root.iterdir()) == []

    def test_a_store_in_which_nothing_was_published(self, root: Path) -> None:
        Store.open(root)
        with pytest.raises(StoreError) as caught:
            view(root)
        assert caught.value.code == "not-a-seed"
        assert "seed publish" in str(caught.value.hint)

    def test_a_newer_store(self, root: Path) -> None:
        publish_names(root, ["one"])
        document = json.loads((root / "store.json").read_bytes())
        (root / "store.json").unlink()
        (root / "store.json").write_text(json.dumps(document | {"format": 99}))
        with pytest.raises(StoreError) as caught:
            view(root)
        assert caught.value.code == "store-newer-format"

    @unix_only
    def test_a_folder_that_everybody_can_write(self, root: Path) -> None:
        publish_names(root, ["one"])
        root.chmod(0o777)
        with pytest.raises(PolicyError) as caught:
            view(root)
        assert caught.value.code == "store-unsafe"

    def test_a_pointer_to_a_generation_that_is_gone(self, root: Path) -> None:
        digest = publish_names(root, ["one"])
        (root / "generations" / f"{digest}.json").unlink()
        with pytest.raises(StoreError) as caught:
            view(root)
        assert caught.value.code == "generation-missing"

    @unix_only
    def test_a_generation_that_is_collected_between_two_looks_is_not_missed(self, root: Path) -> None:
        old = publish_names(root, ["one"])

        def replace() -> None:
            publish_names(root, ["two"])
            (root / "generations" / f"{old}.json").unlink()

        with before("open", f"{old}.json", replace, module=builtins) as fault:
            assert view(root).wheel(digest_of("two")) is not None
        assert fault.happened

    def test_a_damaged_pointer_is_a_broken_layer(self, root: Path) -> None:
        publish_names(root, ["one"])
        (root / "current").unlink()
        (root / "current").write_bytes(b"\0" * 100)
        with pytest.raises(StoreError) as caught:
            view(root)
        assert caught.value.code == "seed-damaged"

    def test_a_damaged_current_generation_is_a_broken_layer_and_a_pinned_one_an_error(self, root: Path) -> None:
        digest = publish_names(root, ["one"])
        path = root / "generations" / f"{digest}.json"
        path.chmod(0o644)
        path.write_bytes(path.read_bytes()[:-10])
        with pytest.raises(StoreError) as stepped:
            view(root)
        assert stepped.value.code == "generation-damaged"
        with pytest.raises(IntegrityError) as caught:
            view(root, digest)
        assert caught.value.exit_code == 4

    @needs_symlinks
    def test_a_path_below_a_linked_folder_is_as_good_as_any(self, root: Path, tmp_path: Path) -> None:
        publish_names(root, ["one"])
        (tmp_path / "link").symlink_to(tmp_path, target_is_directory=True)
        assert view(tmp_path / "link" / "seed").wheel(digest_of("one")) is not None


def test_pointing_to_a_generation_that_is_not_there_is_refused(root: Path) -> None:
    digest = publish_names(root, ["one"])
    seed = WritableSeed.open(root)
    with seed.held(timeout=0), pytest.raises(StoreError):
        seed.point_to(KEY)
    assert current(root) == digest


def test_a_generation_can_list_what_its_store_has_lost(root: Path) -> None:
    """Then the entry is absent, and no error: the job gets it elsewhere (promise 9)."""
    seed = WritableSeed.open(root)
    generation = listing_of(seed.store, ["one"])
    with seed.held(timeout=0):
        seed.publish(generation)
    os.rename(seed.layout.wheel(digest_of("one")), root / "trash" / "gone")
    assert view(root).wheel(digest_of("one")) is None
