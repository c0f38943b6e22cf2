"""The machine-readable result of one command (design section 10), collected while it works.

The document's ``schema`` number changes when a field is removed or changes its meaning; fields may be added.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from ..errors import ExitCode, SafeInstallError
from ..events import Awaited, Cleaned, Fetched, PhaseEnded, Repaired, Retried, SteppedDown, Touched
from ..redact import redact_url

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..events import Event
    from ..models import Digest

SCHEMA = 1

Origin: TypeAlias = Literal["store", "fetched", "built", "local"]
"""Where an installed wheel came from in this call: found in the store, fetched, built, or a local file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DistributionResult:
    """One distribution of the result.

    :param key: under which its phases were told as events.
    :param source: redacted URL or path of the file it came from; empty where it was already installed.
    :param layer: in which its entry lies, such as ``seed 1``; None where none was used, or it lies in scratch.
    """

    name: str
    version: str
    key: str
    source: str
    origin: Origin
    action: Literal["installed", "replaced", "kept", "locked", "fetched", "published"]
    link_mode: str | None = None
    layer: str | None = None


class Span(NamedTuple):
    """One phase of one distribution. :param start: seconds after the call began; :param seconds: how long it took."""

    phase: str
    start: float
    seconds: float


@dataclass
class Recorder:
    """Counts what events tell. Thread-safe; `note` is an `EventSink`."""

    started: float = field(default_factory=time.monotonic)
    retries: int = 0
    waited_for: int = 0
    locks_passed_by: int = 0
    repaired: int = 0
    touched: int = 0
    cleaned: int = 0
    bytes_fetched: int = 0
    step_downs: list[SteppedDown] = field(default_factory=list)
    bytes_by_key: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    spans_by_key: dict[str, list[Span]] = field(default_factory=lambda: defaultdict(list))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, event: Event) -> None:
        """Take one event in."""
        with self._lock:
            match event:
                case Retried():
                    self.retries += 1
                case Repaired():
                    self.repaired += 1
                case Touched():
                    self.touched += 1
                case Awaited():
                    self.waited_for += 1
                case Cleaned():
                    self.cleaned += event.entries
                case SteppedDown():
                    self.step_downs.append(event)
                    self.locks_passed_by += event.kind == "lock-passed-by"
                case Fetched():
                    self.bytes_fetched += event.bytes
                    self.bytes_by_key[event.what] += event.bytes
                case PhaseEnded():
                    start = max(0.0, self.seconds - event.seconds)
                    self.spans_by_key[event.key].append(Span(event.phase, start, event.seconds))
                case _:
                    pass

    @property
    def seconds(self) -> float:
        """Wall time since this recorder was made."""
        return time.monotonic() - self.started


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a command hands back for its report and its summary.

    :param layout: paths and modes that were in force, as texts.
    :param removed: ``name==version`` of what was taken out.
    :param files: files placed in the environment; *bytes* their size.
    :param image: that it was made from.
    """

    distributions: Sequence[DistributionResult] = ()
    removed: Sequence[str] = ()
    files: int = 0
    bytes: int = 0
    layout: Mapping[str, str] = field(default_factory=dict)
    image: Digest | None = None


def report_document(
    command: str, recorder: Recorder, outcome: Outcome | None, error: SafeInstallError | None
) -> dict[str, object]:
    """Return the JSON document of one call; *error* decides the exit code. No secret is in it."""
    outcome = outcome or Outcome()
    exit_code = error.exit_code if error else ExitCode.DONE
    origins = [result.origin for result in outcome.distributions if result.action != "kept"]
    return {
        "schema": SCHEMA,
        "command": command,
        "outcome": "failed" if error else "done",
        "exit_code": int(exit_code),
        "error": _error_document(error) if error else None,
        "seconds": round(recorder.seconds, 3),
        "layout": dict(outcome.layout),
        "distributions": [_distribution_document(result, recorder) for result in outcome.distributions],
        "removed": list(outcome.removed),
        "counts": {
            "fetched": origins.count("fetched"),
            "built": origins.count("built"),
            "reused": origins.count("store"),
            "kept": sum(result.action == "kept" for result in outcome.distributions),
            "removed": len(outcome.removed),
            "retries": recorder.retries,
            "repaired": recorder.repaired,
            "touched": recorder.touched,
            "locks_passed_by": recorder.locks_passed_by,
            "waited_for": recorder.waited_for,
            "cleaned": recorder.cleaned,
            "files": outcome.files,
            "bytes": outcome.bytes,
            "bytes_fetched": recorder.bytes_fetched,
        },
        "step_downs": [{"kind": each.kind, "reason": redact_url(each.message)} for each in recorder.step_downs],
    }


def _error_document(error: SafeInstallError) -> dict[str, object]:
    return {
        "code": error.code,
        "message": redact_url(error.message),
        "context": [redact_url(line) for line in error.context],
        "hint": redact_url(error.hint) if error.hint else None,
    }


def _distribution_document(result: DistributionResult, recorder: Recorder) -> dict[str, object]:
    spans = recorder.spans_by_key.get(result.key, [])
    seconds: dict[str, float] = defaultdict(float)
    for span in spans:
        seconds[span.phase] += span.seconds
    return {
        "name": result.name,
        "version": result.version,
        "action": result.action,
        "source": redact_url(result.source),
        "origin": result.origin,
        "layer": result.layer,
        "bytes_fetched": recorder.bytes_by_key.get(result.key, 0),
        "seconds": {phase: round(value, 3) for phase, value in seconds.items()},
        "timeline": [
            {"phase": span.phase, "start": round(span.start, 3), "seconds": round(span.seconds, 3)} for span in spans
        ],
        "link_mode": result.link_mode,
    }
