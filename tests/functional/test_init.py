"""``ci-install init``: what it finds out, and that it changes no file unasked. The pipelines run in ``tests/doors``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from safe_install.cli.commands.init import TARGETS, find_out
from safe_install.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from helpers.command import Command

PROJECT = '[project]\nname = "x"\nversion = "1"\n'


@pytest.mark.parametrize("platform", TARGETS)
def test_writes_and_then_finds_it_up_to_date(command: Command, platform: str) -> None:
    command.write("pylock.toml", "")
    assert "is not there" in command("init", platform, "--check", code=2).stderr
    assert command("init", platform).stderr.startswith("wrote ")
    assert "is up to date" in command("init", platform, "--check").stderr
    assert "pylock.toml" in (command.folder / TARGETS[platform].path).read_text(encoding="utf-8")


@pytest.mark.parametrize("platform", TARGETS)
def test_replaces_nothing_unasked_and_shows_the_difference(command: Command, platform: str) -> None:
    command.write("requirements.txt", "")
    path = command.write(TARGETS[platform].path, "mine: größer\n")
    for arguments in ([], ["--check"]):
        result = command("init", platform, *arguments, code=2)
        assert "-mine: größer" in result.stdout
        assert path.read_text(encoding="utf-8") == "mine: größer\n"
    assert "-mine: größer" in command("init", platform, "--force").stdout
    command("init", platform, "--check")


def test_without_a_lock_nothing_is_written(command: Command) -> None:
    with command.unchanged():
        assert "error[no-lock]" in command("init", "github", code=2).stderr


def test_unknown_platform(command: Command) -> None:
    assert "github" in command("init", "travis", code=2).stderr


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f'{PROJECT}classifiers = ["Programming Language :: Python :: 3.12", "Programming Language :: Python :: 3.9"]', ("3.9", "3.12")),
        (f'{PROJECT}requires-python = ">=3.11.2,<3.14"', ("3.11", "3.12", "3.13")),
        (PROJECT, ("3.13",)),
        ("", ("3.13",)),
    ],
)  # fmt: skip
def test_pythons_of_the_project(tmp_path: Path, text: str, expected: tuple[str, ...]) -> None:
    (tmp_path / "pylock.toml").touch()
    (tmp_path / "pyproject.toml").write_text(text)
    assert find_out(tmp_path).pythons == expected


def test_python_of_a_version_file(tmp_path: Path) -> None:
    (tmp_path / "pylock.toml").touch()
    (tmp_path / ".python-version").write_text("# ours\n3.12.4\n")
    assert find_out(tmp_path).pythons == ("3.12",)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"noxfile.py": ""}, "python -m nox"),
        ({"tox.ini": ""}, "python -m tox"),
        ({"pyproject.toml": "[tool.pytest.ini_options]\n"}, "python -m pytest"),
        ({"tests/test_it.py": ""}, "python -m pytest"),
        ({}, "python -m unittest"),
    ],
)
def test_command_that_runs_the_tests(tmp_path: Path, files: dict[str, str], expected: str) -> None:
    (tmp_path / "requirements.txt").touch()
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert find_out(tmp_path).test == expected


@pytest.mark.parametrize("text", ["[", '[project]\nname = "x"\nrequires-python = "new"\n'])
def test_pyproject_that_is_wrong(tmp_path: Path, text: str) -> None:
    (tmp_path / "pylock.toml").touch()
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(InputError, match=r"pyproject\.toml"):
        find_out(tmp_path)
