"""Publishers of one seed at once, and readers while its generations come and go."""

from __future__ import annotations

import contextlib
import multiprocessing
from typing import TYPE_CHECKING

import pytest
from helpers.seed_racers import PROCESSES, Racer, publish_once, read_until
from helpers.stores import digest_of, publish_names

from safe_install.events import ignore
from safe_install.store.seed_checking import check_generation
from safe_install.store.seed_cleanup import collect
from safe_install.store.seeds import Seed, WritableSeed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SPAWN = multiprocessing.get_context("spawn")
# A guard against a deadlock, no statement about speed.
PATIENCE = 240


@pytest.fixture
def root(tmp_path: Path) -> Path:
    publish_names(tmp_path / "seed", ["first"])
    return tmp_path / "seed"


def race(root: Path, *, timeout: float) -> list[str]:
    """Let all publish at one moment, each a set of its own; return what each of them says."""
    barrier, said = SPAWN.Barrier(PROCESSES), SPAWN.Queue()
    processes = [
        SPAWN.Process(target=publish_once, args=(root, Racer(number, timeout), barrier, said))
        for number in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    heard = [said.get(timeout=PATIENCE) for _ in processes]
    for process in processes:
        process.join(PATIENCE)
    assert [process.exitcode for process in processes] == [0] * PROCESSES
    return heard


def all_whole(root: Path) -> None:
    seed = Seed.open_for_reading(root)
    for digest in seed.generations():
        assert check_generation(seed.store, seed.generation(digest)) == []


def test_publishers_serialise_and_no_switch_is_lost(root: Path) -> None:
    said = race(root, timeout=PATIENCE)
    seed = Seed.open_for_reading(root)
    assert len(seed.pointer().history) == 1 + PROCESSES
    assert {each.generation for each in seed.pointer().history[1:]} == set(said)
    all_whole(root)


def test_publishers_that_do_not_wait_are_told(root: Path) -> None:
    said = race(root, timeout=0)
    published = [each for each in said if each != "lock-timeout"]
    assert published
    assert {each.generation for each in Seed.open_for_reading(root).pointer().history[1:]} == set(published)
    all_whole(root)


@contextlib.contextmanager
def watched(root: Path) -> Iterator[None]:
    """Two processes read again and again while the body runs, and never see what is not whole."""
    wrong: list[str] = []
    end, said = SPAWN.Event(), SPAWN.Queue()
    processes = [SPAWN.Process(target=read_until, args=(root, end, said)) for _ in range(2)]
    for process in processes:
        process.start()
    try:
        for _ in processes:
            assert said.get(timeout=PATIENCE) == "reading"
        yield
    finally:
        end.set()
        for process in processes:
            rounds, problems = said.get(timeout=PATIENCE)
            assert rounds > 1
            wrong += problems
            process.join(PATIENCE)
    assert wrong == []


def test_readers_see_whole_generations_while_they_switch_roll_back_and_are_collected(root: Path) -> None:
    """Each set is of two wheels of one number; whoever sees one must see the other, and no third."""
    seed = WritableSeed.open(root)
    with watched(root):
        for number in range(12):
            publish_names(root, [f"a{number}", f"b{number}"])
            with seed.held(timeout=PATIENCE):
                earlier = seed.pointer().before()
                assert earlier is not None
                seed.point_to(earlier)
                # Three stay: more than are switched between a look at the pointer and one at its list.
                collect(seed, keep=3, min_age=0, dry_run=False, sink=ignore)
            publish_names(root, [f"a{number}", f"b{number}"])
    assert digest_of("a11") in seed.generation(seed.pointer().current).wheels
