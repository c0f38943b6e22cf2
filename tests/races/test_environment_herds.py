"""Many jobs change one environment, and jobs are killed while they do: it is right in the end (issue 3, point 9)."""

from __future__ import annotations

import random
import signal
import time
from typing import TYPE_CHECKING

import pytest
from helpers.command import Command
from helpers.herd import Herd, write_lock
from helpers.stocked_index import StockedIndex

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROUNDS = 12


@pytest.fixture
def index() -> Iterator[StockedIndex]:
    with StockedIndex() as index:
        yield index


def test_ten_at_once_make_one_environment(tmp_path: Path, index: StockedIndex) -> None:
    files = [
        index.wheel(name, files={f"{name}/{number}.py": "x = 1\n" for number in range(40)}) for name in ("one", "two")
    ]
    lock = write_lock(tmp_path / "pylock.toml", index, *files)
    with Herd(tmp_path, index, size=10, store=tmp_path / "store") as herd:
        herd.start("sync", lock, "--venv", tmp_path / "venv")
        results = herd.wait()
        actions = [action for result in results for action in result.actions.values()]
        assert (actions.count("installed"), actions.count("kept")) == (2, 18)
        member = herd.members[0]
        assert member.command.installed(tmp_path / "venv") == {"one": "1.0", "two": "1.0"}
        assert all(member.command.litter() == [] for member in herd.members)


def test_ten_with_two_locks_leave_what_one_of_them_says(tmp_path: Path, index: StockedIndex) -> None:
    locks = []
    for version in ("1.0", "2.0"):
        files = [
            index.wheel(name, version, files={f"{name}/{number}.py": f"v = {version}\n" for number in range(40)})
            for name in ("one", "two", f"only{version[0]}")
        ]
        locks.append(write_lock(tmp_path / f"pylock.v{version[0]}.toml", index, *files))
    with Herd(tmp_path, index, size=0, store=tmp_path / "store") as herd:
        for number in range(10):
            herd.add("sync", locks[number % 2], "--venv", tmp_path / "venv")
        herd.release()
        herd.wait()
        command = herd.members[0].command
        found = command.installed(tmp_path / "venv")
        version = found["one"]
        assert found == {"one": version, "two": version, f"only{version[0]}": version}
        code = "import importlib, sys; m = __import__('one.39', fromlist=['v']); print(m.v)"
        assert command.run_python(code, tmp_path / "venv") == version


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="nothing ends a process that abruptly")
@pytest.mark.timeout(600)
def test_a_sync_killed_at_any_moment_is_repaired_by_the_next(tmp_path: Path, index: StockedIndex) -> None:
    """Between two sets of versions, so that files are added, removed and replaced; at moments of a known seed."""
    locks = {}
    for version in ("1.0", "2.0"):
        files = [
            index.wheel(name, version, files={f"{name}/{number}.py": f"v = {version}\n" for number in range(60)})
            for name in ("one", "two", "three")
        ]
        locks[version] = write_lock(tmp_path / f"pylock.v{version[0]}.toml", index, *files)
    command = Command(home=tmp_path / "home", folder=tmp_path / "work")
    command.use(index)
    command("sync", locks["2.0"])
    begun = time.monotonic()
    command("sync", locks["1.0"])
    length = time.monotonic() - begun
    moments = random.Random(20261120)
    for number in range(ROUNDS):
        version = "2.0" if number % 2 == 0 else "1.0"
        process = command.start("sync", locks[version])
        try:
            time.sleep(moments.uniform(0.2, 1.0) * length)
        finally:
            process.kill()
            process.communicate()
        command("sync", locks[version])
        assert command.installed() == dict.fromkeys(("one", "two", "three"), version)
        code = "m = [__import__(f'{n}.59', fromlist=['v']) for n in ('one', 'two', 'three')]; print({e.v for e in m})"
        assert command.run_python(code) == f"{{{version}}}"
        left = [path for path in command.venv.rglob("*") if path.suffix == ".py" and path.stem == "0"]
        assert len([path for path in left if path.parent.name in {"one", "two", "three"}]) == 3
