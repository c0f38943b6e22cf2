"""What is checked at each use, when content is read too, and what is put back."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

import pytest
from helpers.capabilities import needs_rights, unix_only
from helpers.faults import NO_LINKS, failing
from helpers.storage import digest_of

from safe_install.errors import StoreError
from safe_install.events import Event, Repaired, SteppedDown, Touched
from safe_install.fs.hashing import content_time
from safe_install.models import Digest, Verification
from safe_install.store import verify
from safe_install.store.layout import BUILT
from safe_install.store.store import Store
from safe_install.store.verify import Checks

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from safe_install.store.trees import WheelTree

DIGEST = Digest("ab" * 32)
CONTENT = b"x = 1\n" * 100
STRANGER = 65531


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def store(tmp_path: Path, events: list[Event]) -> Store:
    return opened(tmp_path, events)


def opened(
    tmp_path: Path, events: list[Event], mode: Verification = Verification.SIZE, *, boot: str | None = "this boot"
) -> Store:
    return Store.open(tmp_path / "store", checks=Checks(mode=mode, boot=boot), retry_budget=5, sink=events.append)


def publish(store: Store) -> WheelTree:
    with store.stage_tree() as writer:
        writer.add("demo/a.py", [CONTENT], executable=False)
        writer.add("demo/b.py", [b""], executable=False)
        writer.add("bin/demo", [b"#!"], executable=True)
        return store.publish_wheel(writer.folder, writer.finish(digest=DIGEST, filename="demo-1-py3-none-any.whl"))


def flip(path: Path) -> None:
    """Change the content alone."""
    state = path.stat()
    os.chmod(path, 0o644)
    path.write_bytes(b"y" + path.read_bytes()[1:])
    os.utime(path, ns=(state.st_mtime_ns, state.st_mtime_ns))
    os.chmod(path, stat.S_IMODE(state.st_mode))


def truncate(path: Path) -> None:
    os.chmod(path, 0o644)
    os.truncate(path, 3)


def rewrite(path: Path) -> None:
    """Other content of the same size."""
    os.chmod(path, 0o644)
    path.write_bytes(b"y" * len(CONTENT))
    os.chmod(path, 0o444)


DAMAGES: dict[str, Callable[[WheelTree], object]] = {
    "size": lambda tree: truncate(tree.tree / "demo/a.py"),
    "time": lambda tree: rewrite(tree.tree / "demo/a.py"),
    "missing": lambda tree: (tree.tree / "demo/b.py").unlink(),
    "extra": lambda tree: (tree.tree / "demo/c.py").touch(),
    "folder": lambda tree: (tree.tree / "demo").rename(tree.tree / "other"),
    "manifest": lambda tree: truncate(tree.folder / "manifest.json"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_found_put_aside_and_counted_as_repaired_when_it_is_there_again(
    store: Store, events: list[Event], damage: str
) -> None:
    DAMAGES[damage](publish(store))
    assert store.wheel(DIGEST) is None
    assert [event.kind for event in events if isinstance(event, SteppedDown)] == ["damaged-entry"]
    assert len(os.listdir(store.root / "quarantine")) == 1
    assert [event for event in events if isinstance(event, Repaired)] == []
    publish(store)
    assert [event.what for event in events if isinstance(event, Repaired)] == [f"wheels-1/{DIGEST[:32]}"]
    assert store.wheel(DIGEST) is not None
    assert len([event for event in events if isinstance(event, Repaired)]) == 1


class TestContent:
    def test_what_was_published_in_this_boot_is_not_read_again(self, store: Store) -> None:
        flip(publish(store).tree / "demo/a.py")
        assert store.wheel(DIGEST) is not None

    @pytest.mark.parametrize("boot", ["another boot", None])
    def test_what_was_published_in_an_earlier_boot_is_read(
        self, tmp_path: Path, store: Store, boot: str | None
    ) -> None:
        flip(publish(store).tree / "demo/a.py")
        assert opened(tmp_path, [], boot=boot).wheel(DIGEST) is None

    def test_it_is_read_once_in_a_boot(self, tmp_path: Path, store: Store) -> None:
        tree = publish(store)
        assert opened(tmp_path, [], boot="another boot").wheel(DIGEST) is not None
        flip(tree.tree / "demo/a.py")
        assert opened(tmp_path, [], boot="another boot").wheel(DIGEST) is not None

    def test_a_note_does_not_hold_for_what_took_the_place_of_the_entry(self, tmp_path: Path, store: Store) -> None:
        tree = publish(store)
        os.rename(tree.folder, tmp_path / "gone")
        publish(store)
        (store.root / "checked" / "this boot").rename(tmp_path / "notes")
        (store.root / "checked" / "this boot").mkdir()
        (note,) = {
            each.name for each in (tmp_path / "notes").iterdir() if f"-{tree_number(tmp_path / 'gone')}-" in each.name
        }
        (store.root / "checked" / "this boot" / note).touch()
        flip(tree.tree / "demo/a.py")
        assert opened(tmp_path, []).wheel(DIGEST) is None

    def test_with_full_it_is_read_always(self, tmp_path: Path, store: Store) -> None:
        flip(publish(store).tree / "demo/a.py")
        assert opened(tmp_path, [], Verification.FULL).wheel(DIGEST) is None

    def test_with_none_nothing_is_looked_at(self, tmp_path: Path, store: Store, events: list[Event]) -> None:
        truncate(publish(store).tree / "demo/a.py")
        assert opened(tmp_path, events, Verification.NONE).wheel(DIGEST) is not None
        assert events == []

    def test_on_a_network_file_system_it_is_read_always(
        self, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(verify, "is_network", lambda path: True)
        flip(publish(store).tree / "demo/a.py")
        assert opened(tmp_path, []).wheel(DIGEST) is None

    @unix_only
    @pytest.mark.parametrize("name", ["tree/demo/b.py", "manifest.json"])
    def test_that_of_another_owner_is_read_always(self, store: Store, name: str) -> None:
        if os.geteuid() != 0:
            pytest.skip("only root can give files away")
        tree = publish(store)
        flip(tree.tree / "demo/a.py")
        os.chown(tree.folder / name, STRANGER, -1)
        assert store.wheel(DIGEST) is None

    def test_a_large_tree_is_read_by_several_threads(self, tmp_path: Path, store: Store) -> None:
        with store.stage_tree() as writer:
            for number in range(5):
                writer.add(f"{number}.bin", [bytes([number]) * (1 << 21)], executable=False)
            tree = store.publish_wheel(writer.folder, writer.finish(digest=DIGEST, filename="x-1-py3-none-any.whl"))
        again = opened(tmp_path, [], Verification.FULL)
        assert again.wheel(DIGEST) == tree
        flip(tree.tree / "3.bin")
        assert again.wheel(DIGEST) is None

    def test_a_disk_that_lost_it_is_damage(self, tmp_path: Path, store: Store, events: list[Event]) -> None:
        publish(store)
        again = opened(tmp_path, events, Verification.FULL)
        with failing("open", "demo/a.py", errno.EIO, times=None):
            assert again.wheel(DIGEST) is None
        assert "cannot be read: Input/output error" in str(events)

    @pytest.mark.parametrize("error", [errno.EMFILE, errno.ENOMEM])
    def test_what_says_nothing_about_the_entry_is_no_damage(self, tmp_path: Path, store: Store, error: int) -> None:
        publish(store)
        again = opened(tmp_path, [], Verification.FULL)
        with failing("open", "demo/a.py", error, times=None), pytest.raises(StoreError):
            again.wheel(DIGEST)
        assert again.wheel(DIGEST) is not None


def tree_number(folder: Path) -> str:
    return f"{(folder / 'manifest.json').stat().st_ino:x}"


@unix_only
class TestTouched:
    @pytest.mark.parametrize("mode", [0o777, 0o644, 0o000, 0o4755])
    def test_modes_are_put_back(self, store: Store, events: list[Event], mode: int) -> None:
        tree = publish(store)
        for path in (tree.tree / "demo/a.py", tree.tree / "bin/demo"):
            os.chmod(path, mode)
        assert store.wheel(DIGEST) == tree
        assert [event.files for event in events if isinstance(event, Touched)] == [2]
        assert stat.S_IMODE((tree.tree / "demo/a.py").stat().st_mode) == 0o444
        assert stat.S_IMODE((tree.tree / "bin/demo").stat().st_mode) == 0o555
        events.clear()
        assert store.wheel(DIGEST) == tree
        assert events == []

    def test_times_are_put_back(self, store: Store, events: list[Event]) -> None:
        tree = publish(store)
        os.utime(tree.tree / "demo/a.py")
        assert store.wheel(DIGEST) == tree
        assert [type(event) for event in events] == [Touched]
        assert (tree.tree / "demo/a.py").stat().st_mtime_ns == content_time(tree.manifest.files[1].sha256)

    def test_of_many_only_those_that_were_touched_are_read(self, store: Store) -> None:
        tree = publish(store)
        flip(tree.tree / "demo/a.py")
        os.utime(tree.tree / "demo/b.py")
        assert store.wheel(DIGEST) is not None

    @needs_rights
    @pytest.mark.parametrize("name", ["tree/demo", "tree", "", "manifest.json"])
    def test_lost_rights_to_read_are_put_back(self, store: Store, events: list[Event], name: str) -> None:
        tree = publish(store)
        os.chmod(tree.folder / name, 0)
        assert store.wheel(DIGEST) == tree
        assert [type(event) for event in events] == [Touched]

    def test_a_store_opened_for_reading_is_left_as_it_is(self, store: Store) -> None:
        tree = publish(store)
        os.chmod(tree.tree / "demo/a.py", 0o644)
        events: list[Event] = []
        reader = Store.open_for_reading(store.root, checks=Checks(boot="this boot"), sink=events.append)
        assert reader.wheel(DIGEST) is None
        assert [type(event) for event in events] == [SteppedDown]
        assert stat.S_IMODE((tree.tree / "demo/a.py").stat().st_mode) == 0o644
        assert os.listdir(store.root / "quarantine") == []


def test_what_was_read_in_a_layer_that_is_not_written_is_noted_in_the_first_one(tmp_path: Path, store: Store) -> None:
    tree = publish(store)
    checks = Checks(boot="another boot")
    Store.open(tmp_path / "first", checks=checks)
    before = sorted(store.root.rglob("*"))
    assert Store.open_for_reading(store.root, checks=checks).wheel(DIGEST) == tree
    assert sorted(store.root.rglob("*")) == before
    flip(tree.tree / "demo/a.py")
    later = Checks(boot="another boot")
    Store.open(tmp_path / "first", checks=later)
    assert Store.open_for_reading(store.root, checks=later).wheel(DIGEST) is not None


class TestFiles:
    @pytest.fixture
    def path(self, store: Store) -> Path:
        with store.stage_file() as staged:
            staged.write_bytes(b"an sdist")
            return store.publish_file(staged, digest_of("an sdist"))

    @pytest.mark.parametrize("harm", [flip, truncate, lambda path: path.unlink() or path.mkdir()])
    def test_their_content_is_always_read(self, store: Store, path: Path, harm: Callable[[Path], None]) -> None:
        harm(path)
        assert store.file(digest_of("an sdist")) is None
        assert len(os.listdir(store.root / "quarantine")) == 1

    @unix_only
    def test_time_and_mode_are_put_back(self, store: Store, path: Path, events: list[Event]) -> None:
        os.chmod(path, 0o644)
        os.utime(path)
        assert store.file(digest_of("an sdist")) == path
        assert [type(event) for event in events] == [Touched]
        assert stat.S_IMODE(path.stat().st_mode) == 0o444
        assert path.stat().st_mtime_ns == content_time(digest_of("an sdist"))


def test_where_links_are_missing_a_file_that_grows_is_left_to_its_writer(tmp_path: Path) -> None:
    with failing("link", "", NO_LINKS, times=None):
        store = Store.open(tmp_path / "store")
    path = store.layout.document(BUILT, DIGEST)
    path.write_bytes(b"half")
    assert store.document(BUILT, DIGEST) is None
    assert path.exists()


def test_notes_of_boots_long_ago_are_removed(tmp_path: Path, store: Store) -> None:
    for name, age in (("old", 8 * 86400), ("recent", 3600)):
        folder = store.root / "checked" / name
        folder.mkdir()
        state = folder.stat()
        os.utime(folder, (state.st_atime - age, state.st_mtime - age))
    publish(store)
    assert sorted(os.listdir(store.root / "checked")) == ["recent", "this boot"]


def test_notes_that_cannot_be_written_cost_nothing_but_time(tmp_path: Path, store: Store) -> None:
    with failing("open", "/checked/", errno.EROFS, times=None):
        tree = publish(store)
        assert store.wheel(DIGEST) == tree
