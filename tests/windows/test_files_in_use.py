"""Files that a running program has open: what can be moved aside is replaced, what cannot is named, and nothing is half done."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from helpers.command import Command
    from helpers.stocked_index import StockedIndex


def library() -> bytes:
    """A library that Windows can load."""
    return Path(sys.base_prefix, "DLLs", "_queue.pyd").read_bytes()


@contextmanager
def loaded(path: Path) -> Iterator[None]:
    """Another process has the library at *path* loaded."""
    code = "import ctypes, sys; library = ctypes.WinDLL(sys.argv[1]); print('loaded', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "loaded\n"
        yield
        process.communicate()


def offer(index: StockedIndex) -> None:
    index.wheel("demo", "1", files={"demo/native.pyd": library(), "demo/data.txt": b"1"})
    index.wheel("demo", "2", files={"demo/native.pyd": library() + b"\0", "demo/data.txt": b"2"})


def test_library_that_is_loaded_is_replaced(command: Command, index: StockedIndex) -> None:
    """Windows lets it be renamed, and deletes it no sooner than it is unloaded."""
    offer(index)
    command("install", "demo==1")
    place = command.venv / "Lib" / "site-packages" / "demo" / "native.pyd"
    with loaded(place):
        command("install", "demo==2")
        assert place.read_bytes() == library() + b"\0"
        assert command.installed() == {"demo": "2"}
    command("install", "demo==1")
    assert place.read_bytes() == library()
    assert command.litter() == []


def test_library_that_is_loaded_can_be_uninstalled(command: Command, index: StockedIndex) -> None:
    offer(index)
    command("install", "demo==1")
    lock = command.write("requirements.txt", "")
    with loaded(command.venv / "Lib" / "site-packages" / "demo" / "native.pyd"):
        command("sync", lock)
        assert command.installed() == {}
    command("sync", lock)
    assert command.litter() == []


def test_store_is_never_what_a_program_loads(command: Command, index: StockedIndex) -> None:
    offer(index)
    command("install", "demo==1")
    with loaded(command.venv / "Lib" / "site-packages" / "demo" / "native.pyd"):
        command("cache", "clean")
    assert not list(command.store.glob("wheels-1/*/*"))


def test_entry_that_a_program_reads_stays_whole_until_it_is_read(command: Command, index: StockedIndex) -> None:
    offer(index)
    command("install", "demo==1")
    (entry,) = command.store.glob("wheels-1/*/*")
    with (entry / "tree" / "demo" / "data.txt").open("rb"):
        command("cache", "clean")
        assert command("cache", "verify").code == 0
        assert (entry / "manifest.json").is_file()
        assert (entry / "tree" / "demo" / "native.pyd").is_file()
    command("cache", "clean")
    assert not entry.exists()


def test_file_that_a_program_reads_is_named_and_nothing_is_changed(command: Command, index: StockedIndex) -> None:
    offer(index)
    command("install", "demo==1")
    place = command.venv / "Lib" / "site-packages" / "demo" / "data.txt"
    command.variables["SAFE_INSTALL_RETRY_BUDGET"] = "0"
    with place.open("rb"):
        result = command("install", "demo==2", code=7)
        assert result.error == "in-use"
        assert "data.txt" in result.stderr
    assert command.installed() == {"demo": "1"}
    assert place.read_bytes() == b"1"
    command("install", "demo==2")
    assert place.read_bytes() == b"2"
    assert command.litter() == []


def test_read_only_files_are_replaced_and_removed(command: Command, index: StockedIndex) -> None:
    offer(index)
    command("install", "demo==1")
    place = command.venv / "Lib" / "site-packages" / "demo" / "data.txt"
    os.chmod(place, stat.S_IREAD)
    command("install", "demo==2")
    assert place.read_bytes() == b"2"
    os.chmod(place, stat.S_IREAD)
    command("sync", command.write("requirements.txt", ""))
    assert not place.exists()
    assert command.litter() == []
