"""Single flight: of many processes and threads that need the same thing, one makes it and the others wait for it.

::

    look -> lock -> look again -> make, which publishes -> unlock

Locks save work, never correctness (design promise 3). Who cannot have the lock makes the thing as well, and publishing
settles who was first. That is told, and happens when

- the holder gave no sign of life for the time-out (`safe_install.locks`): it hangs, or its host died;
- a holder failed while we waited. Waiting in a row for each of many jobs to fail at the same would take many times as
  long as failing side by side;
- the lock file is broken, or there are no locks;
- waiting would close a circle, see below.

**Why nobody waits for ever.** Fetching takes a lock and waits for nothing while it holds it. A build holds its lock
while it fetches, and while it makes what it needs first: a nested flight, which names the build as its *parent*. So
whoever waits with a lock in hand waits for something that it needs. A circle of waiters is then a circle of needs, as
when A builds X, which needs Y, and B builds Y, which needs X::

    A holds X, and notes beside it that it waits for Y.    B holds Y, and notes that it waits for X.
    A follows the notes from Y and comes to X, its own:    A passes Y by, and builds Y itself.

Both note first and look afterwards, again at every try, so at least one of them sees it. In the process that passes by
the build of Y then finds that it needs X, whose build it works for, and fails with that reason. Where notes cannot be
written or read, there are no signs of life either, and the time-out ends the wait.

A place among those of a process that may build at one time (*turn*) is never waited for with a lock in hand: it is
taken first, and given back while the lock is somebody else's.

What is small and may turn out not to be shareable, such as a page that a server forbids to keep, is waited for once
(*queue* is false): who then finds nothing makes it without the lock, side by side with the others.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Literal, TypeAlias, TypeVar

from ..errors import LockTimeoutError, SafeInstallError, StoreError
from ..events import Awaited, SteppedDown, Waiting
from ..fs.retry import pauses
from ..locks.holding import Lock, Patience
from ..locks.notes import read_note, read_owner
from ..locks.processes import Process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from ..events import EventSink
    from ..locks.notes import Note, OwnNote
    from ..models import Digest
    from .layout import Layout

T = TypeVar("T")
Kind: TypeAlias = Literal["wheel", "file", "build", "page", "bytecode", "image"]

# Seconds between looks. Who waits for a download of a second should not wait half a second more.
_LONGEST_PAUSE = 0.25
_NAME_LENGTH = 32
_NOTE_TRIES = 5
_NOTE_PAUSE = 0.01  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Landed(Generic[T]):
    """:param made: whether we made it ourselves."""

    value: T
    made: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Flight:
    """What is being made under a lock, for those that work for it. :param note: None when the lock was passed by."""

    name: str
    note: OwnNote | None
    parent: Flight | None

    def all(self) -> Iterator[Flight]:
        """This one, and those that it works for."""
        flight: Flight | None = self
        while flight is not None:
            yield flight
            flight = flight.parent


class Flights:
    """Those of one process in one store.

    :param timeout: seconds to wait after a holder's last sign of life.
    :param job: the URL of this job, for those who wait.
    :param check: called while waiting; raises to end it.
    """

    def __init__(
        self, layout: Layout, *, timeout: float, job: str | None, sink: EventSink, check: Callable[[], None]
    ) -> None:
        self._layout = layout
        self._timeout = timeout
        self._job = job
        self._sink = sink
        self._check = check
        self._told: set[str] = set()

    def get(
        self,
        kind: Kind,
        key: Digest,
        *,
        what: str,
        look: Callable[[], T | None],
        make: Callable[[Flight], T],
        turn: AbstractContextManager[object] | None = None,
        parent: Flight | None = None,
        queue: bool = True,
        quiet: float = 0.0,
    ) -> Landed[T]:
        """Return what *look* finds, or what *make* makes when nobody else does.

        :param key: names the thing; *kind* and *key* together name the lock.
        :param what: for messages, such as ``the build of demo 1.0``.
        :param look: finds the thing in the store; called often, and before anything is locked.
        :param make: makes and publishes it.
        :param turn: entered around *make*, and left while others hold the lock. May be entered again and again.
        :param parent: the flight that this one is needed for.
        :param queue: whether those that waited in vain make it one after the other.
        :param quiet: seconds of waiting that are worth no line.

        Errors of *look* and *make* are passed on.
        """
        if (found := look()) is not None:
            return Landed(value=found, made=False)
        attempt = _Attempt(self, f"{kind}-{key[:_NAME_LENGTH]}", what, parent, quiet=quiet)
        with contextlib.ExitStack() as stack:
            for pause in pauses():
                self._check()
                with turn or contextlib.nullcontext():
                    reason = attempt.take()
                    if reason is not None or attempt.taken:
                        return self._make(attempt, reason, look, make, alone=queue or not attempt.waiting)
                if not attempt.waiting:
                    stack.enter_context(attempt.begin_waiting())
                elif (found := look()) is not None:
                    attempt.tell_awaited()
                    return Landed(value=found, made=False)
                attempt.tell_waiting()
                time.sleep(min(pause, _LONGEST_PAUSE))
        raise AssertionError("the pauses never end")

    @contextlib.contextmanager
    def claim(self, kind: Kind, key: Digest, *, what: str) -> Iterator[bool]:
        """Hold the lock of a thing that the body makes, where nobody holds it; nothing is waited for.

        Yields whether it is held. Where it is not, `get` waits for the thing. Parameters as there.
        """
        attempt = _Attempt(self, f"{kind}-{key[:_NAME_LENGTH]}", what, None, quiet=0.0)
        if attempt.take() is not None or not attempt.taken:
            yield False
            return
        with attempt.holding() as flight:
            try:
                yield True
            except SafeInstallError:
                if flight.note is not None:
                    flight.note.tell_failure()
                raise

    def _make(
        self,
        attempt: _Attempt,
        reason: str | None,
        look: Callable[[], T | None],
        make: Callable[[Flight], T],
        *,
        alone: bool,
    ) -> Landed[T]:
        """Look again, and make it when it is still not there, with the lock or without."""
        if reason is not None:
            self._tell_passed_by(reason)
        with contextlib.ExitStack() as stack:
            flight = stack.enter_context(attempt.holding())
            if (found := look()) is not None:
                if attempt.waiting:
                    attempt.tell_awaited()
                return Landed(value=found, made=False)
            if not alone:
                stack.close()
                return Landed(value=make(Flight(name=flight.name, note=None, parent=flight.parent)), made=True)
            try:
                return Landed(value=make(flight), made=True)
            except SafeInstallError:
                if flight.note is not None:
                    flight.note.tell_failure()
                raise

    def _tell_passed_by(self, reason: str) -> None:
        if reason not in self._told:
            self._told.add(reason)
            self._sink(SteppedDown(kind="lock-passed-by", message=reason))

    def new_lock(self, name: str, what: str) -> Lock:
        """Return a lock of this store, not held."""
        return Lock(self._layout.lock(name), timeout=self._timeout, what=what, sink=self._sink, job=self._job)

    def patience(self, name: str) -> Patience:
        """Return how long to wait for a lock of this store."""
        return Patience(self._layout.lock(name), timeout=self._timeout)

    def tell(self, event: Waiting | Awaited) -> None:
        """Pass an event on."""
        self._sink(event)

    def closes_circle(self, name: str, parent: Flight) -> bool:
        """Whether the holder of the lock *name* waits, perhaps by way of others, for one that we hold."""
        ours = {flight.name for flight in parent.all()}
        if name in ours:
            return True
        seen: set[str] = set()
        following = [name]
        while following:
            note = read_note(self._layout.lock(following.pop()))
            for wanted in note.waits if note else ():
                if wanted in ours:
                    return True
                if wanted not in seen:
                    seen.add(wanted)
                    following.append(wanted)
        return False


class _Attempt:
    """One thread's way to one lock."""

    def __init__(self, flights: Flights, name: str, what: str, parent: Flight | None, *, quiet: float) -> None:
        self._flights = flights
        self._name = name
        self._what = what
        self._parent = parent
        self._lock = flights.new_lock(name, what)
        self._patience: Patience | None = None
        self._failures = 0
        self._holder = ""
        self._other = True
        self._quiet = quiet
        self._tell_at: float | None = None
        self.taken = False

    @property
    def waiting(self) -> bool:
        """Whether it was not had at the first try."""
        return self._patience is not None

    def take(self) -> str | None:
        """Try to take it; return why it has to be passed by, if it has to."""
        # Before the try: the next holder writes a note of its own.
        if self.waiting and (reason := self._why_not_wait()) is not None:
            return reason
        try:
            self.taken = self._lock.attempt()
        except LockTimeoutError as error:
            return f"{error.message}, so several jobs may make the same"
        except StoreError as error:
            return error.message
        return None

    def _why_not_wait(self) -> str | None:
        assert self._patience is not None
        path = self._lock.path
        note = read_note(path)
        if note is not None and note.failures > self._failures:
            return f"{self._holder} failed at {self._what}, which is tried here as well"
        if self._patience.is_over():
            return f"no sign of life of {read_owner(path)}, which has the lock of {self._what}; it is made here as well"
        if self._parent is not None and self._flights.closes_circle(self._name, self._parent):
            return f"{read_owner(path)} has the lock of {self._what}, and waits for this job"
        return None

    @contextlib.contextmanager
    def begin_waiting(self) -> Iterator[None]:
        """Tell who is waited for, and those who may wait for us that we wait, until the body ends."""
        path = self._lock.path
        note = self._note_of_a_holder()
        self._holder = read_owner(path)
        self._patience = self._flights.patience(self._name)
        self._failures = note.failures if note else 0
        self._other = note is None or note.process != Process.this()
        self._tell_at = time.monotonic() + self._quiet if self._other else None
        self.tell_waiting()
        with contextlib.ExitStack() as stack:
            for flight in self._parent.all() if self._parent else ():
                if flight.note is not None:
                    stack.enter_context(flight.note.waiting_for(self._name))
            yield

    def _note_of_a_holder(self) -> Note | None:
        """The note of whoever has just got the lock, and may be about to write it."""
        for _ in range(_NOTE_TRIES):
            if (note := read_note(self._lock.path)) is not None:
                return note
            time.sleep(_NOTE_PAUSE)
        return None

    def tell_waiting(self) -> None:
        """Tell who is waited for, once, as soon as that is worth a line."""
        if self._tell_at is not None and time.monotonic() >= self._tell_at:
            self._tell_at = None
            self._flights.tell(Waiting(lock=self._what, holder=self._holder))

    def tell_awaited(self) -> None:
        """Tell that what another process made is used."""
        if self._other:
            self._flights.tell(Awaited(what=self._what))

    @contextlib.contextmanager
    def holding(self) -> Iterator[Flight]:
        """Hold the lock, when it was taken, in the body."""
        if not self.taken:
            yield Flight(name=self._name, note=None, parent=self._parent)
            return
        with self._lock.held() as note:
            yield Flight(name=self._name, note=note, parent=self._parent)
