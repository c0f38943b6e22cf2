"""Compile Python files with the interpreter that will run them, in as many processes as there are cores.

A file that does not compile, crashes its compiler or takes too long is passed over, as pip does with the first kind:
bytecode only saves time. Nothing of a process is left when this returns, however it ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import subprocess
import threading
import time
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, NamedTuple

from ..errors import TargetError
from ..events import PhaseAdvanced, PhaseEnded, PhaseStarted
from ..fs._system import system_path
from .contents import CACHE_FOLDER

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType
    from typing import Self

    from ..events import EventSink
    from ..models import Interpreter

# Given to a worker at once, so that it never waits for us; few enough that the last ones end together.
_BATCH = 16
_REPORT_EVERY = 200
# A compiler needs up to fifty times the size of its source, and keeps that. Files of this size, in bytes, are compiled
# one at a time, each by a worker of its own: all workers together then need little more memory than one.
_LARGE = 512 * 1024
# And these while no other worker is there, 0.1 s for each MiB.
_HUGE = 1536 * 1024
# Workers that died one after the other without a single answer: the files are not to blame any more.
_FUTILE = 5
_LOOK_EVERY = 0.2
# What `importlib` calls a file that it has not finished writing.
_TORN = re.compile(r".+\.pyc\.\d+")


COMPILE_KEY = "bytecode"
"""The key of the phase ``compile`` in events."""


class Source(NamedTuple):
    """A file to be compiled.

    :param place: where it is now.
    :param shown: where it will be, for tracebacks.
    :param size: bytes; 0 where it is not known.
    :param target: where the bytecode goes, in a folder that exists; None for where Python looks for it (PEP 3147).
    """

    place: str
    shown: str
    size: int = 0
    target: str | None = None

    @property
    def folder(self) -> str:
        """Where the bytecode goes."""
        return os.path.dirname(self.target or os.path.join(os.path.dirname(self.place), CACHE_FOLDER, "_"))


def bytecode_path(source: str, interpreter: Interpreter) -> str:
    """Return where the bytecode of the relative path *source* lies, relative to the same folder (PEP 3147)."""
    folder, _, name = source.rpartition("/")
    cached = f"{CACHE_FOLDER}/{name[: -len('.py')]}.{interpreter.cache_tag}.pyc"
    return f"{folder}/{cached}" if folder else cached


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiling:
    """How bytecode is made.

    :param executable: an interpreter of the version that will run it.
    :param workers: processes; None for one for each core that this process may use.
    :param timeout: seconds for one file.
    """

    executable: str
    workers: int | None = None
    timeout: float = 60.0


def compile_sources(how: Compiling, sources: Sequence[Source], *, sink: EventSink) -> set[int]:
    """Compile *sources*; return the positions of those that have bytecode now. Tells a phase ``compile``.

    :raises TargetError: ``interpreter-broken``: no worker could be started.
    """
    if not sources:
        return set()
    begun = time.monotonic()
    sink(PhaseStarted(phase="compile", key=COMPILE_KEY, label="bytecode", total=len(sources)))
    try:
        return _compile(how, sources, sink)
    finally:
        sink(PhaseEnded(phase="compile", key=COMPILE_KEY, seconds=time.monotonic() - begun))


def _compile(how: Compiling, sources: Sequence[Source], sink: EventSink) -> set[int]:
    run = _Run(how.executable, sources, how.timeout, _Progress(sink))
    count = min(how.workers or _cores(), -(-len(sources) // _BATCH))
    ends = [threading.Event() for _ in range(count)]
    threads = [threading.Thread(target=run.work, args=(end, n == 0), name=f"compile-{n}") for n, end in enumerate(ends)]
    try:
        for thread in threads:
            thread.start()
        for end in ends:
            while not end.wait(_LOOK_EVERY):
                run.kill_slow()
    finally:
        # Not joined: before Python 3.13 a `join` that Ctrl-C interrupts takes its thread for ended (bpo-45274).
        run.stop()
        for thread, end in zip(threads, ends, strict=True):
            if thread.ident is not None:
                end.wait()
    run.progress.flush()
    if run.failure is not None:
        raise run.failure
    return run.compiled


def remove_torn(folder: str) -> None:
    """Remove what a killed compiler left in the ``__pycache__`` folder *folder*, which may be missing."""
    with contextlib.suppress(OSError):
        for name in os.listdir(system_path(folder)):
            if _TORN.fullmatch(name):
                os.unlink(system_path(os.path.join(folder, name)))


def _cores() -> int:
    affinity: Callable[[int], set[int]] | None = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


class _Progress:
    """Tells how many files are done, a few hundred at a time. For one thread at a time, as its owner sees to it."""

    def __init__(self, sink: EventSink) -> None:
        self._sink = sink
        self._pending = 0

    def advance(self) -> None:
        self._pending += 1
        if self._pending >= _REPORT_EVERY:
            self.flush()

    def flush(self) -> None:
        if self._pending:
            self._sink(PhaseAdvanced(phase="compile", key=COMPILE_KEY, amount=self._pending))
            self._pending = 0


class _Run:
    """The files that are left, and what became of the others; shared by the threads, each of which has a worker."""

    def __init__(self, executable: str, sources: Sequence[Source], timeout: float, progress: _Progress) -> None:
        self.compiled: set[int] = set()
        self.failure: TargetError | None = None
        self.progress = progress
        self._executable = executable
        self._sources = sources
        self._timeout = timeout
        self._script = resources.files(__package__).joinpath("_compile_worker.py").read_text(encoding="utf-8")
        self._left: queue.SimpleQueue[list[int]] = queue.SimpleQueue()
        numbers = range(len(sources))
        sizes = [source.size for source in sources]
        self._large = sorted((number for number in numbers if sizes[number] >= _LARGE), key=sizes.__getitem__)
        others = [number for number in numbers if sizes[number] < _LARGE]
        for start in range(0, len(others), _BATCH):
            self._left.put(others[start : start + _BATCH])
        self._lock = threading.Lock()
        self._room = threading.Event()
        self._stopped = threading.Event()
        self._running: set[_Worker] = set()

    def work(self, ended: threading.Event, takes_large: bool) -> None:
        """Compile batches until none is left. A worker that dies over a file is replaced, and the file passed over.

        :param ended: set at the very end, however that comes.
        :param takes_large: this is the one thread that compiles large files, and begins with them.
        """
        try:
            if not takes_large:
                self._room.wait()
            self._work(takes_large)
        finally:
            if takes_large:
                self._room.set()
            ended.set()

    def _work(self, takes_large: bool) -> None:
        batch: list[int] = []
        futile = 0
        while not self._stopped.is_set():
            if takes_large:
                self._make_room()
            try:
                with self._worker() as worker:
                    while batch or (batch := self._next(takes_large)):
                        was_large = self._sources[batch[0]].size >= _LARGE
                        if not self._compile(worker, batch) or was_large:
                            break
                    else:
                        return
            except OSError as error:
                self._fail(error.strerror or str(error))
            else:
                futile = 0 if worker.answered else futile + 1
                if futile >= _FUTILE:
                    self._fail("it dies without an answer")

    def _make_room(self) -> None:
        """Let the other workers begin when no file is left that needs all memory."""
        if not self._large or self._sources[self._large[-1]].size < _HUGE:
            self._room.set()

    def kill_slow(self) -> None:
        """Kill the workers that have spent too long over one file."""
        now = time.monotonic()
        with self._lock:
            slow = [
                worker for worker in self._running if worker.since is not None and now - worker.since > self._timeout
            ]
        for worker in slow:
            worker.kill()

    def stop(self) -> None:
        """Let every thread end soon: no new batch is begun, and the workers are killed."""
        self._stopped.set()
        self._room.set()
        with self._lock:
            running = list(self._running)
        for worker in running:
            worker.kill()

    def _fail(self, reason: str) -> None:
        self.failure = TargetError(
            f"could not compile bytecode with {self._executable}: {reason}",
            code="interpreter-broken",
            hint="repair it, or install with --no-compile-bytecode",
        )
        self.stop()

    def _next(self, takes_large: bool) -> list[int]:
        if self._stopped.is_set():
            return []
        if takes_large and self._large:
            return [self._large.pop()]
        try:
            return self._left.get_nowait()
        except queue.Empty:
            return []

    def _compile(self, worker: _Worker, batch: list[int]) -> bool:
        """Work *batch* off, taking what is done out of it; return False when the worker is no longer usable."""
        worker.send([(number, self._sources[number]) for number in batch])
        while batch:
            answer = worker.receive()
            if answer is None:
                # Dead, or killed for being slow: over the file that is next in its row.
                remove_torn(self._sources[batch.pop(0)].folder)
                return False
            number, succeeded = answer
            batch.remove(number)
            with self._lock:
                if succeeded:
                    self.compiled.add(number)
                self.progress.advance()
        return True

    def _worker(self) -> _Worker:
        worker = _Worker(self._executable, self._script, self._forget)
        with self._lock:
            self._running.add(worker)
        if self._stopped.is_set():
            worker.kill()
        return worker

    def _forget(self, worker: _Worker) -> None:
        with self._lock:
            self._running.discard(worker)


class _Worker:
    """One process. A context manager that leaves none behind."""

    def __init__(self, executable: str, script: str, forget: Callable[[_Worker], None]) -> None:
        self.since: float | None = None
        """When it began the file that it has in hand, by `time.monotonic`."""
        self.answered = False
        self._forget = forget
        self._process = subprocess.Popen(
            [executable, "-I", "-S", "-W", "ignore", "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._forget(self)
        self.kill()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            try:
                stream.close()
            except OSError:
                pass  # what was not yet sent cannot be sent to a dead process
        self._process.wait()

    def kill(self) -> None:
        """End it at once; it writes its files so that none is ever half there."""
        self._process.kill()

    def send(self, files: list[tuple[int, Source]]) -> None:
        """Hand over *files*. That it is dead is for `receive` to find."""
        assert self._process.stdin is not None
        lines = [
            json.dumps((number, system_path(each.place), each.shown, each.target and system_path(each.target)))
            for number, each in files
        ]
        with contextlib.suppress(OSError):
            self._process.stdin.write("".join(f"{line}\n" for line in lines).encode("ascii"))
            self._process.stdin.flush()

    def receive(self) -> tuple[int, bool] | None:
        """Wait for the next answer; None when the process died or was killed."""
        assert self._process.stdout is not None
        self.since = time.monotonic()
        line = self._process.stdout.readline()
        self.since = None
        parts = line.split()
        if len(parts) != 2 or not line.endswith(b"\n"):
            return None
        self.answered = True
        return int(parts[0]), parts[1] == b"1"
