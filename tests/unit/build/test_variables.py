"""A build sees a fixed list of variables and the declared ones; only what may change the result is in its key."""

from __future__ import annotations

import os
from pathlib import Path

from safe_install.build.variables import COMPILER, NEUTRAL, build_variables, key_variables

AVAILABLE = {"PATH": "/usr/bin", "HOME": "/home/u", "CFLAGS": "-O2", "PYTHONPATH": "/evil", "MINE": "1", "TOKEN": "s"}


def test_nothing_but_the_lists_and_declared_names_passes() -> None:
    seen = build_variables(AVAILABLE, declared=["MINE"], temporary=Path("scratch"))
    assert {name for name in seen if name in AVAILABLE} == {"PATH", "HOME", "CFLAGS", "MINE"}
    assert seen["TMPDIR"] == seen["TEMP"] == seen["TMP"] == "scratch"


def test_the_key_holds_compiler_and_declared_variables_only() -> None:
    assert key_variables(AVAILABLE, ["MINE", "ABSENT"]) == {"CFLAGS": "-O2", "MINE": "1"}
    assert not NEUTRAL & COMPILER


def test_everything_in_the_key_is_seen_by_the_build() -> None:
    keyed = key_variables(AVAILABLE, ["MINE"])
    assert keyed.items() <= build_variables(AVAILABLE, declared=["MINE"], temporary=Path("t")).items()


def test_commands_of_the_private_environment_come_first() -> None:
    seen = build_variables(AVAILABLE, temporary=Path("t"), scripts=Path("env/bin"), environment=Path("env"))
    assert seen["PATH"].split(os.pathsep) == [str(Path("env/bin")), "/usr/bin"]
    assert seen["VIRTUAL_ENV"] == "env"


def test_names_are_found_in_upper_case_where_windows_gives_them_so() -> None:
    available = {"SYSTEMROOT": "C:\\Windows", "HTTP_PROXY": "p", "MYVALUE": "1"}
    assert key_variables(available, ["MyValue"]) == {"MYVALUE": "1"}
