"""`safe_install.wrapping.tools` and `safe_install.wrapping.passing`."""

from __future__ import annotations

import pytest

from safe_install.wrapping.passing import FAILURES, passing_failure
from safe_install.wrapping.tools import TOOLS, tools_of


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["uv", "sync"], ["uv"]),
        (["/opt/bin/uv.exe", "pip", "install"], ["uv"]),
        (["python3.12", "-I", "-m", "pip", "install"], ["pip"]),
        (["python", "script.py", "-m", "pip"], []),
        (["py", "-m", "piptools", "sync"], ["pip-tools", "pip"]),
        (["tox"], ["tox", "pip", "uv"]),
        (["pip3.12", "install"], ["pip"]),
        (["python3.13t", "-X", "dev", "-m", "pip"], ["pip"]),
        (["python3", "-mpip"], ["pip"]),
        (["C:\\tools\\UV.EXE", "sync"], ["uv"]),
        (["make"], []),
        (["python", "-m"], []),
        (["env", "A=1", "B=", "uv", "sync"], ["uv"]),
        (["/usr/bin/env", "-i", "-u", "HOME", "--chdir", "/x", "python3", "-m", "pip"], ["pip"]),
        (["env", "-S", "uv sync"], []),
        (["env"], []),
        (["env", "make", "A=1", "uv"], []),
    ],
)
def test_tools_of_a_command(command: list[str], expected: list[str]) -> None:
    assert [tool.name for tool in tools_of(command)] == expected


def test_every_tool_has_a_cache_of_its_own() -> None:
    assert len({tool.variable for tool in TOOLS.values()}) == len(TOOLS)


@pytest.mark.parametrize(
    ("line", "report"),
    [
        ("error: failed to remove directory `/x`: Directory not empty (os error 39)", "uv#12036"),
        ("error: Failed to install: a.whl\n  Caused by: Access is denied. (os error 5)", "uv#2810"),
        ("OSError: [Errno 39] Directory not empty: '/x'", "uv#12036"),
        ("OSError: [Errno 16] Device or resource busy: '.nfs01'", "uv#12036"),
        ("  Caused by: Stale file handle (os error 116)", "apache/tvm-ffi#667"),
    ],
)
def test_failures_that_pass(line: str, report: str) -> None:
    failure = passing_failure(f"before\n{line}\nafter")
    assert failure is not None
    assert failure.report == report


@pytest.mark.parametrize(
    "line",
    [
        "",
        "error: No solution found",
        "Permission denied (os error 13)",
        "No space left on device (os error 28)",
        "Broken pipe (os error 32)",
        "Text file busy (os error 26)",
    ],
)
def test_other_failures_do_not_pass(line: str) -> None:
    assert passing_failure(line) is None


def test_every_failure_names_who_met_it() -> None:
    assert all("#" in failure.report and failure.cause for failure in FAILURES)
