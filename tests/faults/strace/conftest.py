"""The option for all injections, and the counts at the end."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

_PARTS = 16


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--all-injections",
        type=int,
        nargs="?",
        const=_PARTS,
        default=0,
        metavar="PARTS",
        help="make every call fail, and kill at every call, in so many parts (default 16)",
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell how many calls there were, and how many of them were hit."""
    planned: dict[tuple[str, str], int] = {}
    sums: Counter[tuple[str, str, str]] = Counter()
    for report in (each for kind in ("passed", "failed") for each in terminalreporter.stats.get(kind, ())):
        for key, value in getattr(report, "user_properties", ()):
            if key == "injections" and report.when == "call":
                name, kind, calls, *counts = value
                planned[name, kind] = calls
                for column, count in zip(("chosen", "injected", "several", "reruns"), counts, strict=True):
                    sums[name, kind, column] += count
    if not planned:
        return
    terminalreporter.section("injections")
    columns = ("traced", "chosen", "injected", "several", "reruns")
    terminalreporter.write_line(f"{'scenario':<24}{'kind':<8}" + "".join(f"{each:>10}" for each in columns))
    total: Counter[str] = Counter()
    for (name, kind), calls in sorted(planned.items()):
        row = {"traced": calls, **{column: sums[name, kind, column] for column in columns[1:]}}
        total.update(row)
        terminalreporter.write_line(f"{name:<24}{kind:<8}" + "".join(f"{row[each]:>10,}" for each in columns))
    terminalreporter.write_line(f"{'all':<32}" + "".join(f"{total[each]:>10,}" for each in columns))
