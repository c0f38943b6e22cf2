"""Whatever happened to the store, or was done to what is installed from it: the next install is right (promises 4, 5).

Every kind of damage is done through an environment's own files or in the store itself, in every link mode, by the same
user and by root; then another environment is made from the same store.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from helpers.capabilities import can_reflink, needs_rights, unix_only
from helpers.command import Command
from helpers.users import STRANGERS, needed_python_of_strangers, open_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from helpers.command import Result
    from helpers.stocked_index import StockedIndex

pytestmark = unix_only

SOURCE = "__version__ = '1.0'\n" + "# padding\n" * 50
MODES = ["hardlink", "copy", "reflink"]


def append(path: Path) -> None:
    os.chmod(path, 0o644)
    with path.open("a") as file:
        file.write("raise SystemExit('edited')\n")


def edit(path: Path) -> None:
    """In place, with the size as it was."""
    os.chmod(path, 0o644)
    with path.open("r+") as file:
        file.write("__version__ = 'bad'\n")


def truncate(path: Path) -> None:
    os.chmod(path, 0o644)
    os.truncate(path, 10)


def empty(path: Path) -> None:
    os.chmod(path, 0o644)
    os.truncate(path, 0)


def delete(path: Path) -> None:
    path.unlink()


def change_mode(path: Path) -> None:
    for each in path.parent.rglob("*"):
        os.chmod(each, 0o777)


def take_rights_away(path: Path) -> None:
    os.chmod(path, 0)


def touch(path: Path) -> None:
    os.utime(path)


WAYS: dict[str, Callable[[Path], None]] = {
    each.__name__: each for each in (append, edit, truncate, empty, delete, change_mode, take_rights_away, touch)
}
CONTENT = {"append", "edit", "truncate", "empty"}
"""What changes content that is shared by hard links."""


@pytest.fixture(params=["same user", "root"])
def job(request: pytest.FixtureRequest, command: Command, index: StockedIndex) -> Iterator[Command]:
    """A command of the user who does the damage, or of another one than root, who does it."""
    index.wheel("demo", files={"demo/__init__.py": SOURCE, "demo/other.py": "x = 1\n"})
    if request.param == "same user":
        yield command
        return
    python, packages = needed_python_of_strangers()
    with open_folder() as folder:
        stranger = Command(
            home=folder / "home",
            folder=folder / "work",
            variables={"PYTHONPATH": packages},
            user=STRANGERS[0],
            python=python,
        )
        stranger.use(index)
        yield stranger
        assert stranger.litter() == []


def shares_blocks(job: Command) -> bool:
    with tempfile.TemporaryDirectory(dir=job.home) as folder:
        return can_reflink(Path(folder))


def module(job: Command, venv: Path) -> Path:
    (found,) = venv.rglob("demo/__init__.py")
    return found


def install(job: Command, name: str, *options: str) -> tuple[Path, Result]:
    venv = job.folder / name
    return venv, job("install", "demo==1.0", "--venv", str(venv), *options)


@pytest.mark.parametrize(
    ("mode", "way"), [*((mode, way) for mode in MODES for way in WAYS), ("auto", "edit"), ("auto", "change_mode")]
)
def test_the_next_install_is_right_whatever_was_done_to_an_environment(
    job: Command, index: StockedIndex, mode: str, way: str
) -> None:
    blocks = shares_blocks(job)
    if mode == "reflink" and not blocks:
        pytest.skip("this file system shares no blocks")
    first, _ = install(job, "first", "--link-mode", mode)
    WAYS[way](module(job, first))
    second, result = install(job, "second", "--link-mode", mode)
    assert module(job, second).read_text() == SOURCE
    assert job.run_python("import demo; print(demo.__version__)", second) == "1.0"
    shared = mode == "hardlink" or (mode == "auto" and not blocks)
    assert result.counts["repaired"] == (1 if shared and way in CONTENT else 0)
    assert result.counts["touched"] == (1 if shared and way not in CONTENT | {"delete"} else 0)
    assert index.files_read() == (2 if shared and way in CONTENT else 1)
    if result.counts["repaired"]:
        assert "damaged-entry" in [each["kind"] for each in (result.report or {})["step_downs"]]


def entry(job: Command) -> Path:
    (found,) = (job.store / "wheels-1").glob("*/*/manifest.json")
    return found.parent


def flip_in_time(path: Path) -> None:
    """A flipped bit of a disk: neither size nor time tell."""
    state = path.stat()
    os.chmod(path, 0o644)
    data = bytearray(path.read_bytes())
    data[3] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(state.st_mtime_ns, state.st_mtime_ns))
    os.chmod(path, state.st_mode & 0o777)


def fill_with_zeros(path: Path) -> None:
    """What a crash leaves where the size reached the disk before the content."""
    state = path.stat()
    os.chmod(path, 0o644)
    path.write_bytes(b"\0" * state.st_size)
    os.utime(path, ns=(state.st_mtime_ns, state.st_mtime_ns))
    os.chmod(path, state.st_mode & 0o777)


def boot(job: Command) -> None:
    """Let what was noted be of an earlier boot."""
    for place in (job.store / "checked").iterdir():
        place.rename(place.with_name("an-earlier-boot"))


def put_file_for(entry: Path) -> None:
    shutil.rmtree(entry)
    entry.touch()


def put_link_for(path: Path) -> None:
    path.unlink()
    path.symlink_to("__init__.py")


DAMAGES: dict[str, Callable[[Path], None]] = {
    "truncated file": lambda entry: truncate(entry / "tree/demo/__init__.py"),
    "empty file": lambda entry: empty(entry / "tree/demo/__init__.py"),
    "missing file": lambda entry: (entry / "tree/demo/other.py").unlink(),
    "missing folder": lambda entry: shutil.rmtree(entry / "tree/demo"),
    "missing tree": lambda entry: shutil.rmtree(entry / "tree"),
    "extra file": lambda entry: (entry / "tree/demo/extra.py").touch(),
    "link for a file": lambda entry: put_link_for(entry / "tree/demo/other.py"),
    "empty manifest": lambda entry: empty(entry / "manifest.json"),
    "flipped manifest": lambda entry: flip_in_time(entry / "manifest.json"),
    "missing manifest": lambda entry: (entry / "manifest.json").unlink(),
    "file for the entry": put_file_for,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_entry_is_kept_aside_and_got_again(job: Command, index: StockedIndex, damage: str) -> None:
    install(job, "first")
    DAMAGES[damage](entry(job))
    venv, result = install(job, "second", "--job-url", "https://ci.test/7")
    assert module(job, venv).read_text() == SOURCE
    assert (result.counts["repaired"], index.files_read()) == (1, 2)
    (cell,) = (job.store / "quarantine").iterdir()
    reason = json.loads((cell / "reason.json").read_text())
    assert (reason["job"], reason["pid"] > 0) == ("https://ci.test/7", True)
    assert reason["entry"].startswith("wheels-1/")
    assert reason["problems"]
    assert (cell / "entry").exists()
    _, again = install(job, "third")
    assert (again.counts["repaired"], index.files_read()) == (0, 2)


@pytest.mark.parametrize("harm", [flip_in_time, fill_with_zeros])
def test_content_is_read_once_after_a_boot(job: Command, index: StockedIndex, harm: Callable[[Path], None]) -> None:
    install(job, "first")
    boot(job)
    harm(entry(job) / "tree/demo/__init__.py")
    venv, result = install(job, "second")
    assert module(job, venv).read_text() == SOURCE
    assert (result.counts["repaired"], index.files_read()) == (1, 2)


def test_with_verify_full_content_is_read_always(job: Command) -> None:
    install(job, "first")
    flip_in_time(entry(job) / "tree/demo/__init__.py")
    venv, result = install(job, "second", "--verify", "full")
    assert module(job, venv).read_text() == SOURCE
    assert result.counts["repaired"] == 1


def test_with_verify_none_nothing_is_looked_at(job: Command) -> None:
    install(job, "first")
    truncate(entry(job) / "tree/demo/__init__.py")
    venv, result = install(job, "second", "--verify", "none")
    assert len(module(job, venv).read_text()) == 10
    assert result.counts["repaired"] == 0


def test_files_of_another_owner_are_read_each_time(command: Command, index: StockedIndex) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    index.wheel("demo", files={"demo/__init__.py": SOURCE})
    install(command, "first")
    path = entry(command) / "tree/demo/__init__.py"
    flip_in_time(path)
    os.chown(path, STRANGERS[0], -1)
    venv, result = install(command, "second")
    assert module(command, venv).read_text() == SOURCE
    assert result.counts["repaired"] == 1


@needs_rights
def test_a_folder_that_lost_its_rights_gets_them_back(command: Command, index: StockedIndex) -> None:
    index.wheel("demo", files={"demo/__init__.py": SOURCE})
    install(command, "first")
    os.chmod(entry(command) / "tree/demo", 0)
    _, result = install(command, "second")
    assert (result.counts["touched"], index.files_read()) == (1, 1)


@pytest.mark.parametrize("harm", [truncate, empty, flip_in_time, fill_with_zeros])
def test_a_damaged_sdist_is_got_again(command: Command, index: StockedIndex, harm: Callable[[Path], None]) -> None:
    index.sdist("built")
    command("install", "built")
    (path,) = (each for each in (command.store / "files-1").glob("*/*") if each.read_bytes()[:2] == b"\x1f\x8b")
    harm(path)
    for bucket in ("built-1", "wheels-1"):
        for each in (command.store / bucket).glob("*/*"):
            shutil.rmtree(each) if each.is_dir() else each.unlink()
    result = command("install", "built", "--venv", "second")
    assert command.installed(command.folder / "second") == {"built": "1.0"}
    assert result.counts["repaired"] == 1


@pytest.mark.parametrize("bucket", ["built-1", "interpreters-1", "index-1"])
@pytest.mark.parametrize("harm", [truncate, empty, flip_in_time, fill_with_zeros])
def test_a_damaged_document_is_made_again(
    command: Command, index: StockedIndex, bucket: str, harm: Callable[[Path], None]
) -> None:
    index.sdist("built")
    command("install", "built")
    found = list((command.store / bucket).glob("*/*"))
    assert found
    for path in found:
        harm(path)
    result = command("install", "built", "--venv", "second")
    assert command.installed(command.folder / "second") == {"built": "1.0"}
    assert result.counts["repaired"] >= 1
    assert "damaged-entry" in [each["kind"] for each in (result.report or {})["step_downs"]]


def test_damage_in_a_seed_is_stepped_over_and_told(command: Command, index: StockedIndex) -> None:
    offered = index.wheel("demo", files={"demo/__init__.py": SOURCE})
    command.write("requirements.txt", f"demo==1.0 --hash=sha256:{offered.sha256}\n")
    seed = command.home / "seed"
    command("seed", "publish", seed, "requirements.txt", code=0)
    (manifest,) = (seed / "wheels-1").glob("*/*/manifest.json")
    truncate(manifest.parent / "tree/demo/__init__.py")
    shutil.rmtree(command.store, ignore_errors=True)
    result = command("sync", "requirements.txt", "--seed", seed)
    assert module(command, command.venv).read_text() == SOURCE
    assert "damaged-entry" in [each["kind"] for each in (result.report or {})["step_downs"]]
    assert not list((seed / "quarantine").iterdir())


def test_with_strict_isolation_running_jobs_notice_nothing_either(job: Command) -> None:
    venvs = [install(job, name, "--isolation", "strict")[0] for name in ("first", "second")]
    edit(module(job, venvs[0]))
    assert module(job, venvs[1]).read_text() == SOURCE
    assert module(job, venvs[1]).stat().st_nlink == 1
    assert (entry(job) / "tree/demo/__init__.py").read_text() == SOURCE


def test_hard_links_and_strict_isolation_exclude_each_other(command: Command) -> None:
    result = command("install", "demo", "--isolation", "strict", "--link-mode", "hardlink", code=2)
    assert "--isolation strict" in result.stderr
    assert not command.venv.exists()
