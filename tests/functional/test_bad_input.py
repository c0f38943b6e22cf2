"""Input that is wrong: what is said of it, the exit code, and that nothing changes."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from helpers.capabilities import needs_rights, unix_only

if TYPE_CHECKING:
    from helpers.command import Command
    from helpers.stocked_index import StockedIndex


@pytest.mark.parametrize(
    "arguments",
    [["sync", "absent.txt"], ["sync", "pylock.toml"], ["fetch", "absent.txt"], ["install", "-r", "absent.txt"]],
)
def test_file_that_is_not_there(command: Command, arguments: list[str]) -> None:
    with command.unchanged():
        result = command(*arguments, code=2)
    assert result.error == "file-not-found"
    assert arguments[-1] in result.stderr


@pytest.mark.parametrize("option", ["-c", "--override", "--build-constraint"])
def test_file_of_an_option_that_is_not_there(command: Command, index: StockedIndex, option: str) -> None:
    index.sdist("demo")
    with command.unchanged():
        result = command("install", "demo", option, "absent.txt", code=2)
    assert result.error == "file-not-found"


def test_included_file_that_is_not_there_is_found_by_file_and_line(command: Command) -> None:
    command.write("requirements.txt", "alpha\n-r sub/absent.txt\n")
    result = command("install", "-r", "requirements.txt", code=2)
    assert "requirements.txt:2" in result.stderr
    assert "absent.txt" in result.stderr


def test_malformed_requirement_is_shown_with_its_line_and_a_caret(command: Command) -> None:
    command.write("requirements.txt", "# comment\nalpha==1.0\nbeta=>2.0\n")
    with command.unchanged():
        result = command("install", "-r", "requirements.txt", code=2)
    lines = result.stderr.splitlines()
    assert "requirements.txt:3" in result.stderr
    position = next(number for number, line in enumerate(lines) if "beta=>2.0" in line)
    shown, marker = lines[position], lines[position + 1]
    assert set(marker.strip()) == {"^"}
    assert marker.index("^") == shown.index("beta=>2.0") + len("beta")


def test_malformed_requirement_on_the_command_line_has_a_caret_too(command: Command) -> None:
    result = command("install", "alpha >= , < 2", code=2)
    assert "^" in result.stderr
    assert "alpha >= , < 2" in result.stderr


def test_unknown_option_in_a_requirements_file(command: Command) -> None:
    command.write("requirements.txt", "alpha\n--no-such-option\n")
    with command.unchanged():
        result = command("install", "-r", "requirements.txt", code=2)
    assert "requirements.txt:2" in result.stderr
    assert "--no-such-option" in result.stderr


def test_requirements_file_that_is_no_text(command: Command) -> None:
    (command.folder / "requirements.txt").write_bytes(b"alpha\n\xff\xfe\x00\n")
    result = command("install", "-r", "requirements.txt", code=2)
    assert "requirements.txt" in result.stderr


def test_lock_of_a_newer_schema(command: Command, index: StockedIndex) -> None:
    command.write("pylock.toml", 'lock-version = "2.0"\ncreated-by = "tomorrow"\npackages = []\n')
    with command.unchanged():
        result = command("sync", "pylock.toml", code=2)
    assert "2.0" in result.stderr
    assert "pylock.toml" in result.stderr
    assert index.count() == 0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("lock-version = \n", "pylock.toml"),
        ('created-by = "x"\npackages = []\n', "lock-version"),
        ('lock-version = "1.0"\ncreated-by = "x"\n[[packages]]\nversion = "1.0"\n', "name"),
        ('lock-version = "1.0"\ncreated-by = "x"\n[[packages]]\nname = "a"\nversion = "1.0"\n', "a"),
    ],
)
def test_malformed_lock(command: Command, text: str, told: str) -> None:
    command.write("pylock.toml", text)
    with command.unchanged():
        result = command("sync", "pylock.toml", code=2)
    assert told in result.stderr


def test_folder_where_a_file_is_meant(command: Command) -> None:
    (command.folder / "pylock.toml").mkdir()
    assert command("sync", "pylock.toml", code=2).error == "file-unreadable"
    (command.folder / "requirements.txt").mkdir()
    assert command("sync", "requirements.txt", code=2).error == "file-unreadable"


def test_nothing_was_asked_for(command: Command) -> None:
    assert command("install", code=2).error == "nothing-asked"
    assert command("lock", code=2).error == "nothing-asked"


def test_group_that_is_not_there(command: Command) -> None:
    command.write("pyproject.toml", "[dependency-groups]\ntest = []\n")
    result = command("install", "--group", "tset", code=2)
    assert "tset" in result.stderr
    assert "test" in result.stderr.replace("tset", "")


def test_editable_that_is_no_project(command: Command) -> None:
    (command.folder / "empty").mkdir()
    with command.unchanged():
        result = command("install", "-e", "./empty", code=6)
    assert "empty" in result.stderr
    assert "pyproject.toml" in result.stderr


# Environments


def test_environment_that_is_a_file(command: Command, index: StockedIndex) -> None:
    index.wheel("lib")
    command.write("env", "I am a file\n")
    with command.unchanged():
        result = command("install", "lib", "--venv", "env", code=8)
    assert result.error == "environment-is-a-file"
    assert index.count() == 0


def test_environment_below_a_file(command: Command, index: StockedIndex) -> None:
    index.wheel("lib")
    command.write("file", "")
    with command.unchanged():
        assert command("install", "lib", "--venv", "file/env", code=8).error == "environment-is-a-file"


def test_folder_of_somebody_else(command: Command, index: StockedIndex) -> None:
    index.wheel("lib")
    command.write("env/thesis.txt", "do not touch")
    with command.unchanged():
        result = command("install", "lib", "--venv", "env", code=8)
    assert result.error == "environment-not-ours"
    assert "thesis.txt" in result.stderr
    assert index.count() == 0


@needs_rights
def test_environment_that_is_read_only(command: Command, index: StockedIndex) -> None:
    index.wheel("lib")
    command("venv", "env")
    root = command.folder / "env"
    folders = [root, *(path for path in root.rglob("*") if path.is_dir() and not path.is_symlink())]
    for path in (command.folder, *folders):
        path.chmod(0o555)
    try:
        with command.unchanged():
            result = command("install", "lib", "--venv", "env", code=8)
    finally:
        for path in (command.folder, *folders):
            path.chmod(0o755)
    assert result.error == "environment-read-only"
    assert str(root) in result.stderr


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root may mount")
def test_environment_on_a_read_only_file_system(command: Command, index: StockedIndex) -> None:
    import subprocess

    index.wheel("lib")
    command("venv", "mounted/env")
    place = str(command.folder / "mounted")
    for arguments in (["--bind", place, place], ["-o", "remount,bind,ro", place]):
        if subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode != 0:
            subprocess.run(["umount", place], capture_output=True, check=False)
            pytest.skip("this user may not mount")
    try:
        with command.unchanged():
            result = command("install", "lib", "--venv", "mounted/env", code=8)
    finally:
        subprocess.run(["umount", place], check=True)
    assert result.error == "environment-read-only"


def test_environment_whose_python_is_gone(command: Command, index: StockedIndex) -> None:
    index.wheel("lib")
    command("venv", "env")
    for path in (command.folder / "env").glob("[bS]*/python*"):
        path.unlink()
    with command.unchanged():
        result = command("install", "lib", "--venv", "env", code=8)
    assert result.error == "environment-broken"


def test_environment_with_another_python_than_asked_for(command: Command) -> None:
    command("venv", "env")
    other = fake_python(command.folder / "other-python", "3.7.17")
    result = command("install", "lib", "--venv", "env", "--python", other, code=8)
    assert "3.7" in result.stderr


# Interpreters


def fake_python(path: Path, version: str) -> Path:
    """A program that answers as a Python of *version* without our probe's modules would."""
    path.write_text(
        "#!/bin/sh\n"
        'case "$*" in\n'
        f'  *sys.version_info*) echo "{version}" ;;\n'
        '  *) cat >/dev/null; echo "SyntaxError: invalid syntax" >&2; exit 1 ;;\n'
        "esac\n"
    )
    path.chmod(0o755)
    return path


