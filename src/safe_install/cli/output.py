"""Turn events, results and errors into text: bars on a terminal, quiet lines in CI, one screen at the end.

Results go to standard output, everything else to standard error. ``NO_COLOR`` and ``FORCE_COLOR`` are
honoured, and nothing is told by colour alone.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import Counter
from typing import TYPE_CHECKING

from ..errors import StoreError
from ..events import Noticed, PhaseAdvanced, PhaseEnded, PhaseStarted, Repaired, Retried, SteppedDown, Touched, Waiting
from ..redact import redact_url

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TextIO

    from rich.progress import Progress, TaskID

    from ..engine.report import Origin, Outcome, Recorder
    from ..errors import SafeInstallError
    from ..events import Event

_COLOURS = {
    "error": "\x1b[1;31m",
    "warning": "\x1b[1;33m",
    "hint": "\x1b[1;36m",
    "note": "\x1b[2m",
    "done": "\x1b[1;32m",
}
_RESET = "\x1b[0m"
_VERBS = {"fetch": "Fetched", "build": "Built"}
_BAR_TITLES = {
    "resolve": "Resolving",
    "fetch": "Fetching",
    "prepare": "Preparing",
    "build": "Building",
    "link": "Installing",
    "compile": "Compiling",
    "verify": "Verifying",
}
_MOST_LABEL = 40
_MOST_OF_A_KIND = 5
_ORIGINS: tuple[tuple[Origin, str], ...] = (
    ("fetched", "fetched"),
    ("built", "built"),
    ("store", "from the store"),
    ("local", "from local files"),
)


class Screen:
    """What a person sees of one command. Its `note` is an `EventSink`; call `close` before results are printed."""

    def __init__(self, environ: Mapping[str, str], *, quiet: bool, verbose: bool, progress: bool) -> None:
        self._stream: TextIO = sys.stderr
        self._quiet = quiet
        self._verbose = verbose
        self._lock = threading.Lock()
        self._terminal = self._stream.isatty() and environ.get("TERM") != "dumb"
        self._colour = bool(environ.get("FORCE_COLOR")) or (self._terminal and not environ.get("NO_COLOR"))
        self._bars = (
            _Bars() if progress and self._terminal and not quiet and not verbose and not environ.get("CI") else None
        )
        self._labels: dict[tuple[str, str], PhaseStarted] = {}
        self._step_downs: Counter[str] = Counter()

    def note(self, event: Event) -> None:
        """Show one event, from any thread."""
        with self._lock:
            if self._bars:
                self._bars.note(event)
            match event:
                case SteppedDown():
                    self._step_down(event)
                case Waiting():
                    self._line("note", f"waiting for {event.lock}, held by {event.holder}")
                case Noticed() if not self._quiet and (self._verbose or not event.detail):
                    self._line("note", event.message)
                case Repaired() if not self._quiet:
                    self._line("note", f"repaired {event.what}")
                case Touched() if not self._quiet:
                    files = plural(event.files, "file")
                    self._line("note", f"put mode and time of {files} of {event.what} back; their content is right")
                case Retried() if self._verbose:
                    self._line("note", f"{event.operation}: {event.reason}; trying again in {event.pause:.1f} s")
                case PhaseStarted():
                    self._labels[event.phase, event.key] = event
                case PhaseEnded():
                    self._ended(event)
                case _:
                    pass

    def _step_down(self, event: SteppedDown) -> None:
        """Show the first few of a kind; a store damaged as a whole would fill the log. The report has all."""
        self._step_downs[event.kind] += 1
        if self._verbose or self._step_downs[event.kind] <= _MOST_OF_A_KIND:
            self._line("warning", redact_url(event.message))

    def _ended(self, event: PhaseEnded) -> None:
        """One line for a distribution that was fetched or built; everything with ``--verbose``."""
        started = self._labels.pop((event.phase, event.key), None)
        if started is None or self._bars or self._quiet or not event.succeeded:
            return
        if event.phase in _VERBS:
            size = f" ({human_bytes(started.total)})" if started.total and event.phase == "fetch" else ""
            self._write(f"{_VERBS[event.phase]} {started.label}{size} in {event.seconds:.1f} s")
        elif self._verbose:
            self._write(f"{event.phase}: {started.label} in {event.seconds:.2f} s")

    def close(self) -> None:
        """Take the bars off the screen, and say what was left out."""
        if self._bars:
            self._bars.close()
            self._bars = None
        for kind, count in self._step_downs.items():
            if count > _MOST_OF_A_KIND and not self._verbose:
                self._line("warning", f"and {count - _MOST_OF_A_KIND} more of the kind {kind}; --report lists all")
        self._step_downs.clear()

    def error(self, error: SafeInstallError) -> None:
        """Show what went wrong: name, message, facts, hint."""
        self.close()
        self._line(f"error[{error.code}]", redact_url(error.message), colour="error")
        for fact in error.context:
            self._write("  " + redact_url(fact))
        if error.hint:
            self._line("  hint", redact_url(error.hint), colour="hint")

    def summary(self, verb: str, outcome: Outcome, recorder: Recorder) -> None:
        """One line of what was done, one of where it came from."""
        self.close()
        if self._quiet:
            return
        changed = [result for result in outcome.distributions if result.action != "kept"]
        kept = len(outcome.distributions) - len(changed)
        parts = [f"{verb} {plural(len(changed), 'distribution')}"]
        if kept:
            parts.append(f"kept {kept}")
        if outcome.removed:
            parts.append(f"removed {len(outcome.removed)}")
        self._line(None, ", ".join(parts) + f" in {recorder.seconds:.1f} s", colour="done")
        origins = [result.origin for result in changed]
        told = [f"{origins.count(origin)} {text}" for origin, text in _ORIGINS if origins.count(origin)]
        if recorder.bytes_fetched:
            told.append(f"{human_bytes(recorder.bytes_fetched)} over the network")
        if recorder.repaired:
            told.append(f"{recorder.repaired:,} repaired")
        if recorder.retries:
            told.append(plural(recorder.retries, "retry", "retries"))
        modes = sorted({result.link_mode for result in changed if result.link_mode})
        if modes:
            told.append(f"{plural(outcome.files, 'file')} by {' and '.join(modes)}")
        if told:
            self._write("  " + ", ".join(told))

    def line(self, text: str) -> None:
        """Print a line unless ``--quiet``."""
        if not self._quiet:
            self._write(text)

    def _line(self, label: str | None, text: str, *, colour: str | None = None) -> None:
        code = _COLOURS.get(colour or label or "", "") if self._colour else ""
        if label is None:
            self._write(f"{code}{text}{_RESET if code else ''}")
        else:
            self._write(f"{code}{label}:{_RESET if code else ''} {text}")

    def _write(self, text: str) -> None:
        if self._bars:
            self._bars.print(text)
        else:
            # A closed pipe must not turn a finished installation into a failure.
            try:
                self._stream.write(text.encode(self._stream.encoding, "replace").decode(self._stream.encoding) + "\n")
                self._stream.flush()
            except (OSError, ValueError):
                _abandon(self._stream)


def write_result(text: str) -> None:
    """Write *text*, in UTF-8, to standard output.

    :raises StoreError: ``output-unwritable``: the disk behind it is full, or nobody reads the pipe any more.
    """
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
        sys.stdout.buffer.flush()
    except (OSError, ValueError) as error:
        _abandon(sys.stdout)
        raise StoreError(f"cannot write to standard output: {error}", code="output-unwritable") from error


def _abandon(stream: TextIO) -> None:
    """Let the rest of *stream* go nowhere; Python would try it again at the end, and fail there."""
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
    except (OSError, ValueError):
        pass  # it has no descriptor, so nothing is tried again


class _Bars:
    """One bar a phase, in the order in which they begin."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._open: dict[tuple[str, str], PhaseStarted] = {}

    def note(self, event: Event) -> None:
        match event:
            case PhaseStarted() if event.phase in _BAR_TITLES:
                self._open[event.phase, event.key] = event
                task = self._task(event.phase)
                total = self._bars.tasks[task].total or 0
                self._bars.update(task, total=total + (event.total or 0) or None, detail=_short(event.label))
            case PhaseAdvanced() if event.phase in self._tasks:
                self._bars.advance(self._tasks[event.phase], event.amount)
            case PhaseEnded() if event.phase in self._tasks:
                self._open.pop((event.phase, event.key), None)
                if not any(phase == event.phase for phase, _ in self._open):
                    task = self._tasks[event.phase]
                    done = self._bars.tasks[task].completed
                    self._bars.update(task, total=done or 1, completed=done or 1, detail="")
            case _:
                pass

    @property
    def _bars(self) -> Progress:
        if self._progress is None:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

            self._progress = Progress(
                SpinnerColumn(),
                TextColumn("{task.description:<11}"),
                BarColumn(bar_width=30),
                TimeElapsedColumn(),
                TextColumn("{task.fields[detail]}", markup=False),
                console=Console(stderr=True),
                transient=True,
            )
            self._progress.start()
        return self._progress

    def _task(self, phase: str) -> TaskID:
        if phase not in self._tasks:
            self._tasks[phase] = self._bars.add_task(_BAR_TITLES[phase], total=None, detail="")
        return self._tasks[phase]

    def print(self, text: str) -> None:
        self._bars.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def close(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


def _short(label: str) -> str:
    """The beginning of a label, so that a wheel's long name leaves the bar its place."""
    return label if len(label) <= _MOST_LABEL else label[: _MOST_LABEL - 1] + "…"


def plural(count: int, one: str, many: str | None = None) -> str:
    """Such as ``1 file`` and ``2 files``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def human_bytes(count: int) -> str:
    """Such as ``3.2 MB`` (powers of 1000)."""
    size = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    raise AssertionError("unreachable")
