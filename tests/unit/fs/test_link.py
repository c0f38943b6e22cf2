"""Files are placed in the best way that works, found once per pair of devices; only auto falls back."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from typing import TYPE_CHECKING

import pytest
from helpers.capabilities import can_reflink, needs_symlinks, other_device, unix_only
from helpers.faults import failing

from safe_install.errors import ExitCode, StoreError
from safe_install.events import Event, SteppedDown
from safe_install.fs import link
from safe_install.fs.link import LinkEntry, Linker
from safe_install.models import LinkMode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = unix_only
fcntl = pytest.importorskip("fcntl", reason="rights and owners of files as Unix has them")
TIME = 978307200 * 10**9 + 2 * 10**9
ENTRIES = [LinkEntry("module.py", executable=False), LinkEntry("tool", executable=True)]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder as the store has it: read-only files with their times."""
    folder = tmp_path / "store"
    folder.mkdir()
    for name, executable in ENTRIES:
        (folder / name).write_bytes(name.encode() * 1000)
        os.chmod(folder / name, 0o555 if executable else 0o444)
        os.utime(folder / name, ns=(TIME, TIME))
    return folder


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "env"
    folder.mkdir()
    return folder


@pytest.fixture(autouse=True)
def local(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rules of local file systems hold wherever the tests run."""
    monkeypatch.setattr(link, "is_network", lambda place: False)


@pytest.fixture
def without_reflinks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "reflinks", lambda: False)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """A folder on another device."""
    folder = other_device(tmp_path)
    if folder is None:
        pytest.skip("there is no second file system here")
    yield folder
    shutil.rmtree(folder)


def place(mode: LinkMode, source: Path, target: Path) -> tuple[Linker, list[Event]]:
    events: list[Event] = []
    linker = Linker(mode, sink=events.append, retry_budget=0)
    linker.link_files(str(source), str(target), ENTRIES)
    for name, _ in ENTRIES:
        assert (target / name).read_bytes() == name.encode() * 1000
        assert (target / name).stat().st_mtime_ns == TIME
    return linker, events


def same_file(source: Path, target: Path, name: str = "module.py") -> bool:
    return os.path.samefile(source / name, target / name)


def test_hard_links_are_the_files_of_the_store(source: Path, target: Path) -> None:
    linker, events = place(LinkMode.HARDLINK, source, target)
    assert same_file(source, target)
    assert linker.used == {LinkMode.HARDLINK: 2}
    assert linker.reason is None
    assert events == []


@pytest.mark.parametrize("umask", [0o022, 0o002, 0o077])
def test_copies_have_the_modes_that_pip_gives(source: Path, target: Path, umask: int) -> None:
    old = os.umask(umask)
    try:
        linker, events = place(LinkMode.COPY, source, target)
    finally:
        os.umask(old)
    assert not same_file(source, target)
    assert stat.S_IMODE((target / "module.py").stat().st_mode) == 0o666 & ~umask
    assert stat.S_IMODE((target / "tool").stat().st_mode) == 0o777 & ~umask
    assert (linker.used, linker.reason, events) == ({LinkMode.COPY: 2}, None, [])


def test_reflinks_are_files_of_their_own(source: Path, target: Path, tmp_path: Path) -> None:
    if not can_reflink(tmp_path):
        pytest.skip("this file system shares no blocks")
    linker, events = place(LinkMode.REFLINK, source, target)
    assert not same_file(source, target)
    assert (linker.used, events) == ({LinkMode.REFLINK: 2}, [])
    with (target / "module.py").open("r+b") as file:
        file.write(b"changed")
    assert (source / "module.py").read_bytes().startswith(b"module.py")


def test_auto_prefers_what_works_here(source: Path, target: Path, tmp_path: Path) -> None:
    best = LinkMode.REFLINK if can_reflink(tmp_path) else LinkMode.HARDLINK
    linker, events = place(LinkMode.AUTO, source, target)
    assert linker.used == {best: 2}
    assert events == []


def test_a_reflink_that_fails_costs_one_call_for_all_files_of_two_devices(source: Path, tmp_path: Path) -> None:
    """Thousands of files would otherwise each be opened, tried and removed first."""
    linker = Linker(LinkMode.AUTO, sink=lambda event: None)
    with failing("ioctl", "", errno.EOPNOTSUPP, times=None, module=fcntl) as fault:
        for number in range(3):
            (tmp_path / f"env-{number}").mkdir()
            linker.link_files(str(source), str(tmp_path / f"env-{number}"), ENTRIES)
    assert len(fault.hits) == 1
    assert linker.used == {LinkMode.HARDLINK: 6}
    assert linker.reason == f"reflink failed with: {os.strerror(errno.EOPNOTSUPP)}"


@pytest.mark.usefixtures("without_reflinks")
@pytest.mark.parametrize("code", [errno.EXDEV, errno.EPERM, errno.EACCES, errno.EOPNOTSUPP, errno.ENOSYS])
def test_auto_copies_where_links_cannot_be_made_and_says_so_once(
    source: Path, target: Path, tmp_path: Path, code: int
) -> None:
    events: list[Event] = []
    linker = Linker(LinkMode.AUTO, sink=events.append)
    with failing("link", "module.py", code, times=None) as fault:
        linker.link_files(str(source), str(target), ENTRIES)
        (tmp_path / "second").mkdir()
        linker.link_files(str(source), str(tmp_path / "second"), ENTRIES)
    assert len(fault.hits) == 1
    assert linker.used == {LinkMode.COPY: 4}
    assert linker.reason is not None
    assert os.strerror(code) in linker.reason
    assert [event.kind for event in events if isinstance(event, SteppedDown)] == ["link-mode"]


@pytest.mark.usefixtures("without_reflinks")
def test_a_file_with_too_many_names_is_copied_and_the_others_still_linked(source: Path, target: Path) -> None:
    with failing("link", "module.py", errno.EMLINK):
        linker, events = place(LinkMode.AUTO, source, target)
    assert linker.used == {LinkMode.COPY: 1, LinkMode.HARDLINK: 1}
    assert [type(event) for event in events] == [SteppedDown]


def test_a_way_that_goes_on_failing_in_a_way_that_passes_is_left_and_told(source: Path, target: Path) -> None:
    """Some file systems answer a new file's reflink with EAGAIN (uv#19674)."""
    with failing("ioctl", "", errno.EAGAIN, times=None, module=fcntl):
        linker, events = place(LinkMode.AUTO, source, target)
    assert linker.used == {LinkMode.HARDLINK: 2}
    (told,) = (event.message for event in events if isinstance(event, SteppedDown))
    assert told == f"files are linked: reflink failed with: {os.strerror(errno.EAGAIN)}"


def test_a_way_that_fails_for_a_moment_is_tried_again_and_kept(source: Path, target: Path) -> None:
    events: list[Event] = []
    linker = Linker(LinkMode.AUTO, sink=events.append, retry_budget=5)
    with failing("link", "module.py", errno.EAGAIN, times=2) as fault:
        linker.link_files(str(source), str(target), ENTRIES)
    assert len(fault.hits) in {0, 2}  # none where reflinks work
    assert LinkMode.COPY not in linker.used
    assert not any(isinstance(event, SteppedDown) for event in events)


def test_an_explicit_mode_that_goes_on_failing_fails(source: Path, target: Path) -> None:
    with (
        failing("link", "module.py", errno.EAGAIN, times=None),
        pytest.raises(StoreError, match=os.strerror(errno.EAGAIN)),
    ):
        place(LinkMode.HARDLINK, source, target)
    assert os.listdir(target) == []


@pytest.mark.usefixtures("without_reflinks")
def test_files_of_others_that_may_not_be_linked_are_copied_with_that_reason(source: Path, target: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    for name, _ in ENTRIES:
        os.chown(source / name, 65531, 65531)
    with failing("link", "module.py", errno.EPERM, times=None):
        linker, _ = place(LinkMode.AUTO, source, target)
    assert linker.used == {LinkMode.COPY: 2}
    assert linker.reason is not None
    assert "fs.protected_hardlinks" in linker.reason


@pytest.mark.usefixtures("without_reflinks")
def test_a_network_file_system_is_copied_from_without_trying(
    source: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "is_network", lambda place: place == str(source))
    linker, events = place(LinkMode.AUTO, source, target)
    assert linker.used == {LinkMode.COPY: 2}
    assert linker.reason == f"{source} is on a network file system"
    assert [type(event) for event in events] == [SteppedDown]


def test_auto_copies_to_another_device(source: Path, elsewhere: Path) -> None:
    linker, events = place(LinkMode.AUTO, source, elsewhere)
    assert linker.used == {LinkMode.COPY: 2}
    assert [type(event) for event in events] == [SteppedDown]


@pytest.mark.parametrize("mode", [LinkMode.HARDLINK, LinkMode.REFLINK])
def test_an_explicit_mode_is_obeyed_or_fails_with_the_reason(source: Path, elsewhere: Path, mode: LinkMode) -> None:
    with pytest.raises(StoreError) as caught:
        Linker(mode, sink=lambda event: None).link_files(str(source), str(elsewhere), ENTRIES)
    assert caught.value.code == "link-mode-impossible"
    assert caught.value.exit_code is ExitCode.STORE
    assert f"--link-mode {mode.value}" in caught.value.message
    assert os.listdir(elsewhere) == []


@pytest.mark.parametrize("mode", [LinkMode.HARDLINK, LinkMode.COPY])
def test_what_stands_in_the_place_is_unlinked_and_never_written_through(
    source: Path, target: Path, tmp_path: Path, mode: LinkMode
) -> None:
    """The old file may be a hard link into the store of another job."""
    (tmp_path / "old").write_bytes(b"old")
    os.link(tmp_path / "old", target / "module.py")
    place(mode, source, target)
    assert (tmp_path / "old").read_bytes() == b"old"
    assert (tmp_path / "old").stat().st_nlink == 1


@needs_symlinks
@pytest.mark.parametrize("mode", [LinkMode.HARDLINK, LinkMode.COPY])
def test_a_link_in_the_place_is_replaced_and_not_followed(
    source: Path, target: Path, tmp_path: Path, mode: LinkMode
) -> None:
    (tmp_path / "old").write_bytes(b"old")
    (target / "module.py").symlink_to(tmp_path / "old")
    place(mode, source, target)
    assert (tmp_path / "old").read_bytes() == b"old"
    assert not (target / "module.py").is_symlink()


@needs_symlinks
def test_a_link_in_the_store_is_not_followed(source: Path, target: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    os.unlink(source / "module.py")
    (source / "module.py").symlink_to(tmp_path / "secret")
    with pytest.raises(StoreError):
        Linker(LinkMode.COPY, sink=lambda event: None).link_files(str(source), str(target), ENTRIES)
    assert not (target / "module.py").exists()


@pytest.mark.parametrize("call", ["copy_file_range", "utime"])
def test_after_a_failed_copy_nothing_is_in_the_place(source: Path, target: Path, call: str) -> None:
    with failing(call, "module.py", errno.ENOSPC) as fault, pytest.raises(StoreError) as caught:
        place(LinkMode.COPY, source, target)
    assert fault.happened
    assert caught.value.code == "disk-full"
    assert os.listdir(target) == []
    place(LinkMode.COPY, source, target)


def test_a_copy_that_comes_out_short_is_an_error(source: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some file systems answer 0 to `copy_file_range` of a file that is not there yet for them (older Linux)."""
    monkeypatch.setattr(os, "copy_file_range", lambda *arguments: 0)
    monkeypatch.setattr(os, "read", lambda *arguments: b"")
    with pytest.raises(StoreError, match="copied 0 of 9000 bytes"):
        Linker(LinkMode.COPY, sink=lambda event: None).link_files(str(source), str(target), ENTRIES)
    assert os.listdir(target) == []


@pytest.mark.parametrize("code", [errno.EXDEV, errno.ENOSYS, errno.EINVAL])
def test_bytes_are_read_and_written_where_the_kernel_does_not_copy(source: Path, target: Path, code: int) -> None:
    with failing("copy_file_range", "", code, times=None) as fault:
        place(LinkMode.COPY, source, target)
    assert len(fault.hits) == 2


def test_what_passes_is_tried_again(source: Path, target: Path) -> None:
    linker = Linker(LinkMode.HARDLINK, sink=lambda event: None, retry_budget=10)
    with failing("link", "tool", errno.ESTALE, times=2) as fault:
        linker.link_files(str(source), str(target), ENTRIES)
    assert len(fault.hits) == 2
    assert same_file(source, target, "tool")


def test_an_entry_that_vanishes_is_told_as_such(source: Path, target: Path) -> None:
    shutil.rmtree(source)
    with pytest.raises(StoreError) as caught:
        place(LinkMode.HARDLINK, source, target)
    assert caught.value.code == "entry-vanished"


def test_a_folder_in_the_place_is_an_error_that_names_it(source: Path, target: Path) -> None:
    (target / "module.py").mkdir()
    with pytest.raises(StoreError) as caught:
        place(LinkMode.HARDLINK, source, target)
    assert str(target / "module.py") in caught.value.message


def test_descriptors_are_closed(source: Path, target: Path) -> None:
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("reads the tables of Linux's /proc")
    before = len(os.listdir("/proc/self/fd"))
    for mode in (LinkMode.HARDLINK, LinkMode.COPY):
        place(mode, source, target)
    assert len(os.listdir("/proc/self/fd")) == before


class TestOwnFiles:
    """``--isolation strict``: who edits a file of an environment reaches no other one."""

    def test_a_file_is_never_shared_with_its_source(self, source: Path, target: Path) -> None:
        linker = Linker(LinkMode.AUTO, sink=lambda event: None, own_files=True, retry_budget=0)
        linker.link_files(str(source), str(target), ENTRIES)
        assert LinkMode.HARDLINK not in linker.used
        assert not any(same_file(source, target, name) for name, _ in ENTRIES)

    def test_hard_links_are_no_files_of_ones_own(self) -> None:
        with pytest.raises(ValueError, match="shares the file"):
            Linker(LinkMode.HARDLINK, sink=lambda event: None, own_files=True)
