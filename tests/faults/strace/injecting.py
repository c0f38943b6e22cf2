"""Trace a scenario, plan the injections, make one at a time, and say what is wrong afterwards."""

from __future__ import annotations

import random
import re
import shutil
import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from faults.strace.calls import is_below, read_trace, targets
from faults.strace.errors import FITTING

from safe_install.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from faults.strace.calls import Target, Traced
    from faults.strace.scenarios import Scenario
    from faults.strace.world import World

Kind = Literal["error", "kill"]

# A thread or process may be a moment later or earlier than when it was traced.
_TRIES = 3
_PREFIX_FOLDER = re.compile(r"/.*/[a-z]+-[0-9]+/(?P<name>[0-9a-f]{2})")
_TRACED = "trace=%file,%desc,flock,dup,dup2,dup3,fadvise64"


@dataclass(frozen=True)
class Injection:
    """What to do to which call. :param error: None to kill the process there."""

    target: Target
    error: str | None

    @property
    def options(self) -> list[str]:
        """For strace."""
        name = self.target.call.name
        what = "signal=KILL" if self.error is None else f"error={self.error}"
        inject = f"inject={name}:{what}:when={self.target.when}"
        return ["-f", "-e", f"trace={name}", "-P", self.target.path, "-e", inject]

    def __str__(self) -> str:
        return f"{self.error or 'KILL'} at {self.target.call.text}  [-P {self.target.path} when={self.target.when}]"


@dataclass
class Tally:
    """What came of the injections of one scenario.

    :param several: injections that hit the same call of another thread as well.
    :param reruns: how many end states there were to try the plain rerun on; the others were the same as one of them.
    """

    traced: int = 0
    injected: int = 0
    several: int = 0
    reruns: int = 0
    failures: list[str] = field(default_factory=list)


