"""Turn measurements into a Markdown table."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, NamedTuple

from bench.contenders import Contender, rival

if TYPE_CHECKING:
    from collections.abc import Sequence

MIB = 1 << 20


class Run(NamedTuple):
    """One timed run.

    :param state: of the caches, or of more.
    :param fetched: bytes by the tool's own report, when it writes one.
    """

    set: str
    state: str
    contender: Contender
    seconds: float
    cpu: float | None
    received: int | None
    fetched: int | None


class Memory(NamedTuple):
    """The peak memory, in bytes, of a run that was sampled and not timed."""

    set: str
    state: str
    contender: Contender
    peak: int


HEADER = """\
| set | caches | what | median s | min to max s | ÷ uv | CPU s | peak MiB | fetched by its report | received |
| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"""


def markdown(runs: Sequence[Run], memories: Sequence[Memory]) -> str:
    """One line for each set, state and contender, in the order of the first run."""
    groups: dict[tuple[str, str, Contender], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.set, run.state, run.contender), []).append(run)
    medians = {key: statistics.median(run.seconds for run in group) for key, group in groups.items()}
    peaks = {memory[:3]: memory.peak for memory in memories}
    lines = [HEADER]
    for key in sorted(groups, key=lambda key: list(groups).index(key)):
        group = groups[key]
        base = medians.get((key[0], key[1], rival(key[2])))
        seconds = [run.seconds for run in group]
        cells = [
            *key[:2],
            key[2].title,
            f"{medians[key]:.2f}",
            f"{min(seconds):.2f} to {max(seconds):.2f}",
            f"{medians[key] / base:.2f}" if base else "",
            _seconds([run.cpu for run in group]),
            f"{peaks[key] / MIB:.0f}" if key in peaks else "",
            _megabytes([run.fetched for run in group]),
            _megabytes([run.received for run in group]),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _seconds(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{statistics.median(known):.2f}" if known else ""


def _megabytes(values: Sequence[int | None]) -> str:
    """The median in decimal megabytes; exactly 0 is told from nearly nothing."""
    known = [value for value in values if value is not None]
    if not known:
        return ""
    median = statistics.median(known)
    return "0" if median == 0 else f"{median / 1e6:.2f} MB"
