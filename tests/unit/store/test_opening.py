"""A store is made private and whole, and refused when it is not ours, not safe or not usable."""

from __future__ import annotations

import errno
import json
import os
import stat
from typing import TYPE_CHECKING

import pytest
from helpers.capabilities import needs_rights, unix_only
from helpers.faults import failing

from safe_install.errors import ExitCode, PolicyError, SafeInstallError, StoreError
from safe_install.fs import _system
from safe_install.models import Digest
from safe_install.store import opening
from safe_install.store.layout import Layout
from safe_install.store.store import Store

if TYPE_CHECKING:
    from pathlib import Path

DIGEST = Digest("ab" * 32)


def refusal(root: Path) -> SafeInstallError:
    with pytest.raises(SafeInstallError) as caught:
        Store.open(root)
    assert str(root) in caught.value.message
    assert caught.value.hint is not None
    return caught.value


@pytest.fixture(params=["local", "network"])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the file system of the store is taken for."""
    kind: str = request.param
    monkeypatch.setattr(opening, "is_network", lambda path: kind == "network")
    return kind


@pytest.mark.usefixtures("kind")
def test_a_new_store_has_all_its_folders_and_its_marker(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "deep" / "store")
    assert all((store.root / folder).is_dir() for folder in Layout(store.root).folders())
    assert json.loads((store.root / "store.json").read_text())["format"] == 1
    assert os.listdir(store.root / "staging") == []


@unix_only
@pytest.mark.usefixtures("kind")
@pytest.mark.parametrize("umask", [0, 0o077])
def test_a_new_store_is_private_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    old = os.umask(umask)
    try:
        root = Store.open(tmp_path / "store").root
    finally:
        os.umask(old)
    for folder in (root, root / "wheels-1", root / "wheels-1" / "ab", root / "locks"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@unix_only
def test_an_empty_folder_of_ours_becomes_a_private_store(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    os.chmod(tmp_path / "store", 0o777)
    Store.open(tmp_path / "store")
    assert stat.S_IMODE((tmp_path / "store").stat().st_mode) == 0o700


def test_opening_again_changes_nothing(tmp_path: Path) -> None:
    Store.open(tmp_path / "store")
    marker = (tmp_path / "store" / "store.json").stat()
    Store.open(tmp_path / "store")
    assert (tmp_path / "store" / "store.json").stat() == marker


def test_a_relative_path_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Store.open(tmp_path.__class__("store")).root == tmp_path / "store"


@pytest.mark.usefixtures("kind")
@pytest.mark.parametrize("call", ["mkdir", "replace", "fsync"])
def test_a_creation_that_was_cut_short_is_completed(tmp_path: Path, call: str) -> None:
    place = "wheels-1" if call == "mkdir" else ""
    with failing(call, place, errno.EIO) as fault, pytest.raises(StoreError):
        Store.open(tmp_path / "store")
    assert fault.hits
    assert not (tmp_path / "store" / "store.json").exists()
    test_a_new_store_has_all_its_folders_and_its_marker(tmp_path)
    Store.open(tmp_path / "store")
    assert (tmp_path / "store" / "files-1" / "ff").is_dir()


@pytest.mark.parametrize("content", [b"", b"\0" * 50, b"[]", b'{"format": "x"}', b'{"format": 1}'])
def test_a_marker_that_a_crash_left_is_made_again(tmp_path: Path, content: bytes) -> None:
    root = Store.open(tmp_path / "store").root
    (root / "store.json").write_bytes(content)
    Store.open(root)
    assert json.loads((root / "store.json").read_text())["format"] == 1


@pytest.mark.parametrize("place", ["store", "store/below"])
def test_a_file_in_the_place_is_refused(tmp_path: Path, place: str) -> None:
    (tmp_path / "store").touch()
    error = refusal(tmp_path / place)
    assert (error.code, error.exit_code) == ("store-not-a-folder", ExitCode.STORE)


def test_a_folder_with_something_else_in_it_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "project" / "src").mkdir(parents=True)
    error = refusal(tmp_path / "project")
    assert error.code == "store-not-ours"
    assert error.context == ("it holds src",)
    assert os.listdir(tmp_path / "project") == ["src"]


def test_a_store_of_a_newer_format_is_refused(tmp_path: Path) -> None:
    root = Store.open(tmp_path / "store").root
    (root / "store.json").write_text('{"format": 2, "modes": true, "buckets": []}')
    assert refusal(root).code == "store-newer-format"


def test_buckets_of_another_release_are_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "store" / "wheels-2").mkdir(parents=True)
    Store.open(tmp_path / "store")


def test_a_store_of_an_older_release_gets_the_new_buckets_and_keeps_the_others(tmp_path: Path) -> None:
    root = Store.open(tmp_path / "store").root
    (root / "files-1").rename(tmp_path / "taken-away")
    (root / "store.json").write_text('{"format": 1, "modes": true, "buckets": ["wheels-1", "wheels-0"]}')
    Store.open(root)
    assert (root / "files-1" / "ab").is_dir()
    assert {"files-1", "wheels-0", "wheels-1"} <= set(json.loads((root / "store.json").read_text())["buckets"])


@unix_only
@pytest.mark.parametrize(("mode", "who"), [(0o777, "everybody"), (0o707, "everybody"), (0o770, "the group")])
def test_a_store_that_strangers_can_write_is_refused_with_the_command_that_mends_it(
    tmp_path: Path, mode: int, who: str
) -> None:
    root = Store.open(tmp_path / "store").root
    os.chmod(root, mode)
    error = refusal(root)
    assert isinstance(error, PolicyError)
    assert (error.code, error.exit_code) == ("store-unsafe", ExitCode.POLICY)
    assert f"{who} " in error.message
    assert error.hint is not None
    assert f"`chmod go-w {root}`" in error.hint
    os.chmod(root, 0o700)
    Store.open(root)


@unix_only
def test_a_store_of_another_user_is_refused(tmp_path: Path) -> None:
    root = Store.open(tmp_path / "store").root
    try:
        os.chown(root, 12345, -1)
    except PermissionError:
        pytest.skip("only root can give a folder away")
    error = refusal(root)
    assert error.code == "store-unsafe"
    assert "12345" in error.message


@unix_only
def test_a_file_system_that_maps_users_is_no_stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that squashes root makes our own folders belong to nobody, and our new files as well."""
    root = Store.open(tmp_path / "store").root
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    Store.open(root)


