"""Mounts that are special: two of one disk, read-only ones, small ones, and one that takes `A` and `a` for one name."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from helpers.command import Command
from helpers.herd import damage_of, write_lock
from helpers.users import STRANGERS, needed_python_of_strangers, open_folder

from safe_install.events import ignore
from safe_install.fs.link import LinkEntry, Linker
from safe_install.models import LinkMode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from helpers.disks import Disk, Disks
    from helpers.stocked_index import StockedIndex

PROTECTED = "/proc/sys/fs/protected_hardlinks"


@pytest.fixture(params=["ext4", "xfs"])
def disk(request: pytest.FixtureRequest, disks: Disks) -> Disk:
    return disks.get(request.param)


@pytest.fixture
def command(disk: Disk, index: StockedIndex) -> Iterator[Command]:
    folder = disk.folder()
    command = Command(home=folder / "home", folder=folder / "work")
    command.use(index)
    yield command
    assert command.litter() == []
    shutil.rmtree(folder)


@contextlib.contextmanager
def read_only(disks: Disks, folder: Path) -> Iterator[Path]:
    """A second mount of *folder*, which can only be read."""
    place = disks.mount("--bind", folder)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", place], check=True)
        yield place
    finally:
        disks.unmount(place)


def test_a_store_that_can_only_be_read_is_no_first_layer(command: Command, disks: Disks, index: StockedIndex) -> None:
    index.wheel("demo")
    command("install", "demo")
    shutil.rmtree(command.venv)
    with read_only(disks, command.store) as place, command.unchanged():
        failed = command("install", "demo", "--cache-dir", place, code=7)
    assert failed.error == "store-read-only"


def test_a_seed_that_can_only_be_read_serves_all(
    command: Command, disk: Disk, disks: Disks, index: StockedIndex
) -> None:
    """Both mounts are of one disk: blocks can be shared between them, names cannot."""
    lock = write_lock(command.folder / "pylock.toml", index, index.wheel("demo"))
    command("sync", lock)
    command("seed", "publish", command.folder / "seed", lock)
    shutil.rmtree(command.venv)
    shutil.rmtree(command.store)
    with read_only(disks, command.folder / "seed") as seed:
        result = command("sync", lock, "--seed", seed, "--offline")
    assert result.report is not None
    assert {each["layer"] for each in result.report["distributions"]} == {"seed 1"}
    assert result.report["layout"]["link_mode"] == ("reflink" if disk.kind.reflinks else "copy")
    reasons = [each["reason"] for each in result.report["step_downs"] if each["kind"] == "link-mode"]
    assert ["different mounts of one" in reason for reason in reasons] == ([] if disk.kind.reflinks else [True])
    assert command.installed() == {"demo": "1.0"}


def test_an_environment_that_can_only_be_read_is_not_changed(
    command: Command, disks: Disks, index: StockedIndex
) -> None:
    index.wheel("demo")
    index.wheel("other")
    command("install", "demo")
    with read_only(disks, command.folder) as folder, command.unchanged():
        failed = command("install", "other", "--venv", folder / ".venv", code=8)
    assert failed.error == "environment-read-only"


@pytest.mark.parametrize("limit", ["size", "nr_inodes"])
@pytest.mark.parametrize("which", ["store", "environment"])
def test_a_disk_that_becomes_full_leaves_both_whole(
    disks: Disks, index: StockedIndex, tmp_path: Path, which: str, limit: str
) -> None:
    base = index.wheel("base")
    large = index.wheel("large", files={f"large/{number}.bin": os.urandom(100_000) for number in range(200)})
    locks = [write_lock(tmp_path / "1.toml", index, base), write_lock(tmp_path / "2.toml", index, base, large)]
    small = disks.mount("-t", "tmpfs", "none")
    try:
        home, folder = (small, tmp_path) if which == "store" else (tmp_path, small)
        command = Command(home=home / "home", folder=folder / "work")
        command.use(index)
        command("sync", locks[0])
        state = os.statvfs(small)
        used = (state.f_blocks - state.f_bfree) * state.f_frsize + 3_000_000
        if limit == "nr_inodes":
            used = state.f_files - state.f_ffree + 100
        subprocess.run(["mount", "-o", f"remount,{limit}={used}", small], check=True)
        with command.unchanged():
            failed = command("sync", locks[1], code=7)
        assert failed.error == "disk-full"
        assert command.installed() == {"base": "1.0"}
        assert damage_of(command.store) == []
    finally:
        disks.unmount(small)


def test_links_from_one_mount_do_not_cost_another_one_its_own(disks: Disks) -> None:
    """A seed is mounted into a container from the disk on which job layer and environment lie."""
    folder = disks.get("ext4").folder()
    for name in ("seed", "layer", "env"):
        (folder / name).mkdir()
    for name in ("seed", "layer"):
        (folder / name / f"of-{name}").write_text(name)
        (folder / name / f"more-of-{name}").write_text(name)
    seed = disks.mount("--bind", folder / "seed")
    linker = Linker(LinkMode.AUTO, sink=ignore)
    try:
        for name, source in (("seed", seed), ("layer", folder / "layer")):
            entries = [LinkEntry(f"{prefix}of-{name}", executable=False) for prefix in ("", "more-")]
            linker.link_files(str(source), str(folder / "env"), entries)
        assert linker.used == {LinkMode.COPY: 2, LinkMode.HARDLINK: 2}
    finally:
        disks.unmount(seed)
        shutil.rmtree(folder)


def test_files_of_another_user_are_copied_where_the_system_protects_them(index: StockedIndex) -> None:
    """``fs.protected_hardlinks``: only its owner, or who can write it, may give a file another name."""
    python, packages = needed_python_of_strangers()
    with open(PROTECTED, encoding="ascii") as file:
        if file.read().strip() != "1":
            pytest.skip("this system lets everybody link everything")
    code = """\
