"""Spellings of paths that only Windows has."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from safe_install.fs._system import CREATE, seal, system_path
from safe_install.fs.filesystem import is_network

if TYPE_CHECKING:
    from helpers.command import Command
    from helpers.stocked_index import StockedIndex


def as_share(path: Path) -> Path:
    """*path* over the share that Windows has of each drive, for administrators."""
    share = Path(f"\\\\localhost\\{path.drive[0]}$", *path.parts[1:])
    if not share.is_dir():
        pytest.skip("the shares of drives are for administrators, and are switched off here")
    return share


def test_every_spelling_becomes_one_without_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    here = f"\\\\?\\{tmp_path}"
    assert system_path("a/b") == f"{here}\\a\\b"
    assert system_path(f"{tmp_path.drive}a") == f"{here}\\a"
    assert system_path("\\a") == f"\\\\?\\{tmp_path.drive}\\a"
    assert system_path("\\\\server\\share\\a") == "\\\\?\\UNC\\server\\share\\a"
    assert system_path(here) == here
    assert system_path("\\\\.\\NUL") == "\\\\.\\NUL"


def test_time_of_a_file_is_set_through_the_descriptor_that_wrote_it(tmp_path: Path) -> None:
    """NTFS sets the time of the last write when a descriptor that has written is closed, unless it was set through that one.

    Wine has no such habit, so this looks whether the path is needed.
    """
    path = tmp_path / "file"
    descriptor = os.open(path, CREATE)
    os.write(descriptor, b"x")
    seal(descriptor, str(tmp_path / "no such file"), executable=False, time=10**18)
    os.close(descriptor)
    assert path.stat().st_mtime_ns == 10**18


def test_environment_and_store_relative_to_a_drive(command: Command, index: StockedIndex) -> None:
    index.wheel("demo")
    drive = command.folder.drive
    command("install", "demo", "--venv", f"{drive}env", "--cache-dir", f"{drive}store")
    assert command.installed(command.folder / "env") == {"demo": "1.0"}
    assert (command.folder / "store" / "store.json").is_file()


def test_environment_and_store_on_a_share(command: Command, index: StockedIndex) -> None:
    index.wheel("demo")
    share = as_share(command.folder)
    assert is_network(share)
    command("install", "demo", "--venv", share / "env", "--cache-dir", share / "store")
    assert command.installed(command.folder / "env") == {"demo": "1.0"}
    assert command.run_python("import demo; print(demo.__version__)", share / "env") == "1.0"


@pytest.mark.parametrize("name", ["aux.py", "con", "x. ", "nul.txt", "a:b"])
def test_name_that_windows_reserves_is_refused_before_anything_is_written(
    command: Command, index: StockedIndex, name: str
) -> None:
    index.wheel("demo", files={f"demo/{name}": b"x"})
    with command.unchanged():
        command("install", "demo", code=4)
    assert command.litter() == []


def test_names_of_two_wheels_that_differ_in_case_are_one_file(command: Command, index: StockedIndex) -> None:
    index.wheel("first", files={"shared/Data.txt": b"first"})
    index.wheel("second", files={"shared/data.TXT": b"second"})
    result = command("install", "first", "second")
    assert [down["kind"] for down in result.report["step_downs"]] != []  # type: ignore[index]
    assert os.listdir(command.venv / "Lib" / "site-packages" / "shared") in (["Data.txt"], ["data.TXT"])
