from __future__ import annotations

import pytest

from safe_install.errors import ExitCode, IntegrityError
from safe_install.install.entry_points import EntryPoint, is_protected_script, parse_entry_points


def test_commands_of_both_groups_are_read_in_order() -> None:
    text = "[gui_scripts]\nwindow = demo.gui:App.run\n\n[console_scripts]\nb=demo:b\na = demo : a\n"
    assert parse_entry_points(text) == [
        EntryPoint("window", "demo.gui", "App.run", "gui_scripts"),
        EntryPoint("b", "demo", "b", "console_scripts"),
        EntryPoint("a", "demo", "a", "console_scripts"),
    ]


def test_comments_blank_lines_and_line_ends_of_windows_mean_nothing() -> None:
    text = "# one\r\n; two\r\n\r\n[console_scripts]\r\n  # three\r\n  demo = demo:main\r\n"
    assert parse_entry_points(text) == [EntryPoint("demo", "demo", "main", "console_scripts")]


@pytest.mark.parametrize("extras", ["[color]", " [a, b-c,d.e]", "[]"])
def test_extras_are_allowed_and_dropped(extras: str) -> None:
    assert parse_entry_points(f"[console_scripts]\ndemo = demo:main{extras}\n") == [
        EntryPoint("demo", "demo", "main", "console_scripts")
    ]


@pytest.mark.parametrize(
    "text", ["", "demo = demo:main\n", "[other]\n= ../x = $(evil)\nbroken\n[pytest11]\ndemo = demo\n"]
)
def test_other_groups_are_not_looked_at(text: str) -> None:
    assert parse_entry_points(text) == []


@pytest.mark.parametrize(
    "name", ["demo", "demo.py", "a-b_c", "2to3", "démo", "my demo", "[demo", "python-config", "pip3.11"]
)
def test_names_of_real_commands_are_accepted(name: str) -> None:
    (found,) = parse_entry_points(f"[console_scripts]\n{name} = demo:main\n")
    assert found.name == name


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("demo", "not of the form"),
        ("demo: demo:main", "not of the form"),
        ("demo = ", "no plain"),
        ("demo = demo", "no plain"),
        ("demo = demo:", "no plain"),
        ("demo = :main", "no plain"),
        ("demo = demo:main:other", "no plain"),
        ("demo = demo..x:main", "no plain"),
        ("demo = demo:main.", "no plain"),
        ("demo = demo-x:main", "no plain"),
        ("demo = os:system('evil')", "no plain"),
        ("demo = demo:main  # comment", "no plain"),
        ("demo = demo:main [x] y", "no plain"),
        ("a/b = demo:main", "is a path"),
        (".. = demo:main", "`..`"),
        ("ab:c = demo:main", "colon"),
        ("nul = demo:main", "reserved"),
        ("demo. = demo:main", "Windows drops"),
        ('"demo" = demo:main', "Windows does not allow"),
        ("python3 = demo:main", "part of the environment"),
    ],
)
def test_anything_but_a_plain_command_is_refused(line: str, reason: str) -> None:
    with pytest.raises(IntegrityError) as caught:
        parse_entry_points(f"[console_scripts]\n{line}\n", filename="demo-1.0-py3-none-any.whl")
    assert caught.value.code == "wheel-entry-point"
    assert caught.value.exit_code == ExitCode.INTEGRITY
    assert "demo-1.0-py3-none-any.whl" in caught.value.message
    assert reason in caught.value.message


def test_command_twice_with_one_meaning_is_one_command() -> None:
    assert len(parse_entry_points("[console_scripts]\na = demo:main\na = demo:main\n")) == 1


def test_command_twice_with_two_meanings_is_refused() -> None:
    with pytest.raises(IntegrityError, match="two meanings"):
        parse_entry_points("[console_scripts]\na = demo:main\na = demo:other\n")


def test_names_that_differ_in_case_are_refused_only_where_they_are_one_file() -> None:
    text = "[console_scripts]\na = demo:main\nA = demo:other\n"
    assert [point.name for point in parse_entry_points(text)] == ["a", "A"]
    with pytest.raises(IntegrityError, match="two meanings"):
        parse_entry_points(text, folds_case=True)


@pytest.mark.parametrize(
    "name",
    [
        "python",
        "python3",
        "python3.11",
        "python3.13t",
        "PYTHON.EXE",
        "pythonw.exe",
        "python_d.exe",
        "python.bat",
        "python311.dll",
        "pypy3",
        "activate",
        "activate.csh",
        "Activate.ps1",
        "activate_this.py",
        "deactivate.bat",
        "pyvenv.cfg",
        "venvlauncher.exe",
    ],
)
def test_what_an_environment_consists_of_is_protected(name: str) -> None:
    assert is_protected_script(name)


@pytest.mark.parametrize(
    "name",
    # The first two are commands of argcomplete.
    [
        "activate-global-python-argcomplete",
        "python-argcomplete-check-easy-install-script",
        "pip",
        "pip3.11",
        "pythonic",
        "ipython",
        "python-config",
        "xpython",
        "pydoc",
    ],
)
def test_similar_names_are_free(name: str) -> None:
    assert not is_protected_script(name)
