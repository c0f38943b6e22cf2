"""`safe_install.cli.doors.inputs`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from safe_install.cli.doors.inputs import read_request
from safe_install.doors import INPUTS
from safe_install.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path


def given(**inputs: str) -> dict[str, str]:
    return {f"SAFE_INSTALL_INPUT_{name.upper()}": value for name, value in inputs.items()}


def test_nothing_said_is_a_sync_of_the_lock_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").touch()
    assert read_request({}, tmp_path).arguments == ("sync", "--", "requirements.txt")
    (tmp_path / "pylock.toml").touch()
    assert read_request({}, tmp_path).arguments == ("sync", "--", "pylock.toml")


def test_without_any_lock_nothing_is_done(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no pylock\.toml and no requirements\.txt") as caught:
        read_request({}, tmp_path)
    assert caught.value.code == "no-lock"


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ({"files": " a b.txt \n\n-c.txt\r\n"}, ("sync", "--", "a b.txt", "-c.txt")),
        (
            {"files": "a", "seed": "/one two\n/three@12345678"},
            ("sync", "--seed=/one two", "--seed=/three@12345678", "--", "a"),
        ),
        ({"files": "a", "compile_bytecode": "false"}, ("sync", "--no-compile-bytecode", "--", "a")),
        ({"files": "a", "offline": "True"}, ("sync", "--offline", "--", "a")),
        ({"files": "a", "venv": "$(x) 'y'\n"}, ("sync", "--venv=$(x) 'y'", "--", "a")),
        ({"files": "a", "args": "--extra 'with space' $HOME"}, ("sync", "--extra", "with space", "$HOME", "--", "a")),
        ({"command": "install", "args": "'flask>=3'"}, ("install", "flask>=3")),
        ({"command": "install", "files": "a\nb"}, ("install", "--requirement=a", "--requirement=b")),
        ({"command": "fetch", "files": "a"}, ("fetch", "--", "a")),
    ],
)
def test_inputs_become_arguments(tmp_path: Path, inputs: dict[str, str], expected: tuple[str, ...]) -> None:
    assert read_request(given(**inputs), tmp_path).arguments == expected


def test_flag_that_only_a_variable_can_switch_off(tmp_path: Path) -> None:
    request = read_request(given(files="a", offline="no"), tmp_path)
    assert (request.arguments, request.variables) == (("sync", "--", "a"), {"SAFE_INSTALL_OFFLINE": "no"})


@pytest.mark.parametrize(
    ("inputs", "name"),
    [
        ({"command": "rm"}, "command"),
        ({"files": "a", "args": "'open"}, "args"),
        ({"files": "a", "args": "--report x"}, "args"),
        ({"files": "a", "args": "--json"}, "args"),
        ({"files": "a", "args": "-- b"}, "args"),
        ({"files": "a", "offline": "perhaps"}, "offline"),
        ({"files": "a", "venv": "one\ntwo"}, "venv"),
        ({"files": "a", "report": "one\ntwo"}, "report"),
        ({"files": "a", "pre": "true"}, "pre"),
    ],
)
def test_what_cannot_be_is_refused_by_name(tmp_path: Path, inputs: dict[str, str], name: str) -> None:
    with pytest.raises(InputError, match=rf"^the input {name}: ") as caught:
        read_request(given(**inputs), tmp_path)
    assert caught.value.code == "input-invalid"


def test_names_at_all_doors() -> None:
    by_name = {each.name: each for each in INPUTS}
    assert (by_name["link-mode"].variable, by_name["link-mode"].camel_case) == (
        "SAFE_INSTALL_INPUT_LINK_MODE",
        "linkMode",
    )
    assert "json" not in by_name
