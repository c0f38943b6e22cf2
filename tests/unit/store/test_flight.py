"""One makes what many need; whoever cannot wait makes it as well (design promise 3)."""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
from helpers.processes import wait_until

from safe_install.errors import BuildError
from safe_install.events import Awaited, Event, SteppedDown, Waiting
from safe_install.locks.notes import note_of, read_note
from safe_install.locks.processes import Process
from safe_install.models import Digest
from safe_install.store.flight import Flight, Flights, Landed
from safe_install.store.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# A guard against a deadlock.
PATIENCE = 60
KEY = Digest(hashlib.sha256(b"thing").hexdigest())
OTHER = Digest(hashlib.sha256(b"other").hexdigest())


class Shelf:
    """What jobs make, and what is told; several `Flights` of one shelf stand for several processes."""

    def __init__(self, root: Path) -> None:
        self.layout = Layout(root)
        self.made: list[str] = []
        self.events: list[Event] = []

    def flights(self, timeout: float = 3600) -> Flights:
        return Flights(self.layout, timeout=timeout, job=None, sink=self.events.append, check=lambda: None)

    def look(self) -> str | None:
        return self.made[0] if self.made else None

    def make(self, flight: Flight) -> str:
        self.made.append("thing")
        return "thing"

    def lock(self, key: Digest, kind: str = "wheel") -> Path:
        return self.layout.lock(f"{kind}-{key[:32]}")

    def told(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def get(self, timeout: float = 3600, **options: Any) -> Landed[str]:
        options = {"look": self.look, "make": self.make, "what": "the thing", **options}
        return self.flights(timeout).get("wheel", KEY, **options)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


@contextlib.contextmanager
def beside(*works: Callable[[], object]) -> Iterator[None]:
    """Run *works* in threads while the body runs, and wait for their end."""
    threads = [threading.Thread(target=work, daemon=True) for work in works]
    for thread in threads:
        thread.start()
    yield
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_what_is_there_is_used_without_any_lock(shelf: Shelf) -> None:
    shelf.made.append("thing")
    assert shelf.get() == Landed(value="thing", made=False)
    assert not shelf.layout.lock("any").parent.exists()


def test_what_is_not_there_is_made_under_the_lock(shelf: Shelf) -> None:
    def make(flight: Flight) -> str:
        assert note_of(shelf.lock(KEY)).exists()
        return shelf.make(flight)

    assert shelf.get(make=make) == Landed(value="thing", made=True)
    assert not note_of(shelf.lock(KEY)).exists()
    assert shelf.events == []


def test_what_appeared_between_the_look_and_the_lock_is_used(shelf: Shelf) -> None:
    """Another process may have made it, and let the lock go, in the moment after the first look."""

    def look() -> str | None:
        found = shelf.look()
        if found is None:
            shelf.made.append("thing")
        return found

    def make(flight: Flight) -> str:
        raise AssertionError("made a second time")

    assert shelf.get(look=look, make=make) == Landed(value="thing", made=False)


def test_of_many_threads_one_makes_it(shelf: Shelf) -> None:
    met = threading.Barrier(6)
    landed: list[Landed[str]] = []

    def work() -> None:
        met.wait(PATIENCE)
        landed.append(shelf.get())

    with beside(*[work] * 6):
        pass
    assert shelf.made == ["thing"]
    assert sorted(each.made for each in landed) == [False] * 5 + [True]


def other_process(shelf: Shelf, key: Digest = KEY, **facts: object) -> None:
    """Let the note say that another process of another machine holds the lock."""
    process = Process("elsewhere", "another machine", 7, "1")
    document = {**process.to_json(), "since": 0, "job": "https://ci.test/7", **facts}
    note_of(shelf.lock(key)).write_text(json.dumps(document))


@contextlib.contextmanager
def held(shelf: Shelf, key: Digest = KEY, **facts: object) -> Iterator[None]:
    """Let the lock be held, by another process as it seems, which shows no sign of life."""
    lock = shelf.flights().new_lock(f"wheel-{key[:32]}", "a test")
    assert lock.attempt()
    with lock.held():
        other_process(shelf, key, **facts)
        yield


def test_who_waits_is_told_for_whom_and_counts_what_it_got(shelf: Shelf) -> None:
    landed: list[Landed[str]] = []
    with held(shelf), beside(lambda: landed.append(shelf.get())):
        wait_until(lambda: bool(shelf.events))
        # Published, and the lock still held.
        shelf.made.append("thing")
    assert landed == [Landed(value="thing", made=False)]
    (waiting,) = shelf.told(Waiting)
    assert waiting.lock == "the thing"
    assert waiting.holder.startswith("pid 7 on elsewhere since")
    assert waiting.holder.endswith("job https://ci.test/7")
    assert shelf.told(Awaited) == [Awaited(what="the thing")]


def test_a_holder_without_a_sign_of_life_is_passed_by_and_that_is_told(shelf: Shelf) -> None:
    with held(shelf):
        assert shelf.get(timeout=0.3) == Landed(value="thing", made=True)
    (told,) = shelf.told(SteppedDown)
    assert told.kind == "lock-passed-by"
    assert "pid 7 on elsewhere" in told.message
    assert shelf.told(Awaited) == []


def test_who_waited_for_one_that_failed_tries_at_once_beside_the_next(shelf: Shelf) -> None:
    """Otherwise each of many would wait in a row for all before it to fail."""
    landed: list[Landed[str]] = []
    with held(shelf):
        with beside(lambda: landed.append(shelf.get())):
            wait_until(lambda: bool(shelf.told(Waiting)))
            # The next holder has it already, and its note says that one before it failed.
            other_process(shelf, failures=1)
        assert landed == [Landed(value="thing", made=True)]
    assert [event.kind for event in shelf.told(SteppedDown)] == ["lock-passed-by"]


def test_a_failure_is_left_in_the_note_until_somebody_succeeds(shelf: Shelf) -> None:
    def fail(flight: Flight) -> str:
        raise BuildError("it does not compile", code="build-failed")

    for failures in (1, 2):
        with pytest.raises(BuildError):
            shelf.get(make=fail)
        assert json.loads(note_of(shelf.lock(KEY)).read_text())["failures"] == failures
    assert shelf.get().made
    assert not note_of(shelf.lock(KEY)).exists()


def test_a_folder_in_the_place_of_the_lock_is_passed_by(shelf: Shelf) -> None:
    shelf.lock(KEY).mkdir(parents=True)
    assert shelf.get() == Landed(value="thing", made=True)
    assert [event.kind for event in shelf.told(SteppedDown)] == ["lock-passed-by"]


def test_the_end_of_the_session_ends_the_wait(shelf: Shelf) -> None:
    class StoppedError(Exception):
        pass

    def check() -> None:
        if shelf.told(Waiting):
            raise StoppedError

    flights = Flights(shelf.layout, timeout=3600, job=None, sink=shelf.events.append, check=check)
    with held(shelf), pytest.raises(StoppedError):
        flights.get("wheel", KEY, what="the thing", look=shelf.look, make=shelf.make)


def test_a_turn_is_not_kept_while_others_hold_the_lock(shelf: Shelf) -> None:
    """Otherwise a process with two places could wait for another one whose place is taken by a wait for the first."""
    turn = threading.BoundedSemaphore(1)
    with held(shelf), beside(lambda: shelf.get(turn=turn)):
        wait_until(lambda: bool(shelf.told(Waiting)))
        assert turn.acquire(timeout=PATIENCE)
        turn.release()
        shelf.made.append("thing")


def test_makers_that_need_one_another_do_not_wait_for_ever(shelf: Shelf) -> None:
    """Each holds one lock, and then needs what the other makes. At least one makes it itself."""
    met = threading.Barrier(2)
    found: dict[Digest, list[str]] = {KEY: [], OTHER: []}

    def work(mine: Digest, theirs: Digest) -> Callable[[], object]:
        flights = shelf.flights()

        def make_theirs(flight: Flight) -> str:
            found[theirs].append("by who needed it")
            return "made"

        def look_for_theirs() -> str | None:
            return "made" if found[theirs] else None

        def make_both(flight: Flight) -> str:
            met.wait(PATIENCE)
            flights.get("build", theirs, what="theirs", look=look_for_theirs, make=make_theirs, parent=flight)
            found[mine].append("by its maker")
            return "made"

        return lambda: flights.get("build", mine, what="mine", look=lambda: None, make=make_both)

    with beside(work(KEY, OTHER), work(OTHER, KEY)):
        pass
    assert {by for makers in found.values() for by in makers} == {"by who needed it", "by its maker"}


def test_makers_that_need_the_same_third_thing_wait_for_it(shelf: Shelf) -> None:
    """Waiting with a lock in hand is no circle by itself."""
    made: list[str] = []
    first, inside = threading.Event(), threading.Event()

    def make_needed(flight: Flight) -> str:
        first.set()
        inside.wait(PATIENCE)
        made.append("needed")
        return "made"

    def work(key: Digest) -> Callable[[], object]:
        flights = shelf.flights()

        def make(flight: Flight) -> str:
            look = lambda: "made" if made else None  # noqa: E731 - as short as it can be said
            flights.get("build", KEY, what="the needed", look=look, make=make_needed, parent=flight)
            return "made"

        return lambda: flights.get("build", key, what="mine", look=lambda: None, make=make)

    with beside(work(OTHER), work(Digest("0" * 64))):
        assert first.wait(PATIENCE)
        locks = [shelf.lock(key, "build") for key in (OTHER, Digest("0" * 64))]
        # Whichever waits tells it in the note of what it holds.
        wait_until(lambda: any(note and note.waits == (f"build-{KEY[:32]}",) for note in map(read_note, locks)))
        inside.set()
    assert made == ["needed"]
    assert shelf.told(SteppedDown) == []