class Bench:
    """One scenario in one world, traced once."""

    def __init__(self, world: World, scenario: Scenario, folder: Path) -> None:
        self.world = world
        self.scenario = scenario
        self._log = folder / "log"
        scenario.prepare(world)
        world.keep()
        self.before = world.environment()
        self._arguments = scenario.arguments(world)
        traced = self._trace(folder / "trace")
        self.after = world.environment()
        scenario.check(world)
        self._targets = targets(traced, self._wanted(traced), world.watched)
        self._rerun: set[str] = set()

    def _trace(self, folder: Path) -> list[Traced]:
        # Twice: the first run may write what only a first one writes, such as bytecode of the standard library.
        for _ in range(2):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            self.world.restore()
            done = self.world.strace(["-ff", "-e", _TRACED], folder / "trace", self._arguments)
            assert done.returncode == 0, done.stderr
        return read_trace(folder)

    def _wanted(self, traced: Sequence[Traced]) -> Iterator[Traced]:
        """The calls below what is watched: all of ours; of other programs (interpreters, build backends) those that change something."""
        foreign: set[int] = set()
        for number, call in enumerate(traced):
            own_start = number == 0 or traced[number - 1].thread != call.thread
            if not any(is_below(path, self.world.watched) for path in call.paths):
                started = call.name == "execve" and call.text.rstrip().endswith("= 0")
            else:
                started = call.name == "execve"
                if call.name not in FITTING:
                    raise AssertionError(f"which errors fit this call? {call.text}")
                ours = call.thread not in foreign or call.changes
                if not (call.name == "execve" and own_start) and ours and not self._is_one_of_many(call):
                    yield call
            if started and not own_start:
                foreign.add(call.thread)

    def _is_one_of_many(self, call: Traced) -> bool:
        """Whether it looks into one of the empty folders of a bucket, of which there are 256, all but the first."""
        folders = [match for path in call.paths if (match := _PREFIX_FOLDER.fullmatch(path))]
        return bool(folders) and all(match[0] in self.world.empty and match["name"] != "00" for match in folders)

    def plan(self, kind: Kind) -> list[Injection]:
        """One injection for each call; the errors that fit a call take turns."""
        turns: dict[str, int] = {}
        plan = []
        for target in self._targets:
            name = target.call.name
            turn = turns[name] = turns.get(name, -1) + 1
            fitting = FITTING[name]
            plan.append(Injection(target, fitting[turn % len(fitting)] if kind == "error" else None))
        return plan

    def run(self, plan: Sequence[Injection]) -> Tally:
        """Make each injection, and judge what it left."""
        tally = Tally(traced=len(plan))
        for injection in plan:
            tally.several += injection.target.others > 0
            for _ in range(_TRIES):
                self.world.restore()
                done = self.world.strace(injection.options, self._log, self._arguments)
                if self._happened(injection):
                    tally.injected += 1
                    found = self._judge(injection, done.returncode, done.stderr, tally)
                    tally.failures += [f"{injection}\n    {each}" for each in found]
                    break
            else:
                tally.failures.append(f"{injection}\n    the call did not come again")
        return tally

    def _happened(self, injection: Injection) -> bool:
        log = self._log.read_text(encoding="utf-8", errors="backslashreplace")
        return ("killed by SIGKILL" if injection.error is None else "(INJECTED)") in log

    def _judge(self, injection: Injection, code: int, said: str, tally: Tally) -> Iterator[str]:
        if injection.error is None:
            # The process that was killed may be one that the command started.
            if code != -signal.SIGKILL and (code not in set(ExitCode) or code == ExitCode.INTERNAL):
                yield f"exit code {code}: {said}"
        else:
            yield from self._judge_error(injection, code, said)
        # What a scenario damaged may stay so until a command succeeds.
        damaged = set(self.world.problems()).difference(self.world.damaged if code else ())
        if damaged:
            yield f"the store is damaged (exit code {code}): {sorted(damaged)}"
        environment = self.world.environment()
        if code == 0 and environment != self.after:
            yield f"success was reported, but {_difference(environment, self.after)}"
        if self.before is None and environment not in (None, self.after):
            yield f"a new environment is half made (exit code {code}): {_difference(environment, self.after)}"
        yield from self.scenario.problems(self.world)
        yield from self._judge_rerun(tally)

    def _judge_error(self, injection: Injection, code: int, said: str) -> Iterator[str]:
        if code not in set(ExitCode) or code == ExitCode.INTERNAL:
            yield f"exit code {code}: {said}"
        if (environment := self.world.environment()) not in (self.before, self.after):
            closer = _difference(environment, self.before), _difference(environment, self.after)
            yield f"exit code {code}: the environment is neither as before nor right: {min(closer, key=len)}\n{said}"
        # What could not be removed because removing it failed may lie about.
        excused = injection.target.call.paths
        litter = [
            path
            for path in self.world.litter()
            if path not in self.world.littered and not any(is_below(each, [path]) for each in excused)
        ]
        if litter:
            yield f"exit code {code}: it left {litter}\n{said}"

    def _judge_rerun(self, tally: Tally) -> Iterator[str]:
        self.world.bury()
        state = self.world.fingerprint()
        if state in self._rerun:
            return
        self._rerun.add(state)
        tally.reruns += 1
        try:
            self.world.run(*self._arguments)
            self.scenario.check(self.world)
        except AssertionError as error:
            yield f"the plain rerun: {error}"
            return
        if problems := self.world.problems():
            yield f"the store is damaged after the rerun: {problems}"
        if (environment := self.world.environment()) != self.after:
            yield f"after the rerun {_difference(environment, self.after)}"


def sample(plan: Sequence[Injection], count: int, seed: str) -> list[Injection]:
    """Choose *count* of them, always the same for one plan."""
    return random.Random(seed).sample(plan, min(count, len(plan)))


def _difference(found: dict[str, object] | None, expected: dict[str, object] | None) -> str:
    if found is None or expected is None:
        return f"there {'is no' if found is None else 'should be no'} environment"
    names = sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))
    return f"these differ: {', '.join(names[:8])}{' …' if len(names) > 8 else ''}"
