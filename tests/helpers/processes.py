"""Watch processes from the outside."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def is_running(number: int) -> bool:
    """Whether the process *number* exists and is no mere entry that its parent has not collected yet."""
    if sys.platform == "win32":
        listed = subprocess.run(["tasklist", "/FI", f"PID eq {number}"], capture_output=True, text=True, check=True)
        return str(number) in listed.stdout
    stat = Path(f"/proc/{number}/stat")
    if stat.parent.parent.joinpath("self").exists():
        try:
            return stat.read_text().rpartition(")")[2].split()[0] != "Z"
        except (FileNotFoundError, ProcessLookupError):
            return False
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until(condition: Callable[[], bool], *, patience: float = 30.0) -> None:
    """Return as soon as *condition* holds. :raises AssertionError: it did not within *patience* seconds."""
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def wait_until_gone(numbers: Iterable[int]) -> None:
    """Return as soon as none of these processes runs. :raises AssertionError: one still does after 30 seconds."""
    waiting = list(numbers)
    wait_until(lambda: not any(map(is_running, waiting)))
