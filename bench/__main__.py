"""Measure cold and warm `sync` of three sets, and the start of the command.

In each round all contenders make the same environment, one after the other, so that a busy moment of the machine hits
all of them. Each run gets a fresh environment, and ends with a comparison of what was installed with the pins. The
exit code is 1 when one of them is wrong; no time makes it fail.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers.default_index import with_only_the_default_index

from bench import ROOT, SETS
from bench.checking import file_count, pinned, problems
from bench.contenders import AGAIN, BESIDE, COLD, IMPORTED, IMPORTING, QUICK, SUFFIX, WARM, Contender, Job
from bench.measuring import CommandFailedError, measure, settle_caches
from bench.tables import Memory, Run, markdown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.measuring import Measurement

PIP_ROUNDS = 2
"""pip takes many times as long; more rounds of it would tell nothing new."""


class Bench:
    """One whole benchmark in one temporary folder, so that stores and environments are on one file system."""

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self.folder = folder
        self.options = options
        self.environ = with_only_the_default_index(os.environ)
        self.runs: list[Run] = []
        self.memories: list[Memory] = []
        self.problems: list[str] = []
        self.files: dict[str, int] = {}

    def measure_set(self, name: str) -> None:
        """All rounds of one set: cold ones first, which leave the caches full."""
        quick = self.options.quick
        cold, warm = (QUICK[:2], QUICK) if quick else (COLD, WARM)
        for number in range(self.options.cold_rounds):
            for contender in self._taking_part(cold, number):
                self._remove(self._store(name, contender))
                settle_caches(program_folders(contender))
                self._timed(name, "cold", contender)
        # Not timed: each finds what an earlier job of its kind has left.
        for contender in self._taking_part(warm, 0):
            self._run(name, contender)
        later = [("warm", warm), ("no-op", AGAIN)]
        if name in IMPORTED and not quick:
            later.append(("warm, and import", IMPORTING))
        for state, contenders in later:
            for number in range(self.options.warm_rounds):
                for contender in self._taking_part(contenders, number):
                    settle_caches([self._store(name, contender), *program_folders(contender)])
                    self._timed(name, state, contender)
        if not quick:
            self._measure_memory(name, cold, warm)
        self._verify_stores(name, warm)
        for contender in {*cold, *warm}:
            self._remove(self._store(name, contender))

    def measure_start(self) -> dict[str, float]:
        """Median seconds of ``ci-install --version`` and of a Python that does nothing, in turn."""
        commands = {
            "ci-install --version": [str(BESIDE / f"ci-install{SUFFIX}"), "--version"],
            "python -c pass": [sys.executable, "-c", "pass"],
        }
        times: dict[str, list[float]] = {title: [] for title in commands}
        for number in range(self.options.start_rounds + 1):
            for title, command in commands.items():
                measurement = measure([command], self.environ)
                if number > 0:  # the first one reads the programs from the disk
                    times[title].append(measurement.seconds)
        return {title: statistics.median(seconds) for title, seconds in times.items()}

    def _taking_part(self, contenders: Sequence[Contender], number: int) -> list[Contender]:
        wanted = [contender for contender in contenders if contender.tool in self.options.tools]
        return [contender for contender in wanted if contender.tool != "pip" or number < PIP_ROUNDS]

    def _verify_stores(self, name: str, contenders: Sequence[Contender]) -> None:
        """Hash what all runs have left in the store of ours."""
        ours = [each for each in self._taking_part(contenders, 0) if each.tool == "ci-install"]
        for store in {self._store(name, each) for each in ours}:
            command = [str(BESIDE / f"ci-install{SUFFIX}"), "cache", "verify", "--cache-dir", str(store)]
            done = subprocess.run(command, env=self.environ, check=False, capture_output=True, text=True)
            print(f"{name:8}{done.stderr.strip() or done.stdout.strip()}", file=sys.stderr, flush=True)
            if done.returncode:
                self.problems.append(f"{name}, cache verify: {done.stderr}")

    def _measure_memory(self, name: str, cold: Sequence[Contender], warm: Sequence[Contender]) -> None:
        for state, contenders in (("warm", warm), ("cold", cold)):
            for contender in self._taking_part(contenders, 0):
                if state == "cold":
                    self._remove(self._store(name, contender))
                peak = self._run(name, contender, state, sample=True)[0].peak
                self.memories.append(Memory(name, state, contender, peak))

    def _timed(self, name: str, state: str, contender: Contender) -> None:
        found, fetched = self._run(name, contender, state)
        self.runs.append(Run(name, state, contender, found.seconds, found.cpu, found.received, fetched))
        print(f"{name:8}{state:18}{contender.title:34}{found.seconds:8.2f} s", file=sys.stderr, flush=True)

    def _run(
        self, name: str, contender: Contender, state: str = "warm", *, sample: bool = False
    ) -> tuple[Measurement, int | None]:
        """Make one environment, compare it with the pins, remove it; also return the bytes that the report names."""
        place = self.folder / "environment"
        job = Job(
            pins=SETS / f"{name}.txt",
            environment=place,
            store=self._store(name, contender),
            report=self.folder / "report.json",
        )
        job.report.unlink(missing_ok=True)
        try:
            commands = contender.commands(job)
            if state == "no-op":
                # Twice: the first one asks the new environment's interpreter what it is.
                for before in (commands, contender.commands_again(job)):
                    measure(before, self.environ)
                commands = contender.commands_again(job)
            elif state == "warm, and import":
                commands = [*commands, contender.import_command(job, IMPORTED[name])]
            measurement = measure(commands, self.environ, sample=sample)
            self.problems += [f"{name}, {contender.title}: {text}" for text in problems(place, job.pins)]
            self.files[name] = file_count(place)
        finally:
            self._remove(place)
        fetched = None
        if job.report.exists():
            fetched = json.loads(job.report.read_text(encoding="utf-8"))["counts"]["bytes_fetched"]
        return measurement, fetched

    def _store(self, name: str, contender: Contender) -> Path:
        return self.folder / "stores" / name / contender.store_name

    @staticmethod
    def _remove(folder: Path) -> None:
        if folder.exists():
            shutil.rmtree(folder)


def program_folders(contender: Contender) -> list[Path]:
    """What the contender's own programs are made of: read before each warm run, as it is on a busy host."""
    standard = Path(sysconfig.get_path("stdlib"))
    return [standard, Path(sysconfig.get_path("purelib")), BESIDE] if contender.tool != "uv" else [BESIDE, standard]


