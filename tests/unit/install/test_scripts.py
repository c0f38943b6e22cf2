from __future__ import annotations

import io
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.capabilities import unix_only
from helpers.environments import this_interpreter

from safe_install.install.entry_points import parse_entry_points
from safe_install.install.scripts import commands, is_command, with_shebang
from safe_install.models import Interpreter

PYTHON = "/env/bin/python"


def unix() -> Interpreter:
    interpreter = this_interpreter()
    return replace(interpreter, markers=dict(interpreter.markers) | {"sys_platform": "linux"}, platform="linux-x86_64")


def windows() -> Interpreter:
    interpreter = this_interpreter()
    markers = dict(interpreter.markers) | {"sys_platform": "win32"}
    return replace(interpreter, markers=markers, platform="win-amd64")


def names(text: str, version: tuple[int, int, int] = (3, 11, 7)) -> list[str]:
    points = parse_entry_points(text)
    return [script.name for script in commands(points, PYTHON, replace(unix(), version=version))]


def test_a_command_is_the_text_that_pip_writes() -> None:
    points = parse_entry_points("[console_scripts]\ndemo = demo.cli:Main.run [extra]\n")
    interpreter = replace(unix(), version=(3, 11, 7))
    (script,) = commands(points, PYTHON, interpreter)
    assert script.name == "demo"
    assert script.content.decode() == (
        "#!/env/bin/python\n"
        "import sys\n"
        "from demo.cli import Main\n"
        "if __name__ == '__main__':\n"
        "    sys.argv[0] = sys.argv[0].removesuffix('.exe')\n"
        "    sys.exit(Main.run())\n"
    )


def test_python_3_8_gets_no_method_that_it_lacks() -> None:
    points = parse_entry_points("[console_scripts]\ndemo = demo:main\n")
    (script,) = commands(points, PYTHON, replace(unix(), version=(3, 8, 18)))
    assert b"removesuffix" not in script.content


def test_pip_is_installed_under_the_version_at_hand() -> None:
    text = "[console_scripts]\npip = pip:main\npip3 = pip:main\npip3.99 = pip:main\npipx = pipx:main\n"
    assert names(text, (3, 12, 1)) == ["pip", "pip3", "pip3.12", "pipx"]


def test_easy_install_is_installed_under_the_version_at_hand() -> None:
    text = "[console_scripts]\neasy_install = x:main\neasy_install-3.7 = x:main\n"
    assert names(text, (3, 12, 1)) == ["easy_install", "easy_install-3.12"]


def test_a_versioned_pip_alone_keeps_its_name() -> None:
    assert names("[console_scripts]\npip3 = pip:main\n") == ["pip3"]


def test_of_two_groups_with_one_name_one_file_is_left() -> None:
    assert names("[console_scripts]\na = x:y\n[gui_scripts]\na = x:z\n") == ["a"]


@unix_only
@pytest.mark.parametrize("folder", ["with space", "l" * 120], ids=["space", "long"])
def test_a_command_runs_from_a_folder_that_no_first_line_can_name(tmp_path: Path, folder: str) -> None:
    place = tmp_path / folder
    place.mkdir()
    (place / "python").symlink_to(sys.executable)
    (tmp_path / "target.py").write_text("def main():\n    print('ran')\n")
    points = parse_entry_points("[console_scripts]\ndemo = target:main\n")
    (script,) = commands(points, str(place / "python"), this_interpreter())
    assert script.content.startswith(b"#!/bin/sh\n'''exec' ")
    (place / "demo").write_bytes(script.content)
    (place / "demo").chmod(0o755)
    done = subprocess.run(
        [place / "demo"], capture_output=True, text=True, check=False, env={"PYTHONPATH": str(tmp_path)}
    )
    assert (done.returncode, done.stdout) == (0, "ran\n"), done.stderr


def test_a_first_line_of_127_bytes_is_the_longest_plain_one() -> None:
    points = parse_entry_points("[console_scripts]\ndemo = demo:main\n")
    for length, plain in ((124, True), (125, False)):
        python = "/" + "p" * (length - 1)
        (script,) = commands(points, python, unix())
        assert script.content.startswith(f"#!{python}\n".encode()) is plain


def test_the_first_line_of_a_script_names_the_python_and_drops_what_followed() -> None:
    assert with_shebang(b"#!pythonw -s\nprint()\n", PYTHON, unix()) == b"#!/env/bin/python\nprint()\n"
    assert with_shebang(b"#!/usr/bin/python\n", PYTHON, unix()) is None
    assert with_shebang(b"#!python", PYTHON, unix()) == b"#!/env/bin/python\n"


def test_wrappers_that_setuptools_made_give_way_to_ours() -> None:
    wanted = frozenset({"demo"})
    for name in ("demo", "demo.exe", "demo-script.py", "demo.EXE", "demo.pya"):
        assert is_command(name, wanted)
    for name in ("demo.py", "demo2", "demo-script.pyw"):
        assert not is_command(name, wanted)


def test_a_windows_command_is_a_program_with_an_archive_behind_it() -> None:
    points = parse_entry_points("[console_scripts]\ndemo = demo:main\n[gui_scripts]\nwin = demo:gui\n")
    console, gui = commands(points, "C:\\a b\\Scripts\\python.exe", windows())
    assert (console.name, gui.name) == ("demo.exe", "win.exe")
    assert console.content.startswith(b"MZ")
    assert b'#!"C:\\a b\\Scripts\\python.exe"\n' in console.content
    with zipfile.ZipFile(io.BytesIO(console.content)) as archive:
        assert b"from demo import main" in archive.read("__main__.py")


def test_a_windows_script_gets_the_line_end_of_its_system() -> None:
    assert with_shebang(b"#!python\nx\n", "C:\\p.exe", windows()) == b"#!C:\\p.exe\r\nx\n"


def test_launcher_is_the_same_whenever_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    points = parse_entry_points("[console_scripts]\ndemo = demo:main\n")
    made = set()
    for moment in (1.0e9, 1.7e9):
        monkeypatch.setattr(time, "time", lambda moment=moment: moment)
        (script,) = commands(points, "C:\\a b\\Scripts\\python.exe", windows())
        made.add(script.content)
    (content,) = made
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert b"from demo import main" in archive.read("__main__.py")