import sys
from safe_install.errors import StoreError
from safe_install.fs.link import LinkEntry, Linker
from safe_install.fs import link
from safe_install.models import LinkMode
link.reflinks = lambda: False
entries = [LinkEntry("file", executable=False)]
events = []
linker = Linker(LinkMode.AUTO, sink=events.append)
linker.link_files(sys.argv[1], sys.argv[2], entries)
print(*(mode.value for mode in linker.used), len(events), linker.reason)
try:
    Linker(LinkMode.HARDLINK, sink=events.append).link_files(sys.argv[1], sys.argv[2], entries)
except StoreError as error:
    print(error.code)
"""
    with open_folder() as folder:
        (folder / "store").mkdir()
        (folder / "store" / "file").write_text("x")
        (folder / "store" / "file").chmod(0o444)
        (folder / "env").mkdir()
        os.chown(folder / "env", STRANGERS[0], STRANGERS[0])
        said = subprocess.run(
            [python, "-c", code, folder / "store", folder / "env"],
            env={"PYTHONPATH": packages},
            user=STRANGERS[0],
            group=STRANGERS[0],
            extra_groups=[],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.splitlines()
    assert said[0].startswith("copy 1 hardlink failed with: Operation not permitted")
    assert "fs.protected_hardlinks" in said[0]
    assert said[1] == "link-mode-impossible"


def test_names_that_differ_in_case_alone_meet_where_case_is_ignored(disks: Disks, index: StockedIndex) -> None:
    folder = disks.get("ext4-casefold").folder()
    (folder / "env").mkdir()
    subprocess.run(["chattr", "+F", folder / "env"], check=True)
    command = Command(home=folder / "home", folder=folder / "env" / "work")
    command.use(index)
    index.wheel("first", files={"Shared/module.py": "a = 1\n"})
    index.wheel("second", files={"shared/MODULE.py": "a = 2\n"})
    result = command("install", "first", "second")
    assert result.report is not None
    assert "file-conflict" in [each["kind"] for each in result.report["step_downs"]]
    shutil.rmtree(folder)