def main() -> int:
    """Measure, print the tables, write the JSON."""
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="bench-", dir=options.folder) as folder:
        bench = Bench(Path(folder), options)
        start = bench.measure_start()
        try:
            for name in options.sets:
                bench.measure_set(name)
        except CommandFailedError as error:
            bench.problems.append(str(error))
    print(text := report_text(bench, start))
    write_json(bench, start, text)
    for problem in bench.problems:
        print(f"wrong: {problem}", file=sys.stderr)
    return 1 if bench.problems else 0


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="dev.py bench", description=__doc__)
    parser.add_argument("--sets", nargs="+", default=["small", "medium", "large"], help="names of files in bench/sets")
    parser.add_argument("--tools", nargs="+", default=["ci-install", "uv", "pip"], choices=["ci-install", "uv", "pip"])
    parser.add_argument("--cold-rounds", type=int, default=3, metavar="N")
    parser.add_argument("--warm-rounds", type=int, default=7, metavar="N")
    parser.add_argument("--start-rounds", type=int, default=20, metavar="N")
    parser.add_argument("--quick", action="store_true", help="small set, one round, few modes: for wrong results")
    parser.add_argument(
        "--folder", type=Path, help="where stores and environments are made  [default: the system's temporary folder]"
    )
    parser.add_argument("--output", type=Path, help="JSON file to write  [default: bench/results/<time>.json]")
    options = parser.parse_args()
    if options.quick:
        options.sets, options.tools, options.cold_rounds, options.warm_rounds = ["small"], ["ci-install", "uv"], 1, 1
    return options


def report_text(bench: Bench, start: dict[str, float]) -> str:
    """What is printed at the end."""
    sizes = (
        f"{name}: {len(pinned(SETS / f'{name}.txt'))} distributions, {files} files"
        for name, files in bench.files.items()
    )
    system = f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    table = markdown(bench.runs, bench.memories)
    (ours, seconds), (python, base) = ((title, value * 1000) for title, value in start.items())
    began = f"`{ours}` {seconds:.0f} ms, `{python}` {base:.0f} ms, difference {seconds - base:.0f} ms"
    return "\n".join([system, tool_versions(bench.environ), *sizes, "", table, "", began])


def tool_versions(environ: dict[str, str]) -> str:
    """The versions of all contenders."""
    commands = [[str(BESIDE / f"ci-install{SUFFIX}")], [str(BESIDE / f"uv{SUFFIX}")], [sys.executable, "-m", "pip"]]
    shown = (
        subprocess.run([*command, "--version"], env=environ, check=True, capture_output=True, text=True).stdout.split()
        for command in commands
    )
    return ", ".join(" ".join(words[:2]) for words in shown)


def write_json(bench: Bench, start: dict[str, float], text: str) -> None:
    """Write every single run, for later comparisons."""
    now = dt.datetime.now(dt.UTC)
    output = bench.options.output or ROOT / "bench" / "results" / f"{now:%Y%m%dT%H%M%SZ}.json"
    output.parent.mkdir(parents=True, exist_ok=True)
    document: dict[str, Any] = {
        "time": now.isoformat(),
        "text": text.splitlines(),
        "start": start,
        "runs": [{**run._asdict(), "contender": run.contender.title} for run in bench.runs],
        "memory": [{**memory._asdict(), "contender": memory.contender.title} for memory in bench.memories],
        "problems": bench.problems,
    }
    output.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(f"written to {output}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
