"""Variables arrive as they were in the program that reads the form, or are refused by name."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING

import pytest
from helpers.capabilities import unix_only

from safe_install.errors import InputError
from safe_install.platforms.export import FORMS, write_variables

if TYPE_CHECKING:
    from pathlib import Path

AWKWARD = [
    "plain", "two words", "it's", '"quoted"', "$(touch here)", "`touch here`", "%PATH%", "::error::x", "]]", "a;b&c|d>e",
    "ünïcödé", "back\\slash", "trailing ", "$HOME", "!x!", "^", "\u2019", "x" * 10_000,
]  # fmt: skip


@unix_only
@pytest.mark.parametrize("value", AWKWARD)
def test_a_posix_shell_gets_the_value(value: str, tmp_path: Path) -> None:
    script = write_variables({"NAME": value}, "env") + 'printf %s "$NAME"\n'
    done = subprocess.run(["sh", "-c", script], cwd=tmp_path, check=True, capture_output=True)
    assert done.stdout == value.encode()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", AWKWARD)
def test_the_file_of_github_holds_the_value_between_delimiters(value: str) -> None:
    """The runner reads ``NAME<<DELIMITER``, lines, ``DELIMITER``."""
    head, text, end, rest = write_variables({"NAME": value}, "github").split("\n")
    assert (head, text, rest) == (f"NAME<<{end}", value, "")
    assert end not in value


@pytest.mark.parametrize("value", AWKWARD)
def test_powershell_ends_a_text_at_no_quotation_mark_within(value: str) -> None:
    """Two quotation marks of its kind stand for one (about_Quoting_Rules); nothing else means anything."""
    (quoted,) = re.fullmatch(r"\$env:NAME = '(.*)'\n", write_variables({"NAME": value}, "powershell")).groups()  # type: ignore[union-attr]  # no match is a failure too
    assert re.sub("(['\u2018-\u201b])\\1", r"\1", quoted) == value
    assert not re.search("['\u2018-\u201b]", re.sub("(['\u2018-\u201b])\\1", "", quoted))


def test_batch_files_and_dotenv_take_values_as_they_are() -> None:
    assert write_variables({"A": "50% (x)", "B": "y z"}, "cmd") == 'set "A=50%% (x)"\nset "B=y z"\n'
    assert write_variables({"A": "y z's"}, "dotenv") == "A=y z's\n"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("value", ["two\nlines", "a\rb", "nul\0", "\x1b[31m"])
def test_control_characters_are_refused_by_name(form: str, value: str) -> None:
    with pytest.raises(InputError, match=r"^NAME holds a control character") as refused:
        write_variables({"NAME": value}, form)
    assert refused.value.code == "not-exportable"


def test_quotation_marks_are_refused_for_batch_files() -> None:
    with pytest.raises(InputError, match=r"^NAME holds a quotation mark"):
        write_variables({"NAME": 'a" & del *'}, "cmd")


@pytest.mark.skipif(os.name != "nt", reason="about Windows: run with --lab windows")
@pytest.mark.parametrize("value", ["plain", "two words", "%PATH%", "a&b|c>d", "]]", "::x", "C:\\a (b)\\c"])
def test_a_batch_file_gets_the_value(value: str, tmp_path: Path) -> None:
    script = tmp_path / "try.cmd"
    script.write_text("@echo off\r\n" + write_variables({"NAME": value}, "cmd") + "set NAME\r\n", encoding="ascii")
    done = subprocess.run(["cmd", "/d", "/c", str(script)], check=True, capture_output=True, text=True)
    assert f"NAME={value}" in done.stdout.splitlines()
