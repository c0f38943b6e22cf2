"""Bytecode: compiled once for all jobs, linked like every other file, and never in the way of an edited source."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from helpers.environments import environment_at

from safe_install.store.layout import BYTECODE

if TYPE_CHECKING:
    from helpers.command import Command
    from helpers.stocked_index import StockedIndex

FILES = {
    "demo/__init__.py": "def where():\n    raise RuntimeError\n",
    "demo/data.txt": "no Python\n",
    "demo/part/__init__.py": "",
    "demo/template.py": "this is {{ no }} Python\n",
}
COMPILED = ["demo/__init__.py", "demo/part/__init__.py"]


@pytest.fixture(autouse=True)
def _compiling(command: Command, index: StockedIndex) -> None:
    command.variables["SAFE_INSTALL_COMPILE_BYTECODE"] = "yes"
    index.wheel("demo", files=FILES)


def install(command: Command, name: str, *arguments: str) -> Path:
    """Install into an environment of that name; return its site-packages."""
    command("install", "demo", "--venv", name, *arguments)
    return library_of(command.folder / name)


def library_of(venv: Path) -> Path:
    return Path(environment_at(venv).purelib)


def cached(library: Path, source: str) -> Path:
    return library / importlib.util.cache_from_source(source)


def bytecode_entries(command: Command) -> list[Path]:
    return list((command.store / BYTECODE).glob("*/*"))


def test_one_environment_has_the_files_of_the_next(command: Command) -> None:
    first, second = (install(command, name, "--link-mode", "hardlink") for name in ("one", "two"))
    assert len(bytecode_entries(command)) == 1
    for source in COMPILED:
        assert cached(first, source).samefile(cached(second, source))
    assert not cached(first, "demo/template.py").exists()


@pytest.mark.parametrize("mode", ["hardlink", "copy"])
def test_python_uses_it_as_it_is(command: Command, mode: str) -> None:
    library = install(command, "venv", "--link-mode", mode)
    cached_file = cached(library, COMPILED[0])
    # -v tells of each file that bytecode is taken from ("matches") or not ("bad mtime", "stale").
    done = subprocess.run(
        [environment_at(command.folder / "venv").python, "-v", "-B", "-c", "import demo.part"],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line for line in done.stderr.splitlines() if "demo" in line]
    assert [line for line in lines if "matches" in line and str(cached_file) in line], lines
    assert not [line for line in lines if "stale" in line or "wrote" in line]


def test_a_traceback_names_the_file_of_the_environment(command: Command) -> None:
    library = install(command, "venv")
    code = "import demo, traceback\ntry: demo.where()\nexcept RuntimeError: print(traceback.format_exc())"
    assert str(library / "demo" / "__init__.py") in command.run_python(code, command.folder / "venv")


def test_an_edited_source_takes_effect_at_once(command: Command) -> None:
    library = install(command, "venv", "--link-mode", "copy")
    (library / "demo" / "__init__.py").write_text("VALUE = 2\n")
    assert command.run_python("import demo; print(demo.VALUE)", command.folder / "venv") == "2"


def test_record_lists_it_without_hash_as_pip_does(command: Command) -> None:
    library = install(command, "venv")
    record = next(library.glob("demo-*.dist-info/RECORD")).read_text().splitlines()
    tag = sys.implementation.cache_tag
    listed = sorted(line for line in record if ".pyc" in line)
    assert listed == [f"demo/__pycache__/__init__.{tag}.pyc,,", f"demo/part/__pycache__/__init__.{tag}.pyc,,"]
    command("sync", "--venv", "venv", empty_lock(command))
    assert not (library / "demo").exists()


def empty_lock(command: Command) -> str:
    (command.folder / "empty.txt").write_text("")
    return "empty.txt"


def test_without_it_nothing_is_compiled(command: Command) -> None:
    library = install(command, "venv", "--no-compile-bytecode")
    assert not list(library.rglob("demo/**/*.pyc"))
    assert bytecode_entries(command) == []


def damage(command: Command) -> Path:
    """Empty a file of the one entry; return the entry."""
    (entry,) = bytecode_entries(command)
    file = next(entry.rglob("*.pyc"))
    os.chmod(file, 0o644)
    os.truncate(file, 0)
    return entry


def test_what_is_damaged_is_compiled_again(command: Command) -> None:
    install(command, "one", "--link-mode", "copy")
    damage(command)
    library = install(command, "two", "--link-mode", "copy")
    assert all(cached(library, source).stat().st_size for source in COMPILED)
    assert any(each.name.startswith(BYTECODE) for each in (command.store / "quarantine").iterdir())
    command("cache", "verify")


def test_verify_finds_damage(command: Command) -> None:
    install(command, "one", "--link-mode", "copy")
    entry = damage(command)
    assert entry.name in command("cache", "verify", code=4).stdout


def test_it_is_listed_and_cleaned_with_its_project(command: Command) -> None:
    install(command, "one")
    listed = json.loads(command("cache", "ls", "--json").stdout)
    assert ["demo", "bytecode", "built"] in [[each["name"], each["kind"], each["source"]] for each in listed["entries"]]
    command("cache", "clean", "demo")
    assert bytecode_entries(command) == []


def test_an_archive_carries_it(command: Command) -> None:
    install(command, "one")
    command("cache", "export", "all.tar")
    shutil.rmtree(command.store)
    carried = json.loads(command("cache", "import", "all.tar", "--json").stdout)
    assert (carried["wheels"], carried["bytecode"]) == (1, 1)
    assert len(bytecode_entries(command)) == 1
    command("cache", "verify")


def test_a_seed_made_from_a_store_has_it(command: Command) -> None:
    install(command, "one", "--link-mode", "hardlink")
    command("seed", "publish", "seed", command.store)
    listed = json.loads(command("seed", "show", "seed", "--json").stdout)
    assert [each["filename"] for each in listed["wheels"]] == ["demo-1.0-py3-none-any.whl"]
    shutil.rmtree(command.store)
    command("install", "demo", "--venv", "two", "--seed", "seed", "--link-mode", "hardlink")
    assert bytecode_entries(command) == []
    (seeded,) = (command.folder / "seed" / BYTECODE).glob("*/*")
    library = library_of(command.folder / "two")
    assert cached(library, COMPILED[0]).samefile(seeded / "tree" / importlib.util.cache_from_source(COMPILED[0]))
    command("seed", "verify", "seed")


def test_a_wheel_that_brings_bytecode_of_its_own_gets_ours(command: Command, index: StockedIndex) -> None:
    tag = sys.implementation.cache_tag
    index.wheel("shipped", files={"shipped.py": "VALUE = 1\n", f"__pycache__/shipped.{tag}.pyc": "stale"})
    command("install", "shipped", "--venv", "venv")
    library = library_of(command.folder / "venv")
    assert cached(library, "shipped.py").read_bytes()[:4] == importlib.util.MAGIC_NUMBER
    assert command.run_python("import shipped; print(shipped.VALUE)", command.folder / "venv") == "1"


def test_two_wheels_with_one_module_leave_that_of_the_later_one(command: Command, index: StockedIndex) -> None:
    index.wheel("early", files={"both.py": "VALUE = 'early'\n"})
    index.wheel("later", files={"both.py": "VALUE = 'later'\n"})
    command("install", "early", "later", "--venv", "venv")
    assert command.run_python("import both; print(both.VALUE)", command.folder / "venv") == "later"


def test_a_changed_environment_gets_that_of_what_is_new(command: Command, index: StockedIndex) -> None:
    install(command, "venv")
    index.wheel("demo", "2.0", files={"demo/__init__.py": "VALUE = 2\n"})
    command("install", "demo==2.0", "--venv", "venv")
    library = library_of(command.folder / "venv")
    assert command.run_python("import demo; print(demo.VALUE)", command.folder / "venv") == "2"
    assert not (library / "demo" / "part").exists()
