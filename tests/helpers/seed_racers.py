"""Processes that publish to one seed at the same moment, or read it again and again.

In a module of its own, since the processes import it by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from helpers.stores import listing_of
from safe_install.errors import LockTimeoutError
from safe_install.events import Event, SteppedDown
from safe_install.models import SeedReference
from safe_install.store.seed_view import open_view
from safe_install.store.seeds import Seed, WritableSeed

if TYPE_CHECKING:
    from multiprocessing.queues import Queue
    from multiprocessing.synchronize import Barrier
    from multiprocessing.synchronize import Event as Flag
    from pathlib import Path

PROCESSES = 8


class Racer(NamedTuple):
    """:param timeout: seconds to wait for the lock."""

    number: int
    timeout: float


def publish_once(root: Path, racer: Racer, barrier: Barrier, said: Queue[str]) -> None:
    """Publish a set of one's own, and say its generation, or the code of the error."""
    seed = WritableSeed.open(root, retry_budget=30)
    barrier.wait(240)
    try:
        with seed.held(timeout=racer.timeout):
            names = ["first", f"own{racer.number}", f"more{racer.number}"]
            said.put(seed.publish(listing_of(seed.store, names)))
    except LockTimeoutError as error:
        said.put(error.code)


def read_until(root: Path, end: Flag, said: Queue[object]) -> None:
    """Read all that the current generation lists, until *end*; say how often, and what was not whole."""
    rounds, problems = 0, []
    said.put("reading")
    while not end.is_set():
        try:
            problems += look_at_all(root)
        except Exception as error:  # noqa: BLE001 - whatever it is, somebody waits to be told
            problems.append(f"{type(error).__name__}: {error}")
        rounds += 1
    said.put((rounds, problems))


def look_at_all(root: Path) -> list[str]:
    """Read the current generation; return what was not whole, unless its list was collected meanwhile."""
    events: list[Event] = []
    view = open_view(SeedReference(path=root), retry_budget=30, sink=events.append)
    numbers = {listed.filename.split("-")[0][1:] for listed in view.generation.wheels.values()}
    problems = [] if len(numbers) == 1 else [f"a mixture: {numbers}"]
    missing = []
    for digest, listed in view.generation.wheels.items():
        tree = view.wheel(digest)
        if tree is None:
            missing.append(f"{listed.filename} is not there")
        elif damage := tree.damage():
            missing.append(f"{listed.filename} is damaged: {damage}")
    missing += [event.message for event in events if isinstance(event, SteppedDown)]
    # Who is slow may find his generation replaced so often that it is kept no more; its list goes first.
    is_kept = view.generation.digest in Seed.open_for_reading(root).generations()
    return problems + missing if is_kept else problems
