"""What was published is found; what is absent, half-made or damaged is not; nothing is left in staging."""

from __future__ import annotations

import builtins
import errno
import hashlib
import os
import stat
from typing import TYPE_CHECKING

import pytest
from helpers.capabilities import needs_rights, unix_only
from helpers.faults import failing

from safe_install.errors import IntegrityError, StoreError
from safe_install.events import Event, SteppedDown
from safe_install.models import Digest
from safe_install.store import BUILT, FILES, INDEX, INTERPRETERS, WHEELS, CachedPage, Store, WheelTree
from safe_install.store.layout import Layout

if TYPE_CHECKING:
    from pathlib import Path

DIGEST = Digest("ab" * 32)
CONTENT = b"an sdist"
CONTENT_DIGEST = Digest(hashlib.sha256(CONTENT).hexdigest())


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def store(tmp_path: Path, events: list[Event]) -> Store:
    return Store.open(tmp_path / "store", retry_budget=5, sink=events.append)


def publish(store: Store, *, digest: Digest = DIGEST, content: bytes = b"x = 1\n") -> WheelTree:
    with store.stage_tree() as writer:
        writer.add("demo.py", [content], executable=False)
        writer.add("bin/demo", [b"#!"], executable=True)
        return store.publish_wheel(writer.folder, writer.finish(digest=digest, filename="demo-1-py3-none-any.whl"))


def litter(store: Store) -> list[str]:
    return os.listdir(store.root / "staging") + os.listdir(store.root / "trash")


class TestWheels:
    def test_an_absent_one_is_none_and_nothing_is_told(self, store: Store, events: list[Event]) -> None:
        assert store.wheel(DIGEST) is None
        assert events == []

    def test_what_was_published_is_found_by_another_process(self, store: Store) -> None:
        tree = publish(store)
        found = Store.open(store.root).wheel(DIGEST)
        assert found == tree
        assert (tree.tree / "demo.py").read_bytes() == b"x = 1\n"
        assert tree.folder.is_relative_to(store.root / "wheels-1" / "ab")
        assert litter(store) == []

    def test_the_second_of_two_gets_the_entry_of_the_first(self, store: Store) -> None:
        first = publish(store)
        inode = (first.tree / "demo.py").stat().st_ino
        second = publish(store)
        assert second == first
        assert (second.tree / "demo.py").stat().st_ino == inode
        assert litter(store) == []

    def test_what_was_staged_and_not_published_is_removed(self, store: Store) -> None:
        with store.stage_tree() as writer:
            writer.add("demo.py", [b"x"], executable=False)
            assert writer.folder.parent == store.root / "staging"
        assert litter(store) == []

    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
    def test_after_an_error_nothing_is_left(self, store: Store, error: type[BaseException]) -> None:
        def work() -> None:
            with store.stage_tree() as writer:
                writer.add("demo.py", [b"x"], executable=False)
                raise error

        with pytest.raises(error):
            work()
        assert litter(store) == []

    def test_a_tree_that_changed_while_it_was_staged_is_not_published(self, store: Store) -> None:
        with store.stage_tree() as writer:
            writer.add("demo.py", [b"x"], executable=False)
            manifest = writer.finish(digest=DIGEST, filename="demo.whl")
            os.unlink(writer.folder / "tree" / "demo.py")
            with pytest.raises(StoreError) as caught:
                store.publish_wheel(writer.folder, manifest)
        assert caught.value.code == "staging-damaged"
        assert store.wheel(DIGEST) is None

    def test_what_was_staged_can_be_published_after_a_failed_try(self, store: Store) -> None:
        with store.stage_tree() as writer:
            writer.add("demo.py", [b"x"], executable=False)
            manifest = writer.finish(digest=DIGEST, filename="demo.whl")
            with failing("rename", "staging", errno.EIO), pytest.raises(StoreError):
                store.publish_wheel(writer.folder, manifest)
            assert store.wheel(DIGEST) is None
            store.publish_wheel(writer.folder, manifest)
        assert store.wheel(DIGEST) is not None

    @pytest.mark.parametrize("content", [None, b"", b"{}"])
    def test_an_entry_without_a_valid_manifest_is_absent_and_made_again(
        self, store: Store, content: bytes | None
    ) -> None:
        manifest = publish(store).folder / "manifest.json"
        os.unlink(manifest)
        if content is not None:
            manifest.write_bytes(content)
        assert store.wheel(DIGEST) is None
        assert publish(store).damage() == []
        assert store.wheel(DIGEST) is not None
        assert litter(store) == []

    def test_a_damaged_entry_is_a_miss_that_is_told_and_made_again(self, store: Store, events: list[Event]) -> None:
        path = publish(store).tree / "demo.py"
        os.chmod(path, 0o644)
        os.truncate(path, 0)
        assert store.wheel(DIGEST) is None
        assert [event.kind for event in events if isinstance(event, SteppedDown)] == ["damaged-entry"]
        assert "demo.py has 0 bytes instead of 6" in str(events[0])
        publish(store)
        found = store.wheel(DIGEST)
        assert found is not None
        assert (found.tree / "demo.py").read_bytes() == b"x = 1\n"
        assert litter(store) == []

    def test_a_file_in_the_place_of_an_entry_is_moved_aside(self, store: Store) -> None:
        Layout(store.root).wheel(DIGEST).touch()
        assert store.wheel(DIGEST) is None
        publish(store)
        assert store.wheel(DIGEST) is not None

    def test_an_entry_whose_manifest_names_another_wheel_is_absent(self, store: Store) -> None:
        """The name is only the first half of the digest."""
        other = Digest("ab" * 16 + "cd" * 16)
        publish(store, digest=other)
        assert store.wheel(DIGEST) is None
        assert store.wheel(other) is not None

    def test_an_entry_that_another_host_made_is_seen_after_opening_the_folder(self, store: Store) -> None:
        """An NFS client denies a name that it looked up too early, until the folder is opened (measured)."""
        publish(store)
        with failing("open", "manifest.json", FileNotFoundError(2, "denied by a cache"), module=builtins) as fault:
            assert store.wheel(DIGEST) is not None
        assert fault.happened

    @needs_rights
    def test_an_entry_that_may_not_be_read_is_an_error_and_not_a_miss(self, store: Store) -> None:
        folder = publish(store).folder
        os.chmod(folder.parent, 0)
        try:
            with pytest.raises(StoreError) as caught:
                store.wheel(DIGEST)
        finally:
            os.chmod(folder.parent, 0o700)
        assert caught.value.code == "permission-denied"


