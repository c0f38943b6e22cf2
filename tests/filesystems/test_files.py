"""How single files arrive on every file system, and how they go."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from typing import TYPE_CHECKING

import pytest
from helpers.disks import KINDS

from safe_install.errors import StoreError
from safe_install.events import SteppedDown
from safe_install.fs.link import LinkEntry, Linker
from safe_install.fs.remove import remove_tree
from safe_install.models import LinkMode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from helpers.disks import Disk, Disks

    from safe_install.events import Event

TIME = 978307200 * 10**9 + 2 * 10**9
STRANGER = 65531
MODES = [LinkMode.REFLINK, LinkMode.HARDLINK, LinkMode.COPY]
ENTRIES = [LinkEntry("plain", executable=False), LinkEntry("tool", executable=True)]


@pytest.fixture(params=sorted(KINDS))
def disk(request: pytest.FixtureRequest, disks: Disks) -> Disk:
    return disks.get(request.param)


@pytest.fixture
def place(disk: Disk) -> Iterator[Path]:
    """A folder on the disk with an entry of the store, and one for what is placed."""
    folder = disk.folder()
    (folder / "store").mkdir()
    (folder / "env").mkdir()
    for name, executable in ENTRIES:
        (folder / "store" / name).write_bytes(name.encode() * 10_000)
        os.chmod(folder / "store" / name, 0o555 if executable else 0o444)
        os.utime(folder / "store" / name, ns=(TIME, TIME))
    yield folder
    shutil.rmtree(folder)


def link(
    folder: Path, mode: LinkMode, entries: list[LinkEntry], target: Path | None = None
) -> tuple[Linker, list[Event]]:
    events: list[Event] = []
    linker = Linker(mode, sink=events.append, retry_budget=0)
    linker.link_files(str(folder / "store"), str(target or folder / "env"), entries)
    return linker, events


def possible(disk: Disk, mode: LinkMode) -> None:
    if mode is LinkMode.REFLINK and not disk.kind.reflinks:
        pytest.skip("files of this disk share no blocks")


@pytest.mark.parametrize("mode", MODES)
def test_content_time_and_mode_arrive(disk: Disk, place: Path, mode: LinkMode) -> None:
    possible(disk, mode)
    old = os.umask(0o027)
    try:
        link(place, mode, ENTRIES)
    finally:
        os.umask(old)
    for name, executable in ENTRIES:
        found = place / "env" / name
        assert found.read_bytes() == name.encode() * 10_000
        assert found.stat().st_mtime_ns == TIME
        mine = 0o750 if executable else 0o640
        stores = 0o555 if executable else 0o444
        assert stat.S_IMODE(found.stat().st_mode) == (stores if mode is LinkMode.HARDLINK else mine)


@pytest.mark.parametrize("mode", [LinkMode.REFLINK, LinkMode.COPY])
def test_owner_access_list_and_attributes_stay_behind(disk: Disk, place: Path, mode: LinkMode) -> None:
    possible(disk, mode)
    source = place / "store" / "plain"
    # The list of access rights of user 1000: version 2, then owner, that user, group, mask and others.
    entries = [(1, 6, -1), (2, 7, 1000), (4, 4, -1), (16, 7, -1), (32, 4, -1)]
    acl = (2).to_bytes(4, "little")
    for tag, rights, who in entries:
        acl += tag.to_bytes(2, "little") + rights.to_bytes(2, "little") + (who & 0xFFFFFFFF).to_bytes(4, "little")
    try:
        os.setxattr(source, "system.posix_acl_access", acl)
        os.setxattr(source, "user.note", b"of the store")
    except OSError as error:
        if error.errno != errno.ENOTSUP:
            raise
    was_set = set(os.listxattr(source))
    if os.geteuid() == 0:
        os.chown(source, STRANGER, STRANGER)
    link(place, mode, ENTRIES)
    found = place / "env" / "plain"
    assert (found.stat().st_uid, found.stat().st_gid) == (os.geteuid(), os.getegid())
    assert not was_set & set(os.listxattr(found))


@pytest.mark.parametrize("mode", [LinkMode.REFLINK, LinkMode.COPY])
@pytest.mark.parametrize("end", [b"", b"end"], ids=["hole at the end", "bytes at the end"])
def test_holes_stay_holes(disk: Disk, place: Path, mode: LinkMode, end: bytes, tmp_path: Path) -> None:
    possible(disk, mode)
    size = 8_000_000
    with (place / "store" / "sparse").open("wb") as file:
        file.write(b"begin")
        file.seek(size // 2 + 7)
        file.write(secrets.token_bytes(100))
        file.truncate(size)
        file.seek(size)
        file.write(end)
    content = (place / "store" / "sparse").read_bytes()
    entries = [LinkEntry("sparse", executable=False)]
    link(place, mode, entries)
    # And to another device, where the kernel does not copy by itself.
    (tmp_path / "elsewhere").mkdir()
    link(place, LinkMode.COPY, entries, tmp_path / "elsewhere")
    for found in (place / "env" / "sparse", tmp_path / "elsewhere" / "sparse"):
        assert found.read_bytes() == content
        assert found.stat().st_blocks * 512 < size // 4


@pytest.mark.parametrize("mode", [LinkMode.REFLINK, LinkMode.COPY])
def test_who_writes_the_one_does_not_change_the_other(disk: Disk, place: Path, mode: LinkMode) -> None:
    possible(disk, mode)
    link(place, mode, ENTRIES)
    with (place / "env" / "plain").open("r+b") as file:
        file.write(b"changed")
    assert (place / "store" / "plain").read_bytes() == b"plain" * 10_000


def test_trees_go_whatever_is_wrong_with_them(place: Path) -> None:
    """Rights, depth, read-only files, open files, and links that lead out."""
    outside = place / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    tree = place / "tree"
    deepest = tree.joinpath(*["d"] * 200)
    deepest.mkdir(parents=True)
    for number in range(50):
        (tree / f"{number}").write_text("x")
        os.chmod(tree / f"{number}", 0o400)
    (deepest / "out").symlink_to(outside, target_is_directory=True)
    (tree / "file-out").symlink_to(outside / "kept")
    os.link(outside / "kept", tree / "second name")
    for folder in (deepest, tree / "d" / "d", tree):
        os.chmod(folder, 0o000 if folder is not tree else 0o500)
    with (outside / "kept").open() as held:
        assert remove_tree(tree)
        assert held.read() == "kept"
    assert not tree.exists()
    assert (outside / "kept").read_text() == "kept"
    assert (outside / "kept").stat().st_nlink == 1


def test_a_file_with_as_many_names_as_ext4_allows_is_copied_and_the_rest_linked(disks: Disks) -> None:
    """65,000 environments have the file already."""
    disk = disks.get("ext4")
    folder = disk.folder()
    for name in ("store", "names", "env"):
        (folder / name).mkdir()
    for name in ("full", "fresh"):
        (folder / "store" / name).write_bytes(b"x")
    for number in range(64_999):
        os.link(folder / "store" / "full", folder / "names" / str(number))
    entries = [LinkEntry("full", executable=False), LinkEntry("fresh", executable=False)]
    linker, events = link(folder, LinkMode.AUTO, entries)
    assert linker.used == {LinkMode.COPY: 1, LinkMode.HARDLINK: 1}
    assert not os.path.samefile(folder / "store" / "full", folder / "env" / "full")
    (told,) = (event.message for event in events if isinstance(event, SteppedDown))
    assert told == f"some files are copied: hardlink failed with: {os.strerror(errno.EMLINK)}"
    with pytest.raises(StoreError) as caught:
        link(folder, LinkMode.HARDLINK, entries[:1])
    assert caught.value.code == "link-mode-impossible"
    shutil.rmtree(folder)
