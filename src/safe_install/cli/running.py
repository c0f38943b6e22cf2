"""Run a command with its output passed through, and the end of it kept."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import StoreError
from ..interruption import shielded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_KEPT = 256 * 1024  # bytes of each stream
_CHUNK = 16 * 1024
_GRACE = 8.0  # seconds that a command has to end when it is asked to
_LINGER = 2.0  # seconds to wait for the output of what it left in the background


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended. :param code: its exit code, or 128 plus a signal. :param output: the end of what it said."""

    code: int
    output: str


def run_command(command: Sequence[str], variables: Mapping[str, str]) -> Ended:
    """Run *command* and wait for it. On a terminal it has that to itself, and nothing of its output is kept.

    :raises StoreError: ``command-unusable``: it cannot be started.
    :raises KeyboardInterrupt: this process was asked to end; the command was too, with all it started, and is gone.
    """
    for text in (sys.stdout, sys.stderr):
        if text is not None:
            with contextlib.suppress(OSError, ValueError):
                text.flush()
    direct = _is_terminal(1) or _is_terminal(2)
    pumps: list[_Pump] = []
    try:
        process = _start(command, variables, pumps, direct=direct)
    except OSError as error:
        for pump in pumps:
            pump.close()
        raise StoreError(
            f"cannot run {command[0]}: {error.strerror or error}", code="command-unusable", hint="is it installed?"
        ) from error
    try:
        for pump in pumps:
            pump.start()
        code = process.wait()
    except BaseException:
        _end(process, alone=not direct)
        raise
    until = time.monotonic() + _LINGER
    for pump in pumps:
        # What it started in the background may hold the pipe for ever.
        pump.join(max(0.0, until - time.monotonic()))
    text_kept = b"\n".join(pump.kept for pump in pumps).decode("utf-8", "replace")
    return Ended(128 - code if code < 0 else code, text_kept)


def _start(
    command: Sequence[str], variables: Mapping[str, str], pumps: list[_Pump], *, direct: bool
) -> subprocess.Popen[bytes]:
    if direct:
        return subprocess.Popen(command, env=dict(variables))
    outputs: list[int | None] = []
    for number in (1, 2):
        if outputs and outputs[0] is not None and _are_one_file(1, 2):
            outputs.append(subprocess.STDOUT)
        elif _is_open(number):
            pumps.append(_Pump(number))
            outputs.append(pumps[-1].writing)
        else:
            outputs.append(subprocess.DEVNULL)
    # A group of its own, so that all that it starts can be asked to end; a terminal's group it has to share.
    group = None if os.name == "nt" else 0
    stdout, stderr = outputs
    process = subprocess.Popen(command, env=dict(variables), stdout=stdout, stderr=stderr, process_group=group)
    for pump in pumps:
        pump.close_writing()
    return process


class _Pump(threading.Thread):
    """Passes on what comes through a pipe to the descriptor *output* of this process, and keeps the end of it."""

    def __init__(self, output: int) -> None:
        super().__init__(daemon=True)
        self._output = output
        self._reading, self.writing = os.pipe()
        self._tail = bytearray()

    @property
    def kept(self) -> bytes:
        """The last `_KEPT` bytes."""
        return bytes(self._tail[-_KEPT:])

    def close_writing(self) -> None:
        """Leave the end for writing to the command alone."""
        os.close(self.writing)
        self.writing = -1

    def close(self) -> None:
        """Close what is open, where the command could not be started."""
        os.close(self._reading)
        if self.writing >= 0:
            os.close(self.writing)

    def run(self) -> None:
        """Until the command and all that it started have closed their end, or nobody reads what we write."""
        try:
            while data := os.read(self._reading, _CHUNK):
                self._tail += data
                if len(self._tail) > 2 * _KEPT:
                    del self._tail[:-_KEPT]
                self._write(data)
        except OSError:
            pass  # nobody reads any more: the command is told so by its own pipe, as without us
        finally:
            os.close(self._reading)

    def _write(self, data: bytes) -> None:
        while data:
            try:
                data = data[os.write(self._output, data) :]
            except BlockingIOError:
                # Somebody who shares the pipe has made it so.
                select.select([], [self._output], [])


@shielded
def _end(process: subprocess.Popen[bytes], *, alone: bool) -> None:
    """Ask the command to end as this process was asked to, and end it when it does not.

    :param alone: it has a group of its own; on a terminal a Ctrl-C has reached it already.
    """
    if not alone and _has_ended(process, _GRACE):
        return
    _signal(process, signal.SIGTERM, alone=alone)
    _has_ended(process, _GRACE)
    # Also what it left behind in its group.
    _signal(process, getattr(signal, "SIGKILL", signal.SIGTERM), alone=alone)
    process.wait()


def _has_ended(process: subprocess.Popen[bytes], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    return process.poll() is not None


def _signal(process: subprocess.Popen[bytes], number: int, *, alone: bool) -> None:
    with contextlib.suppress(OSError):
        if alone and sys.platform != "win32":
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def _is_terminal(number: int) -> bool:
    return _is_open(number) and os.isatty(number)


def _are_one_file(first: int, second: int) -> bool:
    """Whether two descriptors lead to one file, in which the order of what is written counts."""
    return _is_open(first) and _is_open(second) and os.path.sameopenfile(first, second)
