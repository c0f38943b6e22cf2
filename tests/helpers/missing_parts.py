"""Tests that need what a machine may lack: skipped on a laptop, failed in CI.

Where ``SAFE_INSTALL_TESTS_REQUIRE_ALL`` is set, a part that is missing is a failure, so that no job looks green while it tested
nothing. A test that cannot mean anything on a system (permissions as root, Windows only) is no missing part: skip it plainly.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

import pytest


def missing(what: str, remedy: str) -> NoReturn:
    """End the running test, because *what* is not on this machine; *remedy* says how to get it, in the imperative."""
    text = f"{what} is missing: {remedy}"
    if os.environ.get("SAFE_INSTALL_TESTS_REQUIRE_ALL", "") not in {"", "0"}:
        pytest.fail(text, pytrace=False)
    pytest.skip(text)


def program(name: str, remedy: str) -> Path:
    """The program *name* that belongs to the Python that runs the tests, else one on PATH, else `missing`."""
    beside = Path(sys.executable).parent
    found = shutil.which(name, path=str(beside)) or shutil.which(name)
    if found is None:
        missing(f"the program {name}", remedy)
    return Path(found)


@functools.cache
def index_problem() -> str | None:
    """Why pip cannot fetch a small project from the index that it is configured for; None when it can."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-cache-dir", "--dest", folder]
        command += ["--retries", "1", "--timeout", "20", "six"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Hold tests marked ``index`` to their marker; `conftest.py` imports this hook."""
    if item.get_closest_marker("index") is not None and (problem := index_problem()) is not None:
        missing(f"a package index ({problem})", "configure pip for one that can be reached")
