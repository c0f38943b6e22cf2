"""One store of three real users, each with another umask, and stores that strangers can write."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest
from helpers.capabilities import unix_only
from helpers.command import Command
from helpers.users import GROUP, STRANGERS, needed_python_of_strangers, open_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from helpers.stocked_index import StockedIndex

pytestmark = unix_only

SOURCE = "__version__ = '1.0'\n"
UMASKS = (0o077, 0o022, 0o000)


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as found:
        yield found


@pytest.fixture
def members(folder: Path, index: StockedIndex) -> list[Command]:
    """Three users of one group, with a store that is not there yet."""
    python, packages = needed_python_of_strangers()
    index.wheel("demo", files={"demo/__init__.py": SOURCE})
    index.sdist("built")
    found = []
    for user, umask in zip(STRANGERS, UMASKS, strict=True):
        member = Command(
            home=folder / f"home-{user}",
            folder=folder / f"work-{user}",
            variables={"PYTHONPATH": packages, "SAFE_INSTALL_CACHE_DIR": str(folder / "store")},
            user=user,
            group=GROUP,
            umask=umask,
            python=python,
        )
        member.use(index)
        found.append(member)
    return found


def prepare(folder: Path, index: StockedIndex, command: Command) -> Path:
    """Make the store as an administrator does."""
    command("cache", "init", "--shared", "group", "--group", str(GROUP), "--cache-dir", folder / "store")
    return folder / "store"


def source(venv: Path) -> Path:
    (found,) = venv.rglob("demo/__init__.py")
    return found


@pytest.mark.parametrize("first", range(3))
def test_three_users_install_edit_and_reinstall(
    folder: Path, index: StockedIndex, command: Command, members: list[Command], first: int
) -> None:
    store = prepare(folder, index, command)
    order = [*members[first:], *members[:first]]
    for number, member in enumerate(order):
        result = member("install", "demo", "built")
        assert member.installed() == {"demo": "1.0", "built": "1.0"}
        assert result.counts["built"] == (1 if number == 0 else 0)
        assert result.counts["locks_passed_by"] == 0
    assert index.files_read() == 2
    for member in order:
        os.chmod(source(member.venv), 0o644)
        source(member.venv).write_text("edited = True\n")
    for member in reversed(order):
        member("install", "demo", "built", "--venv", "again")
        assert source(member.folder / "again").read_text() == SOURCE
    assert command("cache", "verify", "--cache-dir", store).code == 0


def test_everything_in_a_group_store_can_be_used_by_its_members(
    folder: Path, index: StockedIndex, command: Command, members: list[Command]
) -> None:
    store = prepare(folder, index, command)
    for member in members:
        member("install", "demo", "built")
    wrong = []
    for place, folders, files in os.walk(store):
        for name in folders:
            state = os.stat(os.path.join(place, name))
            if (stat.S_IMODE(state.st_mode), state.st_gid) != (0o2775, GROUP):
                wrong.append(f"{place}/{name} {stat.filemode(state.st_mode)} {state.st_gid}")
        for name in files:
            state = os.stat(os.path.join(place, name))
            if not state.st_mode & stat.S_IRGRP or state.st_gid != GROUP:
                wrong.append(f"{place}/{name} {stat.filemode(state.st_mode)} {state.st_gid}")
            if os.path.basename(place) == "locks" and not state.st_mode & stat.S_IWGRP:
                wrong.append(f"{place}/{name} {stat.filemode(state.st_mode)}")
    assert wrong == []


def test_any_member_repairs_what_another_published(
    folder: Path, index: StockedIndex, command: Command, members: list[Command]
) -> None:
    store = prepare(folder, index, command)
    members[0]("install", "demo")
    (manifest,) = (store / "wheels-1").glob("*/*/manifest.json")
    os.truncate(manifest, 5)
    result = members[1]("install", "demo")
    assert source(members[1].venv).read_text() == SOURCE
    assert result.counts["repaired"] == 1
    members[2]("cache", "clean")
    assert command("cache", "verify", "--cache-dir", store).code == 0


def test_a_folder_prepared_for_a_group_becomes_its_store(folder: Path, members: list[Command]) -> None:
    store = folder / "store"
    store.mkdir()
    os.chown(store, STRANGERS[2], GROUP)
    os.chmod(store, 0o2770)
    for member in members:
        member("install", "demo")
    assert stat.S_IMODE((store / "staging").stat().st_mode) == 0o2775


def test_the_store_of_another_user_is_refused_with_the_command_that_mends_it(
    folder: Path, members: list[Command]
) -> None:
    members[0].variables["SAFE_INSTALL_CACHE_DIR"] = str(members[0].home / "store")
    members[0]("install", "demo")
    os.chmod(members[0].home, 0o755)
    os.chmod(members[0].home / "store", 0o755)
    members[1].variables["SAFE_INSTALL_CACHE_DIR"] = str(members[0].home / "store")
    result = members[1]("install", "demo", code=9)
    assert result.error == "store-unsafe"
    assert f"chown -R {STRANGERS[1]} " in result.stderr


@pytest.mark.parametrize("mode", [0o777, 0o2777, 0o770, 0o707])
def test_a_store_that_strangers_can_write_is_refused_with_the_command_that_mends_it(
    command: Command, index: StockedIndex, mode: int
) -> None:
    index.wheel("demo")
    command("install", "demo")
    os.chmod(command.store, mode)
    result = command("install", "demo", "--venv", "second", code=9)
    assert result.error == "store-unsafe"
    advice = result.stderr.partition("run `")[2].partition("`")[0]
    assert os.system(advice) == 0
    command("install", "demo", "--venv", "second")


def test_a_public_store_is_read_by_everybody_and_written_by_its_owner(
    folder: Path, index: StockedIndex, command: Command, members: list[Command]
) -> None:
    store = folder / "store"
    offered = index.wheel("other")
    command("cache", "init", "--shared", "public", "--cache-dir", store)
    command("install", "other", "--cache-dir", store)
    assert stat.S_IMODE((store / "wheels-1").stat().st_mode) == 0o755
    assert members[0]("install", "other", code=7).error == "store-read-only"
    requirements = members[0].write("requirements.txt", f"other==1.0 --hash=sha256:{offered.sha256}\n")
    os.chmod(requirements, 0o644)
    own = members[0].home / "own"
    result = members[0](
        "sync", "requirements.txt", "--scope", "job", "--cache-dir", own, "--runner-dir", store, "--trust", "untrusted"
    )
    assert members[0].installed() == {"other": "1.0"}
    assert result.counts["fetched"] == 0
