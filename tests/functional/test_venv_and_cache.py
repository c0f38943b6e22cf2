"""``ci-install venv`` and ``ci-install cache``."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from helpers.command import Command
    from helpers.stocked_index import StockedIndex


def test_environment_is_empty(command: Command, index: StockedIndex) -> None:
    command("venv", "env")
    assert command.installed(command.folder / "env") == {}
    where = command.run_python("import sys; print(sys.prefix)", command.folder / "env")
    assert os.path.samefile(where, command.folder / "env")
    assert index.count() == 0


def test_environment_has_pip_on_request_without_the_network(command: Command, index: StockedIndex) -> None:
    command("venv", "env", "--with-pip")
    assert set(command.installed(command.folder / "env")) == {"pip"}
    code = (
        "import subprocess, sys; print(subprocess.check_output([sys.executable, '-m', 'pip', '--version'], text=True))"
    )
    assert command.run_python(code, command.folder / "env").startswith("pip ")
    assert index.count() == 0


def test_environment_without_a_name_is_the_default_one(command: Command) -> None:
    command("venv")
    assert (command.venv / "pyvenv.cfg").is_file()


def test_environment_that_exists_is_left_alone(command: Command) -> None:
    command("venv", "env")
    with command.unchanged():
        result = command("venv", "env", code=8)
    assert result.error == "environment-exists"


def test_new_environment_is_filled_later(command: Command, index: StockedIndex) -> None:
    index.wheel("lib")
    command("venv", "env")
    command("install", "lib", "--venv", "env")
    assert command.installed(command.folder / "env") == {"lib": "1.0"}


def test_cache_dir_prints_one_path_and_makes_nothing(command: Command) -> None:
    assert command("cache", "dir").stdout == f"{command.store}\n"
    assert json.loads(command("cache", "dir", "--json").stdout) == {"cache_dir": str(command.store)}
    assert not command.store.exists()


def test_cache_dir_defaults_to_the_cache_folder_of_the_user(command: Command) -> None:
    shown = command("cache", "dir", SAFE_INSTALL_CACHE_DIR=None).stdout.strip()
    if os.name != "nt":  # which asks the system, and not variables, for that folder
        assert shown.startswith(str(command.home))
    assert "safe-install" in shown


def test_cache_info_counts_what_is_there(command: Command, index: StockedIndex) -> None:
    index.wheel("lib")
    command("install", "lib")
    shown = command("cache", "info").stdout
    assert str(command.store) in shown
    document = json.loads(command("cache", "info", "--json").stdout)
    assert document["buckets"]["wheels-1"]["entries"] == 1
    assert document["buckets"]["wheels-1"]["bytes"] > 0
    assert document["buckets"]["built-1"]["entries"] == 0


def test_cache_info_of_a_folder_that_is_none_of_ours_is_refused(command: Command) -> None:
    command.write("other/file.txt", "x")
    with command.unchanged():
        result = command("cache", "info", "--cache-dir", "other", code=7)
    assert result.error == "store-not-ours"
