"""Make the page of measurements in `docs/`, with its chart, of one result: ``python -m bench.chart RESULT.json``."""

from __future__ import annotations

import argparse
import json
import statistics
from collections import defaultdict
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from bench import ROOT

PAGE = ROOT / "docs" / "explanation" / "measurements.md"
COLOURS = {"ci-install": "#1b7f5c", "uv": "#b0752a", "pip": "#7a7a7a"}
TEXT = """\
# Measurements

How long it takes to make one environment from a lock, from nothing to the finished environment. Measured on {date}:
{system}; {versions}.
The sets: {sizes}. How it is measured, and what the columns mean, is told [beside the benchmark](../../bench/README.md).

![Seconds by tool and mode]({chart})

{table}
"""


def main() -> None:
    """Write the page and the chart."""
    parser = argparse.ArgumentParser(prog="python -m bench.chart", description=__doc__)
    parser.add_argument("result", type=Path, help="a JSON file that the benchmark wrote")
    result = json.loads(parser.parse_args().result.read_text(encoding="utf-8"))
    system, versions, *lines = result["text"]
    empty = lines.index("")
    chart = PAGE.with_suffix(".svg")
    draw(result["runs"], chart)
    page = TEXT.format(
        date=result["time"][:10],
        system=system,
        versions=versions,
        sizes="; ".join(lines[:empty]),
        chart=chart.name,
        table="\n".join(lines[empty + 1 :]),
    )
    PAGE.write_text(page, encoding="utf-8")


def draw(runs: list[dict[str, Any]], place: Path) -> None:
    """Draw medians: a row of bars for each set, a group of them for each state of the caches."""
    seconds: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for run in runs:
        seconds[run["set"], run["state"]][run["contender"]].append(run["seconds"])
    # The same result makes the same file; letters stay letters.
    mpl.rcParams.update({"svg.hashsalt": "safe-install", "svg.fonttype": "none"})
    figure = Figure(figsize=(10, 0.26 * sum(len(group) + 2 for group in seconds.values())), layout="constrained")
    ratios = [len(group) + 1 for group in seconds.values()]
    for axes, (group, found) in zip(
        figure.subplots(len(seconds), 1, squeeze=False, height_ratios=ratios)[:, 0], seconds.items(), strict=True
    ):
        medians = {title: statistics.median(values) for title, values in found.items()}
        titles = sorted(medians, key=lambda title: -medians[title])
        bars = axes.barh(
            titles, [medians[title] for title in titles], color=[COLOURS[title.split()[0]] for title in titles]
        )
        axes.bar_label(bars, fmt="%.2f s", padding=3, fontsize=8)
        axes.set_title(", ".join(group), loc="left", fontsize=9)
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
        axes.margins(x=0.1)
    figure.savefig(place, metadata={"Date": None})


if __name__ == "__main__":
    main()
