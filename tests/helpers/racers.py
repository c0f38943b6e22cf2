"""Processes that publish the same thing in a store at the same moment, round by round, and tell what they saw.

In a module of its own, since the processes import it by name.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
from typing import TYPE_CHECKING, NamedTuple

from safe_install.events import Event, SteppedDown
from safe_install.models import Digest
from safe_install.store import BUILT, CachedPage, Store

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.queues import SimpleQueue
    from multiprocessing.synchronize import Barrier
    from pathlib import Path

PROCESSES = 6
ROUNDS = 12
# A guard against a deadlock, no statement about speed.
PATIENCE = 240
FILES = 15


class Outcome(NamedTuple):
    """What one process saw in one round."""

    won: bool
    valid: bool
    step_downs: list[str]


def digest_of(round_: int) -> Digest:
    return Digest(hashlib.sha256(b"round %d" % round_).hexdigest())


def publish_wheel(store: Store, round_: int) -> tuple[bool, bool]:
    digest = digest_of(round_)
    with store.stage_tree() as writer:
        for number in range(FILES):
            writer.add(f"demo/{number}.py", [b"x = %d\n" % number], executable=False)
        ours = os.stat(writer.folder).st_ino
        tree = store.publish_wheel(writer.folder, writer.finish(digest=digest, filename="demo.whl"))
    found = store.wheel(digest)
    return os.stat(tree.folder).st_ino == ours, found is not None and found.damage() == []


def publish_file(store: Store, round_: int) -> tuple[bool, bool]:
    digest = digest_of(round_)
    with store.stage_file() as staged:
        staged.write_bytes(b"round %d" % round_)
        ours = os.stat(staged).st_ino
        path = store.publish_file(staged, digest)
    return os.stat(path).st_ino == ours, store.file(digest) == path and path.read_bytes() == b"round %d" % round_


def publish_document(store: Store, round_: int) -> tuple[bool, bool]:
    ours = {"by": os.getpid()}
    stored = store.publish_document(BUILT, digest_of(round_), ours)
    return stored == ours, store.document(BUILT, digest_of(round_)) == stored


def publish_page(store: Store, round_: int) -> tuple[bool, bool]:
    page = CachedPage(url="https://index.test/", content_type="text/html", body=b"%d" % os.getpid())
    store.publish_page(digest_of(0), page)
    return True, store.page(digest_of(0)) is not None


KINDS: dict[str, Callable[[Store, int], tuple[bool, bool]]] = {
    work.__name__: work for work in (publish_wheel, publish_file, publish_document, publish_page)
}


def work(root: Path, kind: str, barrier: Barrier, outcomes: SimpleQueue[list[Outcome]]) -> None:
    events: list[Event] = []
    found = []
    barrier.wait(PATIENCE)
    store = Store.open(root, retry_budget=30, sink=events.append)
    for round_ in range(ROUNDS):
        barrier.wait(PATIENCE)
        events.clear()
        won, valid = KINDS[kind](store, round_)
        found.append(Outcome(won, valid, [event.kind for event in events if isinstance(event, SteppedDown)]))
    outcomes.put(found)


def race(root: Path, kind: str) -> list[list[Outcome]]:
    """Let all processes do the same; return what each saw, round by round."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(PROCESSES)
    outcomes = context.SimpleQueue()
    processes = [context.Process(target=work, args=(root, kind, barrier, outcomes)) for _ in range(PROCESSES)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(PATIENCE)
    assert [process.exitcode for process in processes] == [0] * PROCESSES
    return [outcomes.get() for _ in processes]
