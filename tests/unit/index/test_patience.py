"""Pauses grow, are random, honour what the server asks for, and end with the budget."""

from __future__ import annotations

import pytest

from safe_install.errors import NetworkError
from safe_install.events import Event, Retried
from safe_install.index.patience import PassingError, Patience


class Time:
    """A clock that only moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def failure(retry_after: float | None = None) -> PassingError:
    error = NetworkError("could not read it", code="server-error", context=("from here",), hint="wait")
    return PassingError(error, reason="503", retry_after=retry_after)


def patience(time: Time, budget: float, events: list[Event] | None = None) -> Patience:
    sink = (events if events is not None else []).append
    return Patience("read it", budget=budget, sink=sink, sleep=time.sleep, clock=lambda: time.now)


def test_no_budget_means_one_try() -> None:
    with pytest.raises(NetworkError) as caught:
        patience(Time(), 0).wait(failure())
    assert caught.value.context == ("from here",)


def test_pauses_grow_to_ten_seconds_and_stay_within_the_budget() -> None:
    time, events = Time(), list[Event]()
    waiting = patience(time, 60, events)

    def wait_for_ever() -> None:
        while True:
            waiting.wait(failure())

    with pytest.raises(NetworkError) as caught:
        wait_for_ever()
    assert sum(time.slept) == pytest.approx(60)
    for position, pause in enumerate(time.slept[:-1]):
        longest = min(10.0, 0.5 * 2**position)
        assert longest / 2 <= pause <= longest
    assert (caught.value.code, caught.value.hint) == ("server-error", "wait")
    assert f"tried {len(time.slept) + 1} times, within a retry budget of 60 s" in caught.value.context
    assert events == [Retried(operation="read it", reason="503", pause=pause) for pause in time.slept]


def test_pauses_differ_between_jobs() -> None:
    first, second = Time(), Time()
    for time in (first, second):
        waiting = patience(time, 1000)
        for _ in range(20):
            waiting.wait(failure())
    assert first.slept != second.slept


def test_the_server_decides_when_it_asks_for_more() -> None:
    time = Time()
    patience(time, 60).wait(failure(retry_after=17.0))
    assert time.slept == [17.0]


def test_a_longer_pause_than_the_budget_allows_is_not_waited_for() -> None:
    time = Time()
    with pytest.raises(NetworkError) as caught:
        patience(time, 60).wait(failure(retry_after=61.0))
    assert not time.slept
    assert any("61 s" in line for line in caught.value.context)


def test_progress_gives_the_whole_budget_again() -> None:
    time = Time()
    waiting = patience(time, 10)
    for _ in range(5):
        waiting.wait(failure(retry_after=9.0))
        waiting.progressed()
    assert time.slept == [9.0] * 5
