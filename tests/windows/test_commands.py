"""What an environment's user starts: launchers of entry points, and the activation scripts of both shells."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from helpers.capabilities import is_wine

if TYPE_CHECKING:
    from pathlib import Path

    from helpers.command import Command
    from helpers.stocked_index import StockedIndex

ENTRY_POINTS = "[console_scripts]\ntold = told:main\n[gui_scripts]\ntoldw = told:main\n"
CODE = b"import sys\ndef main():\n    print(sys.argv[0])\n    print(sys.argv[1:], sys.prefix)\n    return 7\n"


def offer(index: StockedIndex) -> None:
    index.wheel(
        "told", files={"told.py": CODE}, entry_points=ENTRY_POINTS, scripts={"plain.py": b"#!python\nprint('plain')\n"}
    )


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONUTF8": "1"}
    return subprocess.run(arguments, capture_output=True, encoding="utf-8", errors="replace", check=False, env=environ)


@pytest.mark.parametrize("name", [".venv", "a b & (c) é"])
def test_launcher_hands_over_arguments_and_exit_code(command: Command, index: StockedIndex, name: str) -> None:
    offer(index)
    place = command.folder / name
    command("install", "told", "--venv", place)
    launcher = place / "Scripts" / "told.exe"
    arguments = ["one", "two words", 'quo"te', "é"]
    done = subprocess.run(
        [launcher, *arguments],
        capture_output=True,
        encoding="utf-8",
        check=False,
        env={**os.environ, "PYTHONUTF8": "1"},
    )
    assert done.returncode == 7, done.stderr
    assert done.stdout.splitlines()[1] == f"{arguments} {place}"
    assert (place / "Scripts" / "toldw.exe").is_file()
    assert (place / "Scripts" / "plain.py").read_bytes().splitlines()[0] == f"#!{place}\\Scripts\\python.exe".encode()


def test_launcher_that_runs_is_replaced(command: Command, index: StockedIndex) -> None:
    """Windows lets a program that runs be renamed."""
    wait = b"import sys\ndef main():\n    print('runs', flush=True)\n    sys.stdin.read()\n"
    index.wheel("told", "1", files={"told.py": wait}, entry_points=ENTRY_POINTS)
    index.wheel("told", "2", files={"told.py": CODE}, entry_points=ENTRY_POINTS)
    command("install", "told==1")
    launcher = command.venv / "Scripts" / "told.exe"
    with subprocess.Popen([launcher], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "runs\n"
        command("install", "told==2")
        running.communicate()
    assert subprocess.run([launcher], check=False, capture_output=True).returncode == 7


@pytest.mark.parametrize("name", [".venv", "a b"])
def test_cmd_activates(command: Command, index: StockedIndex, name: str) -> None:
    offer(index)
    place = command.folder / name
    command("install", "told", "--venv", place)
    script = command.write(
        "go.bat",
        f'@call "{place}\\Scripts\\activate.bat"\n@echo %VIRTUAL_ENV%\n@python -c "import sys; print(sys.prefix)"\n@told\n',
    )
    if is_wine():
        pytest.skip("the cmd of Wine does not understand the first lines of activate.bat")
    done = run("cmd", "/d", "/c", script)
    assert done.stdout.splitlines()[:2] == [str(place), str(place)], done.stderr
    assert done.returncode == 7


def test_powershell_activates(command: Command, index: StockedIndex) -> None:
    shell = shutil.which("pwsh") or shutil.which("powershell")
    if shell is None or run(shell, "-NoProfile", "-Command", "1+1").stdout.strip() != "2":
        pytest.skip("there is no PowerShell (Wine has a program of that name that does nothing)")
    offer(index)
    command("install", "told")
    script = f". '{command.venv}\\Scripts\\activate.ps1'; $env:VIRTUAL_ENV; told; exit $LASTEXITCODE"
    done = run(shell, "-NoProfile", "-ExecutionPolicy", "Bypass", "-Command", script)
    assert done.stdout.splitlines()[0] == str(command.venv), done.stderr
    assert done.returncode == 7


def test_activation_scripts_of_both_shells_are_there(command: Command) -> None:
    command("venv", "env")
    scripts = command.folder / "env" / "Scripts"
    names = {name.lower() for name in os.listdir(scripts)}
    assert {"activate.bat", "activate.ps1", "deactivate.bat"} <= names
    assert f'"VIRTUAL_ENV={command.folder / "env"}"' in (scripts / "activate.bat").read_text("utf-8")
