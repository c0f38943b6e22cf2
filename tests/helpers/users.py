"""Other users of this machine, who need no name: processes may run under any number, where this one is root."""

from __future__ import annotations

import contextlib
import functools
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import safe_install

if TYPE_CHECKING:
    from collections.abc import Iterator

STRANGERS = (65531, 65532, 65533)
GROUP = 65530


@functools.cache
def python_of_strangers() -> tuple[str, str] | None:
    """An interpreter that other users can start, and the ``PYTHONPATH`` with which it finds us; None without one.

    Ours may lie in the home of root.
    """
    packages = [str(Path(safe_install.__file__).parents[1])]
    packages += [entry for entry in sys.path if entry.endswith(("site-packages", "dist-packages"))]
    for python in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        with contextlib.suppress(OSError):
            done = subprocess.run(
                [python, "-c", "import safe_install.cli, click, filelock, httpx, virtualenv"],
                env={"PATH": os.environ.get("PATH", ""), "PYTHONPATH": os.pathsep.join(packages)},
                cwd="/",
                user=STRANGERS[0],
                group=STRANGERS[0],
                extra_groups=[],
                capture_output=True,
                check=False,
            )
            if done.returncode == 0:
                return python, os.pathsep.join(packages)
    return None


def needed_python_of_strangers() -> tuple[str, str]:
    """As `python_of_strangers`; skips the test that asks where there is none."""
    if os.name == "nt" or os.geteuid() != 0:
        pytest.skip("only root can act as another user")
    if (found := python_of_strangers()) is None:
        pytest.skip("no interpreter of this version with these packages can be started by other users")
    return found


@contextlib.contextmanager
def open_folder() -> Iterator[Path]:
    """A temporary folder that all users can enter."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)
