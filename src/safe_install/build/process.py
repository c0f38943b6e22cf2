"""Run the programs of a build: bounded in time, without input, and gone with all they started.

What a program does with its own sessions cannot be undone everywhere: a daemon that let itself be adopted by the
system before its build ended is not found. Nothing waits for it either, because output goes to a file.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from typing import IO, TYPE_CHECKING

from ..interruption import shielded

if sys.platform == "win32":
    from ._process_windows import end_tree, start_options
else:
    from ._process_unix import end_tree, start_options

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


# Seconds between looks whether a program has ended.
_SHORTEST_PAUSE = 0.0005
_LONGEST_PAUSE = 0.05


class TimeUsedUpError(Exception):
    """The program did not end in time, and was killed."""


class CancelledError(Exception):
    """`ProcessRunner.cancel` was called; the program was killed or not started."""


class ProcessRunner:
    """Starts programs and remembers them, so that another thread can end them all."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._cancelled = False

    def run(
        self, command: Sequence[str], *, folder: str, variables: Mapping[str, str], output: IO[bytes], time_limit: float
    ) -> int:
        """Run *command* in *folder* and return its exit code; a negative one is the signal that ended it.

        :param variables: all that the program sees.
        :param output: takes what it writes to both of its streams.
        :param time_limit: seconds; not positive means that there is no time left.
        :raises TimeUsedUpError: it ran longer. It is gone.
        :raises CancelledError: see there.
        :raises OSError: it cannot be started.

        However this ends, Ctrl-C included, no process of the program's group is left.
        """
        if time_limit <= 0:
            raise TimeUsedUpError
        started: list[subprocess.Popen[bytes]] = []
        try:
            self._start(started, command, folder, variables, output)
            code = self._wait(started[0], time_limit)
        finally:
            self._end(started)
        if self._cancelled:
            raise CancelledError
        return code

    def cancel(self) -> None:
        """End every program that runs, and let no further one start. For use from another thread."""
        with self._guard:
            self._cancelled = True
            for process in self._running:
                end_tree(process)

    def _wait(self, process: subprocess.Popen[bytes], time_limit: float) -> int:
        """Not `Popen.wait` with a time-out: an interrupt just after it takes its lock leaves that locked for ever."""
        deadline = time.monotonic() + time_limit
        pause = _SHORTEST_PAUSE
        while (code := _poll(process)) is None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeUsedUpError
            time.sleep(min(pause, left))
            pause = min(2 * pause, _LONGEST_PAUSE)
        return code

    @shielded
    def _end(self, started: list[subprocess.Popen[bytes]]) -> None:
        for process in started:
            end_tree(process)
            process.wait()
            with self._guard:
                self._running.discard(process)

    @shielded
    def _start(
        self,
        started: list[subprocess.Popen[bytes]],
        command: Sequence[str],
        folder: str,
        variables: Mapping[str, str],
        output: IO[bytes],
    ) -> None:
        """Start a program and put it into *started*: an interrupt that comes meanwhile finds it there."""
        with self._guard:
            if self._cancelled:
                raise CancelledError
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=dict(variables),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                **start_options(),
            )
            self._running.add(process)
            started.append(process)


@shielded
def _poll(process: subprocess.Popen[bytes]) -> int | None:
    return process.poll()
