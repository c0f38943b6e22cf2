"""Measure herds: so many jobs at once, each with an environment of its own, with one shared cache or one for each job.

All contenders take turns in each round. A job fails when its command does, or when what it installed is not what was
pinned. The exit code is 1 when a job of ours failed; no time makes it fail::

    python -m bench.herds --sizes 8 16 --set medium

With ``--wrapped``, uv and pip are compared with themselves within ``ci-install wrap``.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

from helpers.default_index import with_only_the_default_index

from bench import SETS
from bench.checking import problems
from bench.contenders import BESIDE, SUFFIX, Command, Contender, Job
from bench.measuring import cpu_seconds, received_bytes, since

PATIENCE = 1800.0


class Way(NamedTuple):
    """How a herd is run.

    :param shared: whether its jobs have one cache.
    :param wrapped: each job has a cache of its own, that `ci-install wrap` copies from a seed.
    """

    contender: Contender
    shared: bool
    wrapped: bool = False

    @property
    def is_ours(self) -> bool:
        """Whether it is ci-install that installs."""
        return self.contender.tool == "ci-install"

    @property
    def title(self) -> str:
        caches = "wrapped, with a seed" if self.wrapped else "one shared cache" if self.shared else "one cache per job"
        return f"{self.contender.tool}{' attach' * (self.contender.mode == 'attach')}, {caches}"

    def commands(self, job: Job, seed: Path, *, publish: bool = False) -> list[Command]:
        """What a job runs. :param seed: of wrapped jobs; *publish*: whether this one fills it."""
        commands = self.contender.commands(job)
        if not self.wrapped:
            return commands
        wrap = [str(BESIDE / f"ci-install{SUFFIX}"), "wrap", "--quiet", "--tool-seed", str(seed)]
        wrap += ["--publish"] if publish else []
        # The cache is for `wrap` to name.
        return [[*wrap, "--", *without_option(command, "--cache-dir")] for command in commands]


class Herd(NamedTuple):
    """One run. :param last: seconds until the last job ended; *cpu* seconds; *received*, *fetched*, *disk* in bytes.

    *received* is of the whole machine, *fetched* and *waited* what the jobs' reports add up to.
    """

    size: int
    state: str
    way: Way
    last: float
    cpu: float | None
    received: int | None
    fetched: int
    disk: int
    waited: int
    failures: list[str]


def without_option(command: Command, name: str) -> Command:
    """Return *command* without the option *name* and its value."""
    if name not in command:
        return command
    at = command.index(name)
    return [*command[:at], *command[at + 2 :]]


OURS = Contender(tool="ci-install", mode="hardlink", bytecode=False)
ATTACHED = Contender(tool="ci-install", mode="attach", bytecode=True)
UV = Contender(tool="uv", mode="hardlink", bytecode=False)
PIP = Contender(tool="pip", mode="copy", bytecode=False)
WAYS = [Way(OURS, True), Way(ATTACHED, True), Way(UV, True), Way(UV, False)]
WRAPPED_WAYS = [
    Way(tool, shared, wrapped)
    for tool in (UV, PIP)
    for shared, wrapped in ((True, False), (False, False), (False, True))
]


def run(way: Way, size: int, state: str, pins: Path, folder: Path) -> Herd:
    """Run one herd; caches are what an earlier one left in *folder*."""
    jobs = [
        Job(
            pins=pins,
            environment=folder / f"environment-{number}",
            store=folder / ("cache" if way.shared else f"cache-{number}"),
            report=folder / f"report-{number}.json",
        )
        for number in range(size)
    ]
    environ = with_only_the_default_index(os.environ)
    failures: list[str] = []
    begin = threading.Barrier(size + 1)

    def work(job: Job) -> None:
        begin.wait()
        for command in way.commands(job, folder / "seed"):
            done = subprocess.run(
                command,
                check=False,
                env=environ,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=PATIENCE,
            )
            if done.returncode:
                failures.append(done.stderr.strip())
                return

    threads = [threading.Thread(target=work, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    received, cpu = received_bytes(), cpu_seconds()
    begin.wait()
    started = time.perf_counter()
    for thread in threads:
        thread.join()
    last = time.perf_counter() - started
    used, total = since(cpu, cpu_seconds()), since(received, received_bytes())
    for job in jobs:
        failures += problems(job.environment, pins)
    counts = [json.loads(job.report.read_text(encoding="utf-8"))["counts"] for job in jobs if job.report.exists()]
    disk = disk_usage(folder)
    for job in jobs:
        shutil.rmtree(job.environment, ignore_errors=True)
        job.report.unlink(missing_ok=True)
    fetched, waited = (sum(count[name] for count in counts) for name in ("bytes_fetched", "waited_for"))
    return Herd(size, state, way, last, used, total, fetched, disk, waited, failures)


def fill_seed(way: Way, pins: Path, folder: Path) -> None:
    """Let one job publish its caches; nobody measures that."""
    job = Job(pins=pins, environment=folder / "first", store=folder / "unused", report=folder / "first.json")
    for command in way.commands(job, folder / "seed", publish=True):
        subprocess.run(command, check=True, env=with_only_the_default_index(os.environ), stdin=subprocess.DEVNULL)
    shutil.rmtree(job.environment)


def disk_usage(folder: Path) -> int:
    """Bytes on the disk of everything below *folder*, files with several names counted once."""
    seen: dict[tuple[int, int], int] = {}
    for parent, folders, names in os.walk(folder):
        for name in (*folders, *names):
            state = os.lstat(os.path.join(parent, name))
            seen[state.st_dev, state.st_ino] = getattr(state, "st_blocks", 0) * 512 or state.st_size
    return sum(seen.values())


def markdown(herds: list[Herd]) -> str:
    """One line for each size, state and way, with medians."""
    groups: dict[tuple[int, str, Way], list[Herd]] = {}
    for herd in herds:
        groups.setdefault((herd.size, herd.state, herd.way), []).append(herd)
    lines = [
        "| jobs | caches | what | last job s | CPU s | received MB | fetched MB | disk MB | waited for | failures |",
        "| ---: | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for (size, state, way), group in sorted(groups.items(), key=lambda item: (item[0][0], item[0][1] != "cold")):
        received = [herd.received for herd in group if herd.received is not None]
        used = [herd.cpu for herd in group if herd.cpu is not None]
        cells = [
            f"{statistics.median(herd.last for herd in group):.1f}",
            f"{statistics.median(used):.1f}" if used else "",
            f"{statistics.median(received) / 1e6:.1f}" if received else "",
            f"{statistics.median(herd.fetched for herd in group) / 1e6:.1f}" if way.is_ours else "",
            f"{statistics.median(herd.disk for herd in group) / 1e6:.0f}",
            f"{statistics.median(herd.waited for herd in group):.0f}" if way.is_ours else "",
            str(sum(len(herd.failures) for herd in group)),
        ]
        lines.append(f"| {size} | {state} | {way.title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.herds", description=__doc__)
    parser.add_argument("--sizes", nargs="+", type=int, default=[8, 16], metavar="N")
    parser.add_argument("--set", default="medium", help="the name of a file in bench/sets")
    parser.add_argument("--rounds", type=int, default=3, metavar="N")
    parser.add_argument("--folder", type=Path, help="where caches and environments are made")
    parser.add_argument("--wrapped", action="store_true", help="compare uv and pip with themselves within `wrap`")
    options = parser.parse_args()
    herds: list[Herd] = []
    for _ in range(options.rounds):
        for size in options.sizes:
            for way in WRAPPED_WAYS if options.wrapped else WAYS:
                with tempfile.TemporaryDirectory(prefix="herds-", dir=options.folder) as folder:
                    for state in ("cold", "warm"):
                        if way.wrapped and state == "warm":
                            fill_seed(way, SETS / f"{options.set}.txt", Path(folder))
                        herd = run(way, size, state, SETS / f"{options.set}.txt", Path(folder))
                        herds.append(herd)
                        print(f"{size:4} {state:5} {way.title:32} {herd.last:7.2f} s", file=sys.stderr, flush=True)
    print(markdown(herds))
    ours = [failure for herd in herds if herd.way.is_ours or herd.way.wrapped for failure in herd.failures]
    for failure in ours:
        print(f"wrong: {failure}", file=sys.stderr)
    return 1 if ours else 0


if __name__ == "__main__":
    sys.exit(main())
