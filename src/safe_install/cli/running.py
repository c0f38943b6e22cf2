"""Run a command with its output passed through, and the end of it kept."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from ..errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_KEPT = 256 * 1024  # bytes of each stream
_CHUNK = 16 * 1024
_GRACE = 10.0  # seconds that a command has to end when it is asked to
_OUTPUTS = (1, 2)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended. :param code: its exit code, or 128 plus a signal. :param output: the end of what it said."""

    code: int
    output: str


def run_command(command: Sequence[str], variables: Mapping[str, str]) -> Ended:
    """Run *command* and wait for it. On a terminal it has that to itself, and nothing of its output is kept.

    :raises StoreError: ``command-unusable``: it cannot be started.
    :raises KeyboardInterrupt: this process was asked to end; the command has been, and is gone.
    """
    direct = os.isatty(1) or os.isatty(2)
    pipes = None if direct else subprocess.PIPE
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    try:
        process = subprocess.Popen(command, env=dict(variables), stdout=pipes, stderr=pipes)
    except OSError as error:
        raise StoreError(
            f"cannot run {command[0]}: {error.strerror or error}", code="command-unusable", hint="is it installed?"
        ) from error
    tails: list[deque[bytes]] = []
    threads = []
    if not direct:
        for stream, output in zip((process.stdout, process.stderr), _OUTPUTS, strict=True):
            assert stream is not None
            tail: deque[bytes] = deque(maxlen=_KEPT // _CHUNK)
            tails.append(tail)
            threads.append(threading.Thread(target=_pass_on, args=(stream, output, tail), daemon=True))
    try:
        for thread in threads:
            thread.start()
        code = process.wait()
        for thread in threads:
            # What it started in the background may hold the pipe for ever.
            thread.join(_GRACE)
    except BaseException:
        _end(process)
        raise
    text = b"\n".join(b"".join(tail) for tail in tails).decode("utf-8", "replace")
    return Ended(128 - code if code < 0 else code, text)


def _pass_on(stream: IO[bytes], output: int, tail: deque[bytes]) -> None:
    """Copy *stream* to a descriptor of this process as it comes; go on reading when nobody wants it any more."""
    broken = False
    while data := os.read(stream.fileno(), _CHUNK):
        tail.append(data)
        while data and not broken:
            try:
                data = data[os.write(output, data) :]
            except OSError:
                broken = True
    stream.close()


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask the command to end as this process was asked to, and end it when it does not."""
    with contextlib.suppress(OSError):
        process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + _GRACE
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    with contextlib.suppress(OSError):
        process.kill()
    process.wait()
