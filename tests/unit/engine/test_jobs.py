from __future__ import annotations

import threading
import time

import pytest

from safe_install.engine.jobs import Cancellation, CancelledError, KeyedOnce, run_all
from safe_install.errors import BuildError, NetworkError


class Stop:
    """What ends blocked workers in these tests. :ivar calls: how often it was called."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.calls = 0

    def __call__(self) -> None:
        self.calls += 1
        self.event.set()


def test_results_come_in_the_order_of_the_items() -> None:
    def work(number: int) -> int:
        time.sleep(0.01 * (5 - number))
        return number * number

    stop = Stop()
    assert run_all(work, range(5), workers=5, cancellation=Cancellation(), stop=stop) == [0, 1, 4, 9, 16]
    assert stop.calls == 0


def test_one_item_runs_in_this_thread() -> None:
    here = threading.current_thread()
    found = run_all(lambda _: threading.current_thread(), [1], workers=4, cancellation=Cancellation(), stop=Stop())
    assert found == [here]


def test_no_more_than_the_workers_run_at_once() -> None:
    lock, running, most = threading.Lock(), 0, 0

    def work(_: int) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.01)
        with lock:
            running -= 1

    run_all(work, range(12), workers=3, cancellation=Cancellation(), stop=Stop())
    assert most == 3


def test_first_error_stops_the_others_and_is_raised_when_all_have_ended() -> None:
    stop, cancellation, ended = Stop(), Cancellation(), []
    blocked = threading.Barrier(3)

    def work(number: int) -> None:
        blocked.wait()
        if number == 1:
            raise BuildError("the first", code="build-failed")
        stop.event.wait(30)
        ended.append(number)
        raise NetworkError("reading was stopped", code="stopped")

    with pytest.raises(BuildError, match="the first"):
        run_all(work, range(3), workers=3, cancellation=cancellation, stop=stop)
    assert sorted(ended) == [0, 2]
    assert stop.calls == 1
    with pytest.raises(CancelledError):
        cancellation.check()


@pytest.mark.parametrize(
    "consequence",
    [NetworkError("s", code="stopped"), BuildError("c", code="build-cancelled"), CancelledError()],
    ids=lambda error: type(error).__name__,
)
def test_error_of_who_was_stopped_does_not_hide_its_cause(consequence: Exception) -> None:
    """A nested run fails, stops everything, and needs longer to say so than those who were stopped."""
    stop = Stop()

    def work(number: int) -> None:
        if number == 0:
            stop()
            time.sleep(0.2)
            raise BuildError("the cause", code="build-failed")
        stop.event.wait(30)
        raise consequence

    with pytest.raises(BuildError, match="the cause"):
        run_all(work, range(2), workers=2, cancellation=Cancellation(), stop=stop)


def test_what_was_not_begun_is_never_begun_after_an_error() -> None:
    begun = []

    def work(number: int) -> None:
        begun.append(number)
        if number == 0:
            raise BuildError("no", code="build-failed")
        time.sleep(0.05)

    with pytest.raises(BuildError):
        run_all(work, range(200), workers=2, cancellation=Cancellation(), stop=Stop())
    assert len(begun) < 200


def test_interrupt_while_waiting_stops_the_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    from safe_install.engine import jobs

    stop, ended = Stop(), []

    def interrupted(*_arguments: object, **_options: object) -> None:
        raise KeyboardInterrupt

    def work(number: int) -> None:
        stop.event.wait(30)
        ended.append(number)

    monkeypatch.setattr(jobs, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_all(work, range(2), workers=2, cancellation=Cancellation(), stop=stop)
    assert sorted(ended) == [0, 1]


def test_value_of_a_key_is_computed_once_for_all_threads() -> None:
    once, computed = KeyedOnce(), []

    def compute() -> int:
        computed.append(1)
        time.sleep(0.05)
        return 7

    threads = [threading.Thread(target=lambda: once.get("key", compute)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert computed == [1]
    assert once.get("key", compute) == 7


def test_different_keys_do_not_wait_for_each_other() -> None:
    once, meeting = KeyedOnce(), threading.Barrier(2, timeout=10)
    threads = [threading.Thread(target=lambda key=key: once.get(key, meeting.wait)) for key in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not meeting.broken


def test_error_is_not_remembered() -> None:
    once = KeyedOnce()

    def fail() -> int:
        raise OSError("not now")

    with pytest.raises(OSError, match="not now"):
        once.get("key", fail)
    assert once.get("key", lambda: 3) == 3


def test_value_that_is_not_valid_any_more_is_computed_again() -> None:
    once = KeyedOnce()
    assert once.get("key", lambda: 1) == 1
    assert once.get("key", lambda: 2, is_valid=lambda _: True) == 1
    assert once.get("key", lambda: 2, is_valid=lambda _: False) == 2
