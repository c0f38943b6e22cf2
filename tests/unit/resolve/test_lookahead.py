"""`safe_install.resolve.lookahead`: each question once, answers ahead of time, and an end without leftovers."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence

import pytest
from helpers.universe import Universe, interpreter
from packaging.utils import NormalizedName, canonicalize_name

from safe_install.models import CoreMetadata, RemoteFile
from safe_install.resolve.lookahead import Lookahead
from safe_install.resolve.request import ResolveRequest
from safe_install.resolve.requirement import WantedRequirement
from safe_install.resolve.resolver import resolve

A = canonicalize_name("a")


class Meeting(Universe):
    """A universe in which the metadata of *parties* projects are only told when all of them were asked for."""

    def __init__(self, parties: int) -> None:
        super().__init__()
        self._barrier = threading.Barrier(parties, timeout=30)

    def metadata(self, name: NormalizedName, file: RemoteFile) -> CoreMetadata:
        if name != "app":
            self._barrier.wait()
        return super().metadata(name, file)


def test_metadata_of_several_projects_are_read_at_the_same_time() -> None:
    universe = Meeting(parties=8)
    universe.add("app", "1.0", requires=[f"p{number}" for number in range(8)])
    for number in range(8):
        universe.add(f"p{number}", "1.0")
    request = ResolveRequest(requirements=(WantedRequirement(name=canonicalize_name("app"), text="app"),))

    assert len(resolve(request, universe, interpreter()).pins) == 9


def test_a_question_is_answered_once_and_its_error_raised_each_time() -> None:
    calls = []

    def fail() -> None:
        calls.append(1)
        raise ValueError("no")

    with Lookahead(Universe()) as lookahead:
        for _ in range(3):
            with pytest.raises(ValueError, match="no"):
                lookahead.answer("key", fail)
        assert [lookahead.answer("other", lambda: 7) for _ in range(2)] == [7, 7]

    assert len(calls) == 1


def test_threads_that_ask_the_same_wait_for_one_answer() -> None:
    asked = threading.Event()
    release = threading.Event()

    class Slow(Universe):
        def files(self, name: NormalizedName) -> Sequence[RemoteFile]:
            asked.set()
            assert release.wait(30)
            return super().files(name)

    universe = Slow()
    with Lookahead(universe) as lookahead:
        lookahead.in_background(lambda: lookahead.files(A))
        assert asked.wait(30)
        threading.Timer(0.01, release.set).start()
        assert lookahead.files(A) == []

    assert universe.asked["files", "a"] == 1


def test_only_pages_that_nobody_asked_for_are_prefetched() -> None:
    prefetched: list[list[str]] = []

    class Noting(Universe):
        def prefetch(self, names: Iterable[NormalizedName]) -> None:
            prefetched.append(sorted(names))

    with Lookahead(Noting()) as lookahead:
        lookahead.files(A)
        lookahead.prefetch([A, canonicalize_name("b")])
        lookahead.prefetch([A])

    assert prefetched == [["b"]]


def test_a_guess_that_fails_is_silent_and_after_the_end_none_begins() -> None:
    ran = threading.Event()

    def fail() -> None:
        ran.set()
        raise OSError("a guess")

    with Lookahead(Universe()) as lookahead:
        lookahead.in_background(fail)
        assert ran.wait(30)
    ran.clear()
    lookahead.in_background(fail)

    assert not ran.is_set()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("lookahead")]


def test_an_error_does_not_wait_for_guesses() -> None:
    release = threading.Event()

    def interrupted() -> None:
        with Lookahead(Universe()) as lookahead:
            lookahead.in_background(lambda: release.wait(30))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    waiting = [thread for thread in threading.enumerate() if thread.name.startswith("lookahead")]
    release.set()
    for thread in waiting:
        thread.join(30)

    assert len(waiting) <= 1