class TestFiles:
    def test_a_file_is_found_after_it_was_published(self, store: Store) -> None:
        assert store.file(CONTENT_DIGEST) is None
        with store.stage_file() as staged:
            staged.write_bytes(CONTENT)
            path = store.publish_file(staged, CONTENT_DIGEST)
        assert store.file(CONTENT_DIGEST) == path
        assert path.read_bytes() == CONTENT
        if os.name != "nt":
            assert stat.S_IMODE(path.stat().st_mode) == 0o444
        assert litter(store) == []

    def test_a_file_with_another_digest_is_refused(self, store: Store) -> None:
        with store.stage_file() as staged:
            staged.write_bytes(b"something else")
            with pytest.raises(IntegrityError) as caught:
                store.publish_file(staged, CONTENT_DIGEST)
        assert caught.value.code == "hash-mismatch"
        assert CONTENT_DIGEST in caught.value.context[0]
        assert store.file(CONTENT_DIGEST) is None
        assert litter(store) == []

    def test_the_second_of_two_replaces_nothing(self, store: Store) -> None:
        inodes = set()
        for _ in range(2):
            with store.stage_file() as staged:
                staged.write_bytes(CONTENT)
                inodes.add(store.publish_file(staged, CONTENT_DIGEST).stat().st_ino)
        assert len(inodes) == 1

    def test_a_half_made_file_is_absent_and_made_again(self, store: Store) -> None:
        """Where links are missing, a killed process leaves one: with the time of its last write."""
        path = Layout(store.root).file(CONTENT_DIGEST)
        path.write_bytes(CONTENT[:3])
        assert store.file(CONTENT_DIGEST) is None
        with store.stage_file() as staged:
            staged.write_bytes(CONTENT)
            store.publish_file(staged, CONTENT_DIGEST)
        assert store.file(CONTENT_DIGEST) == path
        assert path.read_bytes() == CONTENT
        assert litter(store) == []

    def test_a_staged_file_that_was_not_published_is_removed(self, store: Store) -> None:
        with store.stage_file() as staged:
            staged.write_bytes(b"partial")
        with store.stage_file():
            pass
        assert litter(store) == []


