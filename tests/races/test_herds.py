"""Herds of jobs: one makes what all need, the others wait for it, and nobody fails (design promises 2 and 3)."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest
from helpers.environments import this_interpreter
from helpers.herd import PATIENCE, Herd, damage_of, write_lock
from helpers.processes import wait_until
from helpers.stocked_index import StockedIndex

from safe_install.engine.bytecode import bytecode_key
from safe_install.events import ignore
from safe_install.models import Digest
from safe_install.store.flight import Flights
from safe_install.store.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from helpers.index import Offered

SIZES = [8, 32, pytest.param(64, marks=pytest.mark.slow)]


@pytest.fixture
def index() -> Iterator[StockedIndex]:
    with StockedIndex() as index:
        yield index


def gate(index: StockedIndex, file: Offered) -> threading.Event:
    """Withhold the last byte of the first answer with *file* until the returned event is set."""
    event = threading.Event()
    index.fail(path=f"/files/*/{file.filename}", stall_after=len(file.data) - 1, gate=event)
    return event


@pytest.mark.timeout(600)
@pytest.mark.parametrize("size", SIZES)
def test_one_fetches_and_all_others_wait_for_it(tmp_path: Path, index: StockedIndex, size: int) -> None:
    file = index.wheel("demo")
    lock = write_lock(tmp_path / "pylock.toml", index, file)
    whole = gate(index, file)
    with Herd(tmp_path, index, size=size, store=tmp_path / "store") as herd:
        herd.start("sync", lock)
        herd.wait_for_waiters(file.filename, size - 1)
        whole.set()
        results = herd.wait()
        assert index.count(f"/files/*/{file.filename}") == 1
        assert sum(result.counts["waited_for"] for result in results) == size - 1
        assert sum(result.counts["fetched"] for result in results) == 1
        assert sum(result.counts["reused"] for result in results) == size - 1
        assert {result.counts["locks_passed_by"] for result in results} == {0}
        assert [member.command.installed() for member in herd.members] == [{"demo": "1.0"}] * size
    assert damage_of(tmp_path / "store") == []


@pytest.mark.parametrize("control", [None, "no-cache", "max-age=60"])
def test_one_reads_a_page_and_all_others_use_it(tmp_path: Path, index: StockedIndex, control: str | None) -> None:
    """Also where the index allows nobody to reuse a page without asking: all began before it was read."""
    index.cache_control, index.etags = control, False
    index.wheel("demo")
    gate = threading.Event()
    index.fail(path="/simple/demo/", stall_after=0, gate=gate)
    with Herd(tmp_path, index, size=8, store=tmp_path / "store") as herd:
        herd.start("install", "demo")
        herd.wait_for_waiters("the page of demo", 7)
        gate.set()
        results = herd.wait()
        assert index.pages_read() == 1
        assert index.count() == 3, "its page, its metadata and the wheel"
        assert {result.counts["locks_passed_by"] for result in results} == {0}
        assert [member.command.installed() for member in herd.members] == [{"demo": "1.0"}] * 8


def test_a_page_that_may_not_be_kept_is_read_side_by_side(tmp_path: Path, index: StockedIndex) -> None:
    """All that waited for one in vain ask at once: the index answers none of them before it was asked by all."""
    index.cache_control = "no-store"
    index.wheel("demo")
    gates = [threading.Event() for _ in range(4)]
    for gate in gates:
        index.fail(path="/simple/demo/", stall_after=0, gate=gate)
    with Herd(tmp_path, index, size=4, store=tmp_path / "store") as herd:
        herd.start("install", "demo")
        herd.wait_for_waiters("the page of demo", 3)
        assert index.pages_read() == 1
        gates[0].set()
        wait_until(lambda: index.pages_read() == 4, patience=PATIENCE)
        for gate in gates:
            gate.set()
        herd.wait()
        assert index.count("/files/*.whl") == 1


def test_a_herd_with_bare_requirements_reads_each_page_once(tmp_path: Path, index: StockedIndex) -> None:
    index.etags = False
    names = [f"part{number}" for number in range(12)]
    for name in names:
        index.wheel(name)
    index.wheel("whole", requires_dist=names)
    with Herd(tmp_path, index, size=8, store=tmp_path / "store") as herd:
        herd.start("install", "whole")
        herd.wait()
    assert {path: index.count(path) for path in {request.path for request in index.requests}} == dict.fromkeys(
        {request.path for request in index.requests}, 1
    )


@pytest.mark.timeout(900)
@pytest.mark.parametrize("size", SIZES)
def test_a_herd_fetches_and_builds_each_thing_once_and_then_nothing(
    tmp_path: Path, index: StockedIndex, size: int
) -> None:
    """Cold and then warm, each job with an environment of its own; one sdist needs another one to be built."""
    files = {f"many/{number}.py": f"n = {number}\n" for number in range(300)}
    offered = [
        index.wheel("plain"),
        index.wheel("many", files=files),
        index.wheel("other"),
        index.sdist("source", sleep=0.2),
        index.sdist("needing", build_requires=["tool"], sleep=0.2),
    ]
    tool = index.sdist("tool", sleep=0.2)
    lock = write_lock(tmp_path / "pylock.toml", index, *offered)
    expected = dict.fromkeys(("plain", "many", "other", "source", "needing"), "1.0")
    with Herd(tmp_path / "cold", index, size=size, store=tmp_path / "store") as herd:
        herd.start("sync", lock)
        results = herd.wait()
        fetched = {file.filename: index.count(f"/files/*/{file.filename}") for file in (*offered, tool)}
        assert fetched == dict.fromkeys(fetched, 1)
        assert {name: herd.built(name) for name in ("source", "needing", "tool")} == {
            "source": 1,
            "needing": 1,
            "tool": 1,
        }
        assert [member.command.installed() for member in herd.members] == [expected] * size
        assert {result.counts["locks_passed_by"] for result in results} == {0}
        assert sum(result.counts["built"] for result in results) == 2
    assert damage_of(tmp_path / "store") == []
    index.forget()
    with Herd(tmp_path / "warm", index, size=size, store=tmp_path / "store") as herd:
        herd.start("sync", lock)
        results = herd.wait()
        assert index.requests == []
        assert herd.built("source") == 1
        assert {result.counts["waited_for"] for result in results} == {0}
        assert [member.command.installed() for member in herd.members] == [expected] * size
    assert damage_of(tmp_path / "store") == []
    assert os.listdir(tmp_path / "store" / "leases") == []


def test_a_build_three_times_as_long_as_the_lock_timeout_is_done_once(tmp_path: Path, index: StockedIndex) -> None:
    file = index.sdist("slow", sleep=3)
    lock = write_lock(tmp_path / "pylock.toml", index, file)
    with Herd(tmp_path, index, size=3, store=tmp_path / "store", SAFE_INSTALL_LOCK_TIMEOUT="2") as herd:
        herd.start("sync", lock)
        results = herd.wait()
        assert herd.built("slow") == 1
        assert {result.counts["locks_passed_by"] for result in results} == {0}


def test_a_holder_that_was_killed_is_not_waited_for(tmp_path: Path, index: StockedIndex) -> None:
    """The lock time-out is longer than the test's patience."""
    file = index.wheel("demo")
    lock = write_lock(tmp_path / "pylock.toml", index, file)
    gate(index, file)  # never opened
    with Herd(tmp_path, index, size=4, store=tmp_path / "store", SAFE_INSTALL_LOCK_TIMEOUT="3600") as herd:
        herd.start("sync", lock)
        herd.wait_for_waiters(file.filename, 3)
        wait_until(lambda: index.count("/files/*") == 1, patience=PATIENCE)
        (leader,) = (member for member in herd.members if not member.lines)
        leader.process.kill()
        herd.members.remove(leader)
        try:
            results = herd.wait()
        finally:
            leader.kill()
        assert index.count(f"/files/*/{file.filename}") == 2
        assert {result.counts["locks_passed_by"] for result in results} == {0}


