"""Paths of more than 260 characters: a store may have them, an environment only where Windows lets others open them."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock
from helpers.command import Command
from helpers.herd import damage_of, write_lock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from helpers.stocked_index import StockedIndex

MODULE = "x" * 120
MEMBER = f"{'d' * 120}/{MODULE}.py"  # 244 characters, as some wheels have


@contextlib.contextmanager
def long_paths(enabled: bool) -> Iterator[None]:
    """Set the machine's own switch for the body, in which no other test may use it."""
    if sys.platform != "win32":
        raise NotImplementedError
    import winreg

    key = r"SYSTEM\CurrentControlSet\Control\FileSystem"
    try:
        place = winreg.CreateKey(winreg.HKEY_LOCAL_MACHINE, key)
    except PermissionError:
        pytest.skip("only an administrator changes this setting")
    with place, FileLock(Path(tempfile.gettempdir(), "safe-install-test-long-paths.lock")):
        try:
            before = winreg.QueryValueEx(place, "LongPathsEnabled")[0]
        except FileNotFoundError:
            before = 0
        winreg.SetValueEx(place, "LongPathsEnabled", 0, winreg.REG_DWORD, int(enabled))
        try:
            yield
        finally:
            winreg.SetValueEx(place, "LongPathsEnabled", 0, winreg.REG_DWORD, before)


def deep(folder: Path) -> Path:
    """A workspace that leaves little of 260 characters, but enough for an empty environment."""
    return folder / ("w" * (200 - len(str(folder))))


def test_store_takes_them_whatever_the_machine_allows(command: Command, index: StockedIndex) -> None:
    file = index.wheel("demo", files={MEMBER: b"value = 1\n"})
    lock = write_lock(command.folder / "pylock.toml", index, file)
    store = deep(command.home) / "store"
    with long_paths(False):
        command("fetch", lock, SAFE_INSTALL_CACHE_DIR=str(store))
        assert damage_of(Path(f"\\\\?\\{store}")) == []
        assert command("cache", "verify", SAFE_INSTALL_CACHE_DIR=str(store)).code == 0
        command("cache", "clean", SAFE_INSTALL_CACHE_DIR=str(store))


def test_environment_that_would_have_them_is_refused_with_what_to_do(command: Command, index: StockedIndex) -> None:
    index.wheel("demo", files={MEMBER: b"value = 1\n"})
    place = deep(command.folder)
    with long_paths(False), command.unchanged():
        result = command("install", "demo", "--venv", place, code=8)
    assert result.error == "path-too-long"
    assert "--venv" in result.stderr or "LongPathsEnabled" in result.stderr
    assert not place.exists()


def test_workspace_that_leaves_no_room_is_refused_with_what_to_do(command: Command) -> None:
    place = command.folder / ("w" * (230 - len(str(command.folder)))) / "env"
    with long_paths(False), command.unchanged():
        result = command("venv", place, code=8)
    assert result.error == "path-too-long"
    assert "with a path of at most" in result.stderr


def test_environment_has_them_where_the_machine_allows(command: Command, index: StockedIndex) -> None:
    index.wheel("demo", files={MEMBER: b"value = 7\n"})
    with long_paths(True):
        command("install", "demo", "--venv", deep(command.folder))
        folder, name = MEMBER.removesuffix(".py").split("/")
        told = command.run_python(f"import {folder}.{name} as found; print(found.value)", deep(command.folder))
        assert told == "7"
        command("sync", command.write("requirements.txt", ""), "--venv", deep(command.folder))
    assert not os.path.lexists(f"\\\\?\\{deep(command.folder)}\\Lib\\site-packages\\{folder}")
