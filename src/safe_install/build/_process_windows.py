"""Start and end build processes on Windows."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

assert sys.platform == "win32"


def start_options() -> dict[str, Any]:
    """Options of `subprocess.Popen` that keep Ctrl-C from the process, which is ended by `end_tree` instead."""
    return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}


def end_tree(process: subprocess.Popen[bytes]) -> None:
    """End *process* and what it started, as far as each parent still runs.

    ``taskkill /T`` follows parent numbers, so it is called before the head itself is waited for.
    """
    if process.poll() is not None:
        return
    subprocess.run(
        ["taskkill", "/F", "/T", "/PID", str(process.pid)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    process.kill()