@needs_rights
def test_a_store_that_cannot_be_written_is_refused_with_owner_and_mode(tmp_path: Path) -> None:
    root = Store.open(tmp_path / "store").root
    os.chmod(root, 0o500)
    try:
        error = refusal(root)
    finally:
        os.chmod(root, 0o700)
    assert error.code == "store-read-only"
    assert "dr-x------" in error.context[0]


@needs_rights
def test_a_place_where_nothing_can_be_made_is_refused(tmp_path: Path) -> None:
    os.chmod(tmp_path, 0o500)
    try:
        assert refusal(tmp_path / "store").code == "store-read-only"
    finally:
        os.chmod(tmp_path, 0o700)


def test_a_read_only_file_system_is_refused(tmp_path: Path) -> None:
    with failing("mkdir", f"{tmp_path}/store", errno.EROFS):
        assert refusal(tmp_path / "store").code == "store-read-only"


def test_a_full_disk_is_told_as_such(tmp_path: Path) -> None:
    with failing("mkdir", "files-1", errno.ENOSPC):
        assert refusal(tmp_path / "store").code == "disk-full"


@unix_only
def test_that_modes_are_not_kept_is_found_by_trying(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A share or vfat gives every file one mode; that is no damage there."""
    real = _system.seal

    def forgetful(descriptor: int, path: str, *, executable: bool, time: int) -> None:
        real(descriptor, path, executable=executable, time=time)
        os.fchmod(descriptor, 0o755)

    with monkeypatch.context() as patch:
        patch.setattr(opening, "seal", forgetful)
        store = Store.open(tmp_path / "store")
    with store.stage_tree() as writer:
        writer.add("a.py", [b"x"], executable=False)
        tree = store.publish_wheel(writer.folder, writer.finish(digest=DIGEST, filename="a.whl"))
    os.chmod(tree.tree / "a.py", 0o755)
    assert Store.open(tmp_path / "store").wheel(DIGEST) is not None


def test_a_marker_that_another_process_is_writing_is_nothing_foreign(tmp_path: Path) -> None:
    root = tmp_path / "store"
    root.mkdir(mode=0o700)
    (root / "store.json.84a769582ef6.tmp").write_bytes(b"{")
    Store.open(root)
    assert (root / "store.json").is_file()
