"""`sync` on every file system: the best way that works there is taken, and told in the report."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest
from helpers.command import Command
from helpers.disks import KINDS
from helpers.herd import Herd, damage_of, write_lock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from helpers.command import Result
    from helpers.disks import Disk, Disks
    from helpers.stocked_index import StockedIndex

NUMBER = 40
FILES = {
    **{f"large/{number}.py": f"n = {number}\n" * 1000 for number in range(NUMBER)},
    "large/__init__.py": "",
    "large/zeros.bin": bytes(300_000),
}


@pytest.fixture(params=sorted(KINDS))
def disk(request: pytest.FixtureRequest, disks: Disks) -> Disk:
    return disks.get(request.param)


@pytest.fixture
def place(disk: Disk) -> Iterator[Path]:
    """A new folder on the disk."""
    folder = disk.folder()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def lock(index: StockedIndex, tmp_path: Path) -> Path:
    """A wheel with many files and a script, and an sdist."""
    entry_points = "[console_scripts]\nlarge = large:main\n"
    offered = [index.wheel("large", files=FILES, entry_points=entry_points), index.sdist("built")]
    return write_lock(tmp_path / "pylock.toml", index, *offered)


@pytest.fixture
def command(place: Path, index: StockedIndex) -> Iterator[Command]:
    """All that the command uses, on the disk."""
    command = Command(home=place / "home", folder=place / "work")
    command.use(index)
    yield command
    assert command.litter() == []


def best(disk: Disk) -> str:
    return "reflink" if disk.kind.reflinks else "hardlink"


def check(result: Result, mode: str, command: Command, venv: Path | None = None) -> None:
    """Hold a call to *mode*, and its environment to being whole."""
    assert result.report is not None
    assert result.report["layout"]["link_mode"] == mode
    assert {each["link_mode"] for each in result.report["distributions"]} == {mode}
    assert command.installed(venv) == {"large": "1.0", "built": "1.0"}
    code = "import large, built; from importlib import resources as r; print(len((r.files(large) / 'zeros.bin').read_bytes()))"
    assert command.run_python(code, venv) == "300000"
    store = list(command.store.glob("wheels-1/*/*/tree/large/3.py"))
    (there,) = (venv or command.venv).rglob("large/3.py")
    assert [os.path.samefile(each, there) for each in store] == [mode == "hardlink"]
    assert damage_of(command.store) == []


def step_downs(result: Result) -> list[str]:
    assert result.report is not None
    return [each["reason"] for each in result.report["step_downs"] if each["kind"] == "link-mode"]


def test_cold_and_warm_the_best_way_is_taken(disk: Disk, command: Command, lock: Path, index: StockedIndex) -> None:
    cold = command("sync", lock)
    check(cold, best(disk), command)
    index.forget()
    warm = command("sync", lock, "--venv", command.folder / "second")
    check(warm, best(disk), command, command.folder / "second")
    assert index.requests == []
    assert warm.counts["reused"] == 2
    assert step_downs(cold) == step_downs(warm) == []
    assert cold.report is not None
    if not disk.kind.reflinks:
        assert cold.report["layout"]["link_mode_reason"].startswith("reflink failed with: ")


@pytest.mark.parametrize("which", ["store", "environment"])
def test_to_another_device_files_are_copied_and_the_reason_is_told_once(
    command: Command, lock: Path, tmp_path: Path, which: str
) -> None:
    if which == "environment":
        command = Command(
            home=tmp_path / "home",
            folder=command.folder,
            variables={
                "SAFE_INSTALL_INDEX_URL": command.variables["SAFE_INSTALL_INDEX_URL"],
            },
        )
        venv = command.venv
    else:
        venv = tmp_path / "elsewhere" / ".venv"
    result = command("sync", lock, "--venv", venv)
    check(result, "copy", command, venv)
    (told,) = step_downs(result)
    assert "different file systems" in told
    assert result.stderr.count("different file systems") == 1


@pytest.mark.parametrize("mode", ["reflink", "hardlink", "copy"])
def test_a_mode_that_is_asked_for_is_taken_or_fails(disk: Disk, command: Command, lock: Path, mode: str) -> None:
    if mode == "reflink" and not disk.kind.reflinks:
        with command.unchanged():
            failed = command("sync", lock, "--link-mode", mode, code=7)
        assert failed.error == "link-mode-impossible"
        return
    check(command("sync", lock, "--link-mode", mode), mode, command)


def test_strict_isolation_shares_no_file(disk: Disk, command: Command, lock: Path) -> None:
    result = command("sync", lock, "--isolation", "strict")
    check(result, "reflink" if disk.kind.reflinks else "copy", command)
    assert len(step_downs(result)) == (0 if disk.kind.reflinks else 1)


def test_a_herd_of_four(disk: Disk, place: Path, lock: Path, index: StockedIndex) -> None:
    with Herd(place, index, size=4, store=place / "store") as herd:
        herd.start("sync", lock)
        for result in herd.wait():
            assert result.report is not None
            assert result.report["layout"]["link_mode"] == best(disk)
        assert index.count("/files/*/large*") == 1
        assert herd.built("built") == 1
    assert damage_of(place / "store") == []
