"""uv#2810: "Random errors on accessing cache with simultaneous installs on Windows".

What was reported: several `uv venv --seed` and `uv pip install` with one cache fail with "Failed to persist temporary file
to … Access is denied. (os error 5)". The cause, found in the thread: one name is replaced (index pages, interpreters) while
another process has it open, and Windows refuses that. So here nothing in a store is replaced: a new version of a page is a
new file, and whatever is there stays as it is.

Also reported there: the same message where a path has more than 260 characters.
"""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

import pytest
from helpers.command import Command
from helpers.herd import Herd, damage_of, write_lock
from helpers.scanner import Scanner
from helpers.stocked_index import StockedIndex

from safe_install.store.layout import INDEX

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform != "win32", reason="only Windows refuses to replace files that are open")

PROCESSES = 16


@pytest.fixture
def index() -> Iterator[StockedIndex]:
    with StockedIndex() as index:
        # So that pages are asked for again, and replaced, as with an index that changes.
        index.cache_control, index.etags = "no-cache", False
        yield index


@pytest.fixture
def rounds(request: pytest.FixtureRequest) -> range:
    return range(request.config.getoption("--rounds"))


def stock(index: StockedIndex) -> None:
    """Packages that depend on one another, so that each job reads several pages."""
    index.wheel("app", requires_dist=["lib", "util>=1"], entry_points="[console_scripts]\napp = app:main\n")
    index.wheel("lib", requires_dist=["util"])
    index.wheel("util")


@pytest.mark.timeout(3600)
def test_processes_that_make_environments_and_install_on_one_empty_store_never_fail(
    tmp_path: Path, index: StockedIndex, rounds: range
) -> None:
    stock(index)
    for number in rounds:
        folder = tmp_path / str(number)
        with Herd(folder, index, size=0, store=folder / "store") as herd:
            for _ in range(PROCESSES // 2):
                herd.add("venv", "made", "--with-pip")
                herd.add("install", "app")
            herd.release()
            results = herd.wait()
            venvs, installs = herd.members[::2], herd.members[1::2]
            assert {tuple(each.command.installed(each.command.folder / "made")) for each in venvs} == {("pip",)}
            assert {tuple(sorted(each.command.installed())) for each in installs} == {("app", "lib", "util")}
            told = [down for result in results if result.report for down in result.report["step_downs"]]
            assert told == []
        assert damage_of(folder / "store") == []
        shutil.rmtree(folder)


@pytest.mark.timeout(3600)
def test_processes_on_one_store_stand_a_scanner_that_opens_every_new_file(
    tmp_path: Path, index: StockedIndex, rounds: range, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [
        index.wheel(f"demo-{number}", files={f"demo_{number}/{n}.py": b"x = 1\n" for n in range(20)})
        for number in range(3)
    ]
    for number in rounds:
        folder = tmp_path / str(number)
        folder.mkdir()
        lock = write_lock(folder / "pylock.toml", index, *files)
        with Scanner(folder) as scanner, Herd(folder, index, size=PROCESSES, store=folder / "store") as herd:
            herd.start("sync", lock)
            results = herd.wait()
            assert [len(member.command.installed()) for member in herd.members] == [3] * PROCESSES
        assert scanner.opened > PROCESSES
        retries = sum(result.counts["retries"] for result in results)
        with capsys.disabled():
            sys.stdout.write(
                f"round {number}: the scanner held {scanner.opened} files; {retries} calls were repeated\n"
            )
        assert damage_of(folder / "store") == []
        shutil.rmtree(folder)


def test_page_that_another_process_reads_is_no_obstacle_to_its_next_version(
    tmp_path: Path, index: StockedIndex
) -> None:
    command = Command(home=tmp_path / "home", folder=tmp_path / "work")
    command.use(index)
    index.wheel("demo", "1")
    command("install", "demo")
    (page,) = [path for path in (command.store / INDEX).glob("*/*") if b"demo" in path.read_bytes()]
    index.wheel("demo", "2")
    with open(page, "rb"):
        # What the installer of the report did: it fails for as long as anybody reads the page.
        replacement = tmp_path / "replacement"
        replacement.write_bytes(b"x")
        with pytest.raises(PermissionError) as refused:
            os.replace(replacement, page)
        assert getattr(refused.value, "winerror", None) == 5
        result = command("install", "demo==2")
    assert command.installed() == {"demo": "2"}
    assert result.counts["retries"] == 0
    command("install", "demo==1")
    assert command.installed() == {"demo": "1"}
