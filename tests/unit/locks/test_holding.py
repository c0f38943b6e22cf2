"""One holder at a time; who waits is told for whom; who dies holds nothing."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest
from helpers.faults import failing

from safe_install.errors import ExitCode, LockTimeoutError, StoreError
from safe_install.events import Event, Waiting, ignore
from safe_install.locks import hold, read_owner
from safe_install.locks.holding import Patience

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOLDER = """
import pathlib, sys
from safe_install.locks import hold
with hold(pathlib.Path(sys.argv[1]), timeout=60, what="a test", sink=lambda event: None, job="https://ci.test/7"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "some.lock"


@pytest.fixture
def holder(lock: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock until its standard input is closed."""
    command = [sys.executable, "-c", HOLDER, str(lock)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_free_lock_is_had_at_once_and_nobody_is_told(lock: Path) -> None:
    events: list[Event] = []
    with hold(lock, timeout=0, what="a test", sink=events.append):
        pass
    with hold(lock, timeout=0, what="a test", sink=events.append):
        pass
    assert events == []


@pytest.mark.skipif(os.name == "nt", reason="there is no flock")
@pytest.mark.parametrize("times", [1, None])
def test_unlocking_that_fails_fails_nobody(lock: Path, monkeypatch: pytest.MonkeyPatch, times: int | None) -> None:
    """Servers lose locks (ENOLCK). The work is done, and the lock ends with the process at the latest."""
    import fcntl

    monkeypatch.setattr("safe_install.locks.holding._TRY_BUDGET", 0.05)
    events: list[Event] = []
    real = fcntl.flock
    failed: list[int] = []

    def flock(descriptor: int, operation: int) -> None:
        if operation == fcntl.LOCK_UN and (times is None or len(failed) < times):
            failed.append(descriptor)
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    with hold(lock, timeout=0, what="a test", sink=events.append):
        pass
    assert failed
    assert any("unlock" in str(event) for event in events)
    if times is not None:
        with hold(lock, timeout=0, what="a test", sink=ignore):
            pass


def test_the_note_tells_who_holds_it(lock: Path) -> None:
    with hold(lock, timeout=0, what="a test", sink=lambda event: None, job="https://ci.test/7"):
        note = json.loads(lock.with_name("some.lock.owner").read_text())
        assert note["pid"] == os.getpid()
        assert f"pid {os.getpid()} on {note['host']} since" in read_owner(lock)
        assert read_owner(lock).endswith("job https://ci.test/7")


def test_a_lock_that_is_held_is_waited_for_and_the_holder_named(lock: Path, holder: subprocess.Popen[str]) -> None:
    events: list[Event] = []

    def on_event(event: Event) -> None:
        events.append(event)
        assert holder.stdin is not None
        holder.stdin.close()

    with hold(lock, timeout=60, what="the environment", sink=on_event):
        pass
    (event,) = events
    assert isinstance(event, Waiting)
    assert event.lock == "the environment"
    assert f"pid {holder.pid} on" in event.holder
    assert "job https://ci.test/7" in event.holder


def test_the_wait_ends_with_an_error_that_names_lock_holder_and_option(
    lock: Path, holder: subprocess.Popen[str]
) -> None:
    with pytest.raises(LockTimeoutError) as caught, hold(lock, timeout=0.2, what="a test", sink=lambda event: None):
        pytest.fail("two hold one lock")
    error = caught.value
    assert (error.code, error.exit_code) == ("lock-timeout", ExitCode.LOCK)
    assert error.message == f"waited 0.2 s for the lock of a test at {lock}"
    assert f"held by pid {holder.pid}" in error.context[0]
    assert error.hint is not None
    assert "--lock-timeout" in error.hint


def test_a_killed_holder_holds_nothing(lock: Path, holder: subprocess.Popen[str]) -> None:
    holder.kill()
    holder.wait()
    with hold(lock, timeout=30, what="a test", sink=lambda event: None):
        pass


def test_the_lock_file_stays(lock: Path) -> None:
    """Removing it would let a waiter lock a file that nobody else can find any more."""
    with hold(lock, timeout=0, what="a test", sink=lambda event: None):
        held = os.stat(lock)
    if os.name != "nt":
        assert os.stat(lock).st_ino == held.st_ino


def test_it_is_released_after_an_error(lock: Path) -> None:
    with pytest.raises(ValueError, match="why"), hold(lock, timeout=0, what="a test", sink=lambda event: None):
        raise ValueError("why")
    with hold(lock, timeout=0, what="a test", sink=lambda event: None):
        pass


def test_the_note_goes_with_the_lock(lock: Path) -> None:
    with hold(lock, timeout=0, what="a test", sink=lambda event: None):
        assert lock.with_name("some.lock.owner").exists()
    assert not lock.with_name("some.lock.owner").exists()


def test_a_note_of_a_dead_process_says_so(lock: Path, holder: subprocess.Popen[str]) -> None:
    holder.kill()
    holder.wait()
    assert "(which has ended)" in read_owner(lock)


def test_who_shows_signs_of_life_is_waited_for_longer_than_the_timeout(lock: Path) -> None:
    """The holder's note changes by itself several times within the time-out that both have."""
    released = threading.Event()

    def occupy() -> None:
        with hold(lock, timeout=0.4, what="a test", sink=lambda event: None):
            held.set()
            time.sleep(2.0)
            released.set()

    held = threading.Event()
    holder = threading.Thread(target=occupy)
    holder.start()
    assert held.wait(30)
    with hold(lock, timeout=0.4, what="a test", sink=lambda event: None, poll=0.01):
        assert released.is_set()
    holder.join()


def test_patience_counts_from_the_last_change_by_the_own_clock(lock: Path) -> None:
    """The times in the note are of another clock, and may be an hour wrong."""
    now = [1000.0]
    note = lock.with_name("some.lock.owner")
    patience = Patience(lock, timeout=10, clock=lambda: now[0])
    for since in (0, 1e12, -5):
        now[0] += 9
        note.write_text(json.dumps({"since": since}))
        assert not patience.is_over()
    now[0] += 9
    assert not patience.is_over()
    now[0] += 1
    assert patience.is_over()


def test_two_threads_exclude_one_another(lock: Path) -> None:
    count, rounds = [0], 25

    def work() -> None:
        for _ in range(rounds):
            with hold(lock, timeout=60, what="a test", sink=lambda event: None, poll=0.001):
                seen = count[0]
                threading.Event().wait(0.0005)
                count[0] = seen + 1

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count == [3 * rounds]


@pytest.mark.parametrize("text", ["", "not json", "[]", "{}", '{"pid": 1}'])
def test_a_useless_note_names_nobody(lock: Path, text: str) -> None:
    lock.with_name("some.lock.owner").write_text(text)
    assert read_owner(lock) == "an unknown process"


def test_a_note_that_cannot_be_written_is_no_obstacle(lock: Path) -> None:
    with (
        failing("replace", ".owner", errno.ENOSPC) as fault,
        hold(lock, timeout=0, what="a test", sink=lambda event: None),
    ):
        assert fault.happened


def test_a_lock_file_that_cannot_be_made_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    place = tmp_path / "file" / "some.lock"
    with pytest.raises(StoreError) as caught, hold(place, timeout=0, what="a test", sink=lambda event: None):
        pass
    assert str(place) in caught.value.message


def test_the_folder_of_the_lock_is_made(tmp_path: Path) -> None:
    with hold(tmp_path / "new" / "some.lock", timeout=0, what="a test", sink=lambda event: None):
        assert (tmp_path / "new" / "some.lock").exists()