def test_a_holder_that_stands_still_is_passed_by(tmp_path: Path, index: StockedIndex) -> None:
    if os.name == "nt":
        pytest.skip("no signal stops a process there")
    import signal

    file = index.wheel("demo")
    lock = write_lock(tmp_path / "pylock.toml", index, file)
    gate(index, file)
    with Herd(tmp_path, index, size=2, store=tmp_path / "store", SAFE_INSTALL_LOCK_TIMEOUT="2") as herd:
        herd.start("sync", lock)
        herd.wait_for_waiters(file.filename, 1)
        wait_until(lambda: index.count("/files/*") == 1, patience=PATIENCE)
        (leader,) = (member for member in herd.members if not member.lines)
        leader.process.send_signal(signal.SIGSTOP)
        herd.members.remove(leader)
        try:
            (result,) = herd.wait()
        finally:
            leader.kill()
        assert result.counts["locks_passed_by"] == 1
        assert result.report is not None
        (told,) = (each for each in result.report["step_downs"] if each["kind"] == "lock-passed-by")
        assert f"pid {leader.process.pid} on" in told["reason"]


def test_a_clock_that_is_an_hour_wrong_changes_nothing(tmp_path: Path, index: StockedIndex) -> None:
    file = index.wheel("demo")
    lock = write_lock(tmp_path / "pylock.toml", index, file)
    whole = gate(index, file)
    with Herd(tmp_path, index, size=0, store=tmp_path / "store", SAFE_INSTALL_LOCK_TIMEOUT="20") as herd:
        for shift in ("-3600", "3600", "0"):
            herd.release(herd.add("sync", lock, HERD_CLOCK_SHIFT=shift))
            wait_until(lambda: index.count("/files/*") == 1, patience=PATIENCE)
        herd.wait_for_waiters(file.filename, 2)
        whole.set()
        results = herd.wait()
        assert index.count(f"/files/*/{file.filename}") == 1
        assert [result.counts["waited_for"] for result in results] == [0, 1, 1]
        assert {result.counts["locks_passed_by"] for result in results} == {0}