def test_interpreter_that_is_missing(command: Command, index: StockedIndex) -> None:
    with command.unchanged():
        result = command("install", "lib", "--python", "./no/such/python", code=8)
        version = command("install", "lib", "--python", "3.99", code=8)
    assert result.error == version.error == "interpreter-missing"
    assert "3.99" in version.stderr
    assert index.count() == 0


@unix_only
def test_interpreter_that_is_too_old(command: Command) -> None:
    old = fake_python(command.folder / "python3.7", "3.7.17")
    with command.unchanged():
        result = command("install", "lib", "--python", old, code=8)
    assert result.error == "interpreter-too-old"
    assert "3.7.17" in result.stderr
    assert "3.8" in result.stderr


@unix_only
@pytest.mark.parametrize(
    "script", ["#!/bin/sh\nexit 3\n", "#!/no/such/loader\n", "not a program at all", "#!/bin/sh\nkill -9 $$\n"]
)
def test_interpreter_that_is_broken(command: Command, script: str) -> None:
    broken = command.write("python", script)
    broken.chmod(0o755)
    with command.unchanged():
        result = command("install", "lib", "--python", broken, code=8)
    assert result.error == "interpreter-broken"
    assert str(broken) in result.stderr


@unix_only
def test_interpreter_that_may_not_be_run(command: Command) -> None:
    python = command.write("python", "")
    with command.unchanged():
        assert command("install", "lib", "--python", python, code=8).error == "interpreter-broken"


# Stores


@pytest.mark.parametrize("arguments", [["install", "lib"], ["cache", "info"]])
def test_store_that_is_a_file(command: Command, arguments: list[str]) -> None:
    path = command.write("store", "")
    with command.unchanged():
        result = command(*arguments, "--cache-dir", path, code=7)
    assert "store-not-a-folder" in result.stderr
    assert str(path) in result.stderr


@unix_only
def test_store_that_strangers_can_write(command: Command) -> None:
    command("cache", "info")
    command.store.chmod(0o777)
    result = command("install", "lib", code=9)
    assert result.error == "store-unsafe"
    assert str(command.store) in result.stderr


def test_store_of_a_newer_format(command: Command) -> None:
    command("cache", "info")
    marker = command.store / "store.json"
    marker.chmod(0o644)
    marker.write_text(marker.read_text().replace('"format": 1', '"format": 99').replace('"format":1', '"format":99'))
    result = command("install", "lib", code=7)
    assert result.error == "store-newer-format"


def test_scratch_that_cannot_be_made(command: Command) -> None:
    path = command.write("file", "")
    assert command("install", "lib", "--scratch", path / "below", code=7).report is not None


@unix_only
def test_working_folder_that_is_gone(command: Command) -> None:
    import subprocess

    gone = command.folder / "gone"
    gone.mkdir()
    script = f'rmdir "{gone}"; exec "{sys.executable}" -m safe_install install lib'
    done = subprocess.run(
        ["/bin/sh", "-c", script], cwd=gone, env=command.variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "error[working-folder-gone]" in done.stderr
