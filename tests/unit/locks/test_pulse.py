"""Signs of life while work goes on, and none afterwards."""

from __future__ import annotations

import os
import signal
import threading

import pytest
from helpers.processes import wait_until

from safe_install.locks.pulse import PULSE, Pulse


def running() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "safe-install-pulse"]


def test_it_beats_as_long_as_the_body_runs_and_then_no_more() -> None:
    pulse, beats = Pulse(), []
    with pulse.beating(lambda: beats.append(1), interval=0.01):
        wait_until(lambda: len(beats) >= 3)
    count = len(beats)
    with pulse.beating(lambda: None, interval=0.001):
        threading.Event().wait(0.05)
    assert len(beats) == count


def test_one_thread_beats_for_all_and_ends_with_the_last() -> None:
    others = running()  # of an earlier test; it may end at any moment
    pulse, first, second = Pulse(), threading.Event(), threading.Event()
    with pulse.beating(first.set, interval=60), pulse.beating(second.set, interval=0.001):
        assert second.wait(30)
        (thread,) = (each for each in running() if each not in others)
        assert not first.is_set()
    wait_until(lambda: not thread.is_alive())


def test_one_that_fails_is_tried_again() -> None:
    pulse, tries = Pulse(), []

    def beat() -> None:
        tries.append(1)
        raise OSError("the disk is full")

    with pulse.beating(beat, interval=0.001):
        wait_until(lambda: len(tries) >= 2)


def test_nothing_beats_while_or_after_the_body_ends() -> None:
    """A note that is removed at the end must not be written once more by a beat under way."""
    pulse, inside, go, order = Pulse(), threading.Event(), threading.Event(), []

    def beat() -> None:
        inside.set()
        go.wait(30)
        order.append("beat")

    with pulse.beating(beat, interval=0.001):
        assert inside.wait(30)
        threading.Timer(0.05, go.set).start()
    order.append("ended")
    assert order == ["beat", "ended"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_does_not_wait_for_a_thread_that_it_does_not_have() -> None:
    with PULSE._changed:  # as the beating thread may hold it at the moment of the fork
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            with PULSE.beating(lambda: None, interval=10):
                pass
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
