"""Run commands and note time, memory and received bytes; bring the system's caches to the same state before each."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if sys.platform != "win32":
    import resource

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

T = TypeVar("T", int, float)
KIB = 1024
SAMPLING_PAUSE = 0.005
"""Seconds between two looks at the memory of a process tree."""


class CommandFailedError(RuntimeError):
    """A tool did not do what it was asked."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """Of one run, which may consist of several commands.

    :param seconds: wall time, from the start of the first to the end of the last.
    :param cpu: seconds of processors, in user and system mode, of all processes that were waited for; None where the
        system does not tell.
    :param peak: bytes; of the largest single process, or of the whole tree when it was sampled.
    :param received: bytes that all network interfaces but loopback received meanwhile, whoever asked for
        them; None where the system does not tell.
    """

    seconds: float
    cpu: float | None
    peak: int
    received: int | None


def measure(commands: Sequence[Sequence[str]], environ: Mapping[str, str], *, sample: bool = False) -> Measurement:
    """Run *commands* one after the other.

    :param sample: look at the memory of all processes together every few milliseconds; disturbs the time.
    :raises CommandFailedError: one ended with another code than 0; its output is in the text.
    """
    received, cpu = received_bytes(), cpu_seconds()
    started = time.perf_counter()
    peak = max(_run(command, environ, sample=sample) for command in commands)
    seconds = time.perf_counter() - started
    return Measurement(seconds, since(cpu, cpu_seconds()), peak, since(received, received_bytes()))


def since(before: T | None, now: T | None) -> T | None:
    """What was added; None where it is not known."""
    return None if before is None or now is None else now - before


def cpu_seconds() -> float | None:
    """Of all processes that this one has waited for, and those that they have; None where the system does not tell."""
    if sys.platform == "win32":
        return None
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _run(command: Sequence[str], environ: Mapping[str, str], *, sample: bool) -> int:
    """Run one command and return its peak memory in bytes (0 where the system does not tell)."""
    process = subprocess.Popen(
        command, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True,
    )  # fmt: skip
    sampler = _Sampler(process.pid)
    if sample:
        sampler.start()
    assert process.stdout is not None
    output = process.stdout.read()
    peak = 0
    if sys.platform == "win32":
        code = process.wait()
    else:
        # The largest process among this one and those it waited for. On Linux it starts with the memory of the
        # process that forked it, so figures below this program's own size cannot be seen.
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = code = os.waitstatus_to_exitcode(status)
        peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else KIB)
    sampler.stop()
    process.stdout.close()
    if code != 0:
        text = output.decode(errors="replace")
        message = f"{' '.join(command)}\nended with {code}:\n{text}"
        raise CommandFailedError(message)
    return max(peak, sampler.peak)


class _Sampler:
    """Adds up the resident memory of all processes of one session, as long as it runs (Linux only)."""

    def __init__(self, session: int) -> None:
        self.session = session
        self.peak = 0
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        if Path("/proc/self/statm").exists():
            self._thread = threading.Thread(target=self._sample, daemon=True)
            self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def _sample(self) -> None:
        while not self._ended.wait(SAMPLING_PAUSE):
            self.peak = max(self.peak, sum(map(self._memory, filter(str.isdigit, os.listdir("/proc")))))

    def _memory(self, process: str) -> int:
        """Bytes of one process, its share of what it shares with others (`Pss`); 0 when it is not of the session."""
        with contextlib.suppress(OSError):
            # proc(5): after the program's name, which is in parentheses, come state, parent, group and session.
            fields = (
                Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            )
            if int(fields[3]) != self.session:
                return 0
            for line in Path(f"/proc/{process}/smaps_rollup").read_text(encoding="utf-8").splitlines():
                if line.startswith("Pss:"):
                    return int(line.split()[1]) * KIB
        return 0


def received_bytes() -> int | None:
    """Bytes received by all interfaces but loopback since the system started; None where it does not tell."""
    try:
        lines = Path("/proc/net/dev").read_text(encoding="utf-8").splitlines()[2:]
    except OSError:
        return None
    return sum(int(line.split(":")[1].split()[0]) for line in lines if line.split(":")[0].strip() != "lo")


def settle_caches(folders: Iterable[Path]) -> None:
    """Drop the system's caches where that is allowed (root on Linux), then read *folders* whole.

    Removing environments over and over slows every later link call down several times, whoever makes it. Dropping
    the caches ends that; reading the programs again, and for a warm run the store, leaves nothing else cold.
    """
    with contextlib.suppress(OSError):
        os.sync()
        Path("/proc/sys/vm/drop_caches").write_text("3", encoding="ascii")
    for folder in folders:
        for parent, _, names in os.walk(folder):
            for name in names:
                with contextlib.suppress(OSError), Path(parent, name).open("rb", buffering=0) as file:
                    while file.read(1 << 20):
                        pass
