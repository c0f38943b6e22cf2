"""Start and end build processes where there are process groups."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

assert sys.platform != "win32"

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

# What the modes of built files come from; pip's results have those of the usual umask.
_UMASK = 0o022


def start_options() -> dict[str, Any]:
    """Options of `subprocess.Popen` that put the process at the head of a group of its own."""
    return {"process_group": 0, "umask": _UMASK}


def end_tree(process: subprocess.Popen[bytes]) -> None:
    """End *process*, its group, and descendants that left the group.

    The group is signalled even when its head is gone: what it left running would go on writing into a folder that
    is about to be removed. No new group can have the number within the moment since its head was waited for, for
    numbers are given out in turn.
    """
    # Whoever has ended has no descendants any more: they were given to the system's first process.
    strays = list(_descendants(process.pid)) if process.poll() is None else []
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    for stray in strays:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(stray, signal.SIGKILL)


def _descendants(root: int) -> Iterator[int]:
    """Yield the processes below *root*, where the system has ``/proc``; elsewhere none."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            # "pid (name) state ppid …", and the name may hold spaces and parentheses.
            parent = int(entry.read_text(errors="replace").rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
        children.setdefault(parent, []).append(int(entry.parent.name))
    waiting = [root]
    while waiting:
        found = children.get(waiting.pop(), [])
        yield from found
        waiting += found
