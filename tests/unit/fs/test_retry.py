"""Only what passes is retried, only within the budget, and every retry is told."""

from __future__ import annotations

import errno
import itertools
from typing import TYPE_CHECKING

import pytest

from safe_install.events import Retried
from safe_install.fs.retry import pauses, retry

if TYPE_CHECKING:
    from safe_install.events import Event


class Time:
    """A clock that moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Flaky:
    """Fails *times* times with *code*, then succeeds."""

    def __init__(self, code: int, times: int) -> None:
        self.code = code
        self.left = times
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.left:
            self.left -= 1
            raise OSError(self.code, "not now")
        return "done"


def run(operation: Flaky, *, budget: float, events: list[Event] | None = None) -> str:
    time = Time()
    return retry(
        operation,
        what="rename a to b",
        budget=budget,
        sink=(events if events is not None else []).append,
        passing=lambda error: error.errno == errno.EBUSY,
        clock=time.clock,
        sleep=time.sleep,
    )


def test_what_passes_is_tried_until_it_succeeds_and_each_retry_is_told() -> None:
    events: list[Event] = []
    operation = Flaky(errno.EBUSY, 3)
    assert run(operation, budget=30, events=events) == "done"
    assert operation.calls == 4
    retries = [event for event in events if isinstance(event, Retried)]
    assert [(event.operation, event.reason) for event in retries] == [("rename a to b", "not now")] * 3
    assert all(event.pause > 0 for event in retries)


def test_what_does_not_pass_is_raised_at_once() -> None:
    events: list[Event] = []
    operation = Flaky(errno.EACCES, 1)
    with pytest.raises(PermissionError):
        run(operation, budget=30, events=events)
    assert operation.calls == 1
    assert events == []


def test_the_last_error_is_raised_when_the_budget_is_used_up() -> None:
    operation = Flaky(errno.EBUSY, 10**6)
    with pytest.raises(OSError, match="not now"):
        run(operation, budget=2)
    assert 3 < operation.calls < 100


def test_a_budget_of_nothing_means_a_single_try() -> None:
    operation = Flaky(errno.EBUSY, 1)
    with pytest.raises(OSError, match="not now"):
        run(operation, budget=0)
    assert operation.calls == 1


def test_the_pauses_together_do_not_exceed_the_budget() -> None:
    events: list[Event] = []
    with pytest.raises(OSError, match="not now"):
        run(Flaky(errno.EBUSY, 10**6), budget=2, events=events)
    assert sum(event.pause for event in events if isinstance(event, Retried)) == pytest.approx(2)


def test_pauses_grow_up_to_a_second() -> None:
    first = list(itertools.islice(pauses(), 30))
    assert first[0] <= 0.002
    assert max(first) <= 1.0
    assert min(first[-10:]) >= 0.5