class TestDocuments:
    @pytest.mark.parametrize("bucket", [BUILT, INTERPRETERS])
    def test_the_first_one_stays_unless_it_shall_be_replaced(self, store: Store, bucket: str) -> None:
        assert store.document(bucket, DIGEST) is None
        assert store.publish_document(bucket, DIGEST, {"wheel": "one"}) == {"wheel": "one"}
        assert store.publish_document(bucket, DIGEST, {"wheel": "two"}) == {"wheel": "one"}
        assert store.document(bucket, DIGEST) == {"wheel": "one"}
        assert store.publish_document(bucket, DIGEST, {"wheel": "two"}, replace=True) == {"wheel": "two"}
        assert store.document(bucket, DIGEST) == {"wheel": "two"}
        assert litter(store) == []

    @pytest.mark.parametrize("content", [b"", b"\0" * 40, b"{}"])
    def test_a_damaged_one_is_absent_and_made_again(self, store: Store, content: bytes) -> None:
        Layout(store.root).document(BUILT, DIGEST).write_bytes(content)
        assert store.document(BUILT, DIGEST) is None
        assert store.publish_document(BUILT, DIGEST, {"wheel": "one"}) == {"wheel": "one"}
        assert store.document(BUILT, DIGEST) == {"wheel": "one"}
        assert litter(store) == []


class TestPages:
    @staticmethod
    def page(number: int) -> CachedPage:
        return CachedPage(url="https://index.test/demo/", content_type="text/html", body=b"%d" % number)

    def test_the_newest_one_is_read_and_few_are_kept(self, store: Store) -> None:
        assert store.page(DIGEST) is None
        for number in range(12):
            store.publish_page(DIGEST, self.page(number))
            assert store.page(DIGEST) == self.page(number)
        assert Layout(store.root).page_versions(DIGEST) == [12, 11]
        assert litter(store) == []

    def test_the_newest_valid_one_wins(self, store: Store) -> None:
        for number in range(2):
            store.publish_page(DIGEST, self.page(number))
        newest = Layout(store.root).page(DIGEST, 2)
        os.chmod(newest, 0o644)
        os.truncate(newest, 30)
        assert store.page(DIGEST) == self.page(0)
        store.publish_page(DIGEST, self.page(2))
        assert store.page(DIGEST) == self.page(2)


class TestInfo:
    def test_it_counts_entries_and_bytes_by_bucket(self, store: Store) -> None:
        assert (store.info().entries, store.info().bytes) == (0, 0)
        publish(store)
        with store.stage_file() as staged:
            staged.write_bytes(CONTENT)
            store.publish_file(staged, CONTENT_DIGEST)
        store.publish_document(BUILT, DIGEST, {"wheel": "one"})
        info = store.info()
        assert info.path == store.root
        assert (info.buckets[WHEELS].entries, info.buckets[WHEELS].bytes) == (1, 8)
        assert (info.buckets[FILES].entries, info.buckets[FILES].bytes) == (1, len(CONTENT))
        assert info.buckets[BUILT].entries == 1
        assert info.buckets[INDEX].entries == 0
        assert info.entries == 3

    def test_an_entry_without_a_manifest_does_not_count(self, store: Store) -> None:
        os.unlink(publish(store).folder / "manifest.json")
        assert store.info().entries == 0


@unix_only
@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_what_is_published_is_read_only_and_private_whatever_the_umask(store: Store, umask: int) -> None:
    old = os.umask(umask)
    try:
        tree = publish(store)
    finally:
        os.umask(old)
    assert stat.S_IMODE(tree.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((tree.tree / "demo.py").stat().st_mode) == 0o444
    assert stat.S_IMODE((tree.tree / "bin" / "demo").stat().st_mode) == 0o555
    assert stat.S_IMODE((tree.folder / "manifest.json").stat().st_mode) & 0o333 == 0
