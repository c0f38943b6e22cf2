"""Each file-system call of a command fails in turn, and is the moment of a SIGKILL in turn (promises 1, 5 and 8).

``strace`` writes down every call below the store, the environment and scratch. Then the command is run again for each
of them, and strace makes that one fail, with an error that a disk, a quota or a network file system gives for it, or
kills the process at it. Afterwards

- the exit code is a documented one, and there is no traceback;
- everything that can be seen in the store is whole, to the byte;
- the environment is as before or right; after a SIGKILL a new one is not there or right;
- after an error nothing half-made lies about;
- a plain run of the same command succeeds, and everything is right.

A sample of fixed seed is part of the test suite. All of it, which takes about an hour on two cores::

    python3 dev.py test tests/faults/strace --all-injections --numprocesses 2
"""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest
from faults.strace.injecting import Bench, Kind, sample
from faults.strace.scenarios import SCENARIOS, write_inputs
from faults.strace.tracer import missing_tracer
from faults.strace.world import World
from helpers.capabilities import linux_only
from helpers.memory import tmp_path
from helpers.missing_parts import missing
from helpers.stocked_index import StockedIndex

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["tmp_path"]

pytestmark = linux_only
SAMPLE = 5


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    if (problem := missing_tracer()) is not None:
        missing("strace", problem)
    world = World(tmp_path)
    with StockedIndex() as index, contextlib.closing(world):
        write_inputs(world, index)
        yield world


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    parts = metafunc.config.getoption("--all-injections", default=0)
    metafunc.parametrize(
        "part", [(part, parts) for part in range(parts)] or [None], ids=lambda part: part and f"part{part[0]}"
    )


@pytest.mark.timeout(4 * 3600)
@pytest.mark.parametrize("kind", get_args(Kind))
@pytest.mark.parametrize("name", SCENARIOS)
def test_everything_is_whole_afterwards(
    world: World, name: str, kind: Kind, part: tuple[int, int] | None, record_property: Callable[[str, object], None]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(world, SCENARIOS[name], Path(folder))
        plan = bench.plan(kind)
        chosen = sample(plan, SAMPLE, f"{name} {kind}") if part is None else plan[part[0] :: part[1]]
        tally = bench.run(chosen)
    record_property("injections", (name, kind, len(plan), tally.traced, tally.injected, tally.several, tally.reruns))
    assert not tally.failures, "\n".join(tally.failures)
    assert tally.injected == tally.traced
