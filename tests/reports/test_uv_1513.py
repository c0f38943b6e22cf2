"""uv#1513: "Don't fail on incompatible file system setups".

What was reported: the cache is a volume that is mounted into a container, the environment lies in the container, and
installing packages that share ``nvidia/__init__.py`` fails with "failed to rename file from …/.tmpeSt2og/__init__.py to
…/nvidia/__init__.py: No such file or directory". The cause: a file that is there already hides that no hard link can
be made (EEXIST is found before EXDEV), so the way back to a copy was not taken. Here what stands in the place is unlinked
first, whichever way files are placed, and the way is lowered for the devices it does not lead between.

`tests/mutations/7-let-links-work-everywhere` takes the way back out, and these tests fail.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from helpers.command import Command
from helpers.disks import disks
from helpers.environments import install, wheel
from helpers.herd import Herd, damage_of
from helpers.missing_parts import missing
from helpers.stocked_index import StockedIndex

from safe_install.events import SteppedDown
from safe_install.fs.remove import remove_tree
from safe_install.models import LinkMode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from helpers.command import Result
    from helpers.disks import Disks

    from safe_install.events import Event

__all__ = ["disks"]

PARTS = ("cublas", "cusparse", "nvjitlink")
WHOLE = "nvidia-cusolver-cu12"
NAMES = [*(f"nvidia-{part}-cu12" for part in PARTS), WHOLE]
# The first release without the mend is 0.1.3.
REPORTED = "uv==0.1.2"
CHECK = "import nvidia.cublas, nvidia.cusparse, nvidia.nvjitlink, nvidia.cusolver; print(nvidia.__file__ is not None)"


@dataclass(frozen=True)
class Layout:
    """:param store: on one mount, *place*: for environments, on another one. :param reason: why nothing is linked."""

    store: Path
    place: Path
    reason: str = "different file systems"


def two_disks(disks: Disks) -> Layout:
    return Layout(disks.get("xfs").folder(), disks.get("ext4").folder())


def volume_and_container(disks: Disks) -> Layout:
    """As reported: the root of a container is an overlay, and the cache a folder of the disk below it."""
    disk = disks.get("xfs-without-reflinks")
    return Layout(disks.mount("--bind", disk.folder()), disks.overlay(disk.folder()))


def two_folders_mounted(disks: Disks) -> Layout:
    """Both are folders of one disk, but no hard link leads from one mount to another one."""
    disk = disks.get("ext4")
    return Layout(disks.mount("--bind", disk.folder()), disks.mount("--bind", disk.folder()))


def memory_and_disk(disks: Disks) -> Layout:
    return Layout(disks.get("tmpfs").folder(), disks.get("btrfs").folder())


@pytest.fixture(
    params=[two_disks, volume_and_container, two_folders_mounted, memory_and_disk], ids=lambda f: f.__name__
)
def layout(request: pytest.FixtureRequest, disks: Disks) -> Iterator[Layout]:
    layout = request.param(disks)
    yield layout
    for folder in (layout.store, layout.place):
        for each in folder.iterdir():
            remove_tree(each)
        if folder.is_mount():
            disks.unmount(folder)


@pytest.fixture
def index() -> Iterator[StockedIndex]:
    """Four wheels with one file in common, the first one of each."""
    with StockedIndex() as index:
        for part in PARTS:
            library = {f"nvidia/{part}/lib/lib{part}.so.12": os.urandom(100_000)}
            index.wheel(
                f"nvidia-{part}-cu12", files={"nvidia/__init__.py": "", f"nvidia/{part}/__init__.py": "", **library}
            )
        files = {"nvidia/__init__.py": "", "nvidia/cusolver/__init__.py": ""}
        index.wheel(WHOLE, files=files, requires_dist=NAMES[:-1])
        yield index


@pytest.fixture
def command(layout: Layout, index: StockedIndex) -> Command:
    command = Command(home=layout.store / "home", folder=layout.place / "work")
    command.use(index)
    return command


def hold_to_one_note(result: Result, layout: Layout) -> None:
    """All files were copied, and that was told once, with the reason."""
    assert result.report is not None
    assert result.report["layout"]["link_mode"] == "copy"
    (told,) = [each for each in result.report["step_downs"] if each["kind"] == "link-mode"]
    assert layout.reason in told["reason"]
    assert result.stderr.count(layout.reason) == 1


def test_all_at_once(command: Command, layout: Layout) -> None:
    hold_to_one_note(command("install", WHOLE), layout)
    assert command.run_python(CHECK) == "True"
    assert sorted(command.installed()) == sorted(NAMES)
    assert damage_of(command.store) == []


def test_one_after_the_other_in_every_order(layout: Layout, tmp_path: Path) -> None:
    wheels = [
        wheel(layout.store, name, files={"nvidia/__init__.py": "", f"nvidia/{name.split('-')[1]}/__init__.py": ""})
        for name in NAMES
    ]
    for number, order in enumerate(itertools.permutations(wheels)):
        root = layout.place / f"env-{number}"
        for each in order:
            events: list[Event] = []
            install(root, [each], scratch=tmp_path, link_mode=LinkMode.AUTO, sink=events.append)
            (told,) = [event.message for event in events if isinstance(event, SteppedDown)]
            assert layout.reason in told
        (package,) = root.glob("lib/python*/site-packages/nvidia")
        assert sorted(each.name for each in package.iterdir()) == sorted(["__init__.py", "cusolver", *PARTS])
        assert len(list(package.parent.glob("*.dist-info"))) == len(NAMES)


def test_what_one_leaves_the_others_keep(command: Command) -> None:
    command("install", WHOLE)
    lock = command.write("requirements.txt", "".join(f"{name}==1.0\n" for name in NAMES[1:-1]))
    command("sync", lock)
    assert command.run_python("import nvidia.cusparse; print(nvidia.__file__ is not None)") == "True"
    (package,) = command.venv.rglob("site-packages/nvidia")
    assert sorted(each.name for each in package.iterdir()) == ["__init__.py", "cusparse", "nvjitlink"]


def test_in_parallel_into_environments_of_their_own(layout: Layout, index: StockedIndex) -> None:
    with Herd(layout.place / "herd", index, size=6, store=layout.store / "store") as herd:
        herd.start("install", WHOLE)
        for member, result in zip(herd.members, herd.wait(), strict=True):
            hold_to_one_note(result, layout)
            assert member.command.run_python(CHECK) == "True"
    assert damage_of(layout.store / "store") == []


def test_in_parallel_into_one_environment(layout: Layout, index: StockedIndex) -> None:
    venv = layout.place / "shared"
    with Herd(layout.place / "herd", index, size=0, store=layout.store / "store") as herd:
        for name in (*NAMES, *NAMES):
            herd.add("install", "--no-deps", name, "--venv", venv)
        herd.release()
        herd.wait()
        assert herd.members[0].command.run_python(CHECK, venv) == "True"
        assert sorted(herd.members[0].command.installed(venv)) == sorted(NAMES)
    assert damage_of(layout.store / "store") == []


@pytest.mark.index
def test_the_installer_of_the_report_fails_there(disks: Disks, index: StockedIndex, tmp_path: Path) -> None:
    """So that the layout is the reported one. The order of names in a folder of xfs is that in which they were made."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        pytest.skip(f"{REPORTED} was made for other systems")
    layout = two_disks(disks)
    tool = tmp_path / "tool"
    pip: list[str | Path] = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", tool, REPORTED]
    if subprocess.run(pip, check=False, capture_output=True).returncode != 0:
        missing(REPORTED, "configure pip for an index that has it")
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "UV_CACHE_DIR": str(layout.store)}
    environ["VIRTUAL_ENV"] = str(layout.place / "env")

    def uv(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [tool / "bin" / "uv", *arguments], env=environ, capture_output=True, text=True, check=False
        )

    made = uv("venv", "--python", sys.executable, layout.place / "env")
    assert made.returncode == 0, made.stderr
    done = [uv("pip", "install", "--index-url", index.url, "--no-deps", name) for name in NAMES]
    said = "".join(each.stderr for each in done)
    assert done[0].returncode == 0, said
    assert "failed to rename file" in said, said
    assert "/nvidia/__init__.py" in said
    for folder in (layout.store, layout.place):
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(folder)