def test_garbage_in_locks_and_notes_stops_nobody(tmp_path: Path, index: StockedIndex) -> None:
    file = index.wheel("demo")
    lock = write_lock(tmp_path / "pylock.toml", index, file)
    place = tmp_path / "store" / "locks" / f"wheel-{file.sha256[:32]}.lock"
    os.makedirs(place.parent, mode=0o700)
    os.chmod(place.parents[1], 0o700)
    place.write_bytes(bytes(range(256)))
    place.with_name(place.name + ".owner").write_bytes(b'{"pid": "\xff')
    with Herd(tmp_path, index, size=4, store=tmp_path / "store") as herd:
        herd.start("sync", lock)
        results = herd.wait()
        assert index.count(f"/files/*/{file.filename}") == 1
        assert {result.counts["locks_passed_by"] for result in results} == {0}


def test_a_lock_that_cannot_be_opened_is_passed_by_and_told_once(tmp_path: Path, index: StockedIndex) -> None:
    file = index.wheel("demo")
    lock = write_lock(tmp_path / "pylock.toml", index, file)
    place = tmp_path / "store" / "locks" / f"wheel-{file.sha256[:32]}.lock"
    place.mkdir(parents=True)
    os.chmod(tmp_path / "store", 0o700)
    whole = gate(index, file)
    with Herd(tmp_path, index, size=2, store=tmp_path / "store") as herd:
        herd.start("sync", lock)
        wait_until(lambda: index.count(f"/files/*/{file.filename}") == 2, patience=PATIENCE)
        whole.set()
        for result in herd.wait():
            assert result.counts["locks_passed_by"] == result.counts["fetched"] == 1
    assert damage_of(tmp_path / "store") == []


def test_without_any_lock_everybody_makes_everything_and_all_is_right(tmp_path: Path, index: StockedIndex) -> None:
    """Locks save work, never correctness (design promise 3)."""
    offered = [index.wheel("one"), index.wheel("two"), index.sdist("source", sleep=0.2)]
    lock = write_lock(tmp_path / "pylock.toml", index, *offered)
    (tmp_path / "store").mkdir(mode=0o700)
    (tmp_path / "store" / "locks").touch()
    with Herd(tmp_path, index, size=6, store=tmp_path / "store") as herd:
        herd.start("sync", lock)
        herd.wait()
        expected = dict.fromkeys(("one", "two", "source"), "1.0")
        assert [member.command.installed() for member in herd.members] == [expected] * 6
    assert damage_of(tmp_path / "store") == []


def test_builds_that_need_one_another_fail_instead_of_waiting(tmp_path: Path, index: StockedIndex) -> None:
    """Each process holds the lock of one build, and needs what the other one is building."""
    files = {name: index.sdist(name, build_requires=[other]) for name, other in (("here", "there"), ("there", "here"))}
    gates = {name: threading.Event() for name in files}
    # Each asks for the other's page while it builds.
    for name, event in gates.items():
        index.fail(path=f"/simple/{name}/", stall_after=0, gate=event)
    with Herd(tmp_path, index, size=0, store=tmp_path / "store", SAFE_INSTALL_LOCK_TIMEOUT="3600") as herd:
        for name, file in files.items():
            herd.add("sync", write_lock(tmp_path / f"pylock.{name}.toml", index, file))
        herd.release()
        wait_until(lambda: index.count("/simple/*") == 2, patience=PATIENCE)
        for event in gates.values():
            event.set()
        results = [member.result() for member in herd.members]
        assert {result.error for result in results} == {"build-cycle"}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("size", SIZES)
def test_one_compiles_and_all_others_link_it(tmp_path: Path, index: StockedIndex, size: int) -> None:
    """All wait for somebody who compiles it, and gives up."""
    file = index.wheel("demo")
    lock = write_lock(tmp_path / "pylock.toml", index, file)
    key = bytecode_key(Digest(file.sha256), this_interpreter())
    ours = Flights(Layout(tmp_path / "store"), timeout=60.0, job=None, sink=ignore, check=lambda: None)
    with Herd(tmp_path / "cold", index, size=1, store=tmp_path / "store") as first:
        first.start("sync", lock)
        first.wait()
    with Herd(tmp_path / "herd", index, size=size, store=tmp_path / "store") as herd:
        with ours.claim("bytecode", key, what="a test") as held:
            assert held
            herd.start("sync", lock, SAFE_INSTALL_COMPILE_BYTECODE="yes", SAFE_INSTALL_LINK_MODE="hardlink")
            herd.wait_for_waiters(f"the bytecode of {file.filename}", size)
        results = herd.wait()
        assert sum(result.counts["waited_for"] for result in results) == size - 1
        assert {result.counts["locks_passed_by"] for result in results} == {0}
        compiled = [next(member.command.venv.rglob("demo/__pycache__/*.pyc")) for member in herd.members]
        assert all(each.samefile(compiled[0]) for each in compiled)
    assert damage_of(tmp_path / "store") == []
