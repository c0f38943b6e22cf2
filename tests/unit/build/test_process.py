"""No program of a build outlives it."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from helpers.processes import is_running, wait_until, wait_until_gone

from safe_install import interruption
from safe_install.build.process import CancelledError, ProcessRunner, TimeUsedUpError
from safe_install.interruption import interrupt

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

# Writes its own number and those of two children, one of them in a session of its own.
FAMILY = """
import os, pathlib, subprocess, sys, time
sleeper = [sys.executable, "-c", "import time; time.sleep(600)"]
children = [subprocess.Popen(sleeper), subprocess.Popen(sleeper, start_new_session=True)]
note = pathlib.Path("note.part")
note.write_text(" ".join(str(number) for number in [os.getpid(), *(child.pid for child in children)]))
note.rename("note")
time.sleep(float(sys.argv[1]))
"""


def run(runner: ProcessRunner, folder: Path, script: str, *arguments: str, time_limit: float = 60.0) -> int:
    with (folder / "output").open("ab") as output:
        return runner.run(
            [sys.executable, "-c", script, *arguments],
            folder=str(folder),
            variables={"SYSTEMROOT": os.environ.get("SYSTEMROOT", "")},
            output=output,
            time_limit=time_limit,
        )


def family(folder: Path) -> list[int]:
    return [int(number) for number in (folder / "note").read_text().split()]


def test_exit_code_and_both_streams_arrive(tmp_path: Path) -> None:
    script = "import sys; print('out', flush=True); print('err', file=sys.stderr); sys.exit(7)"
    assert run(ProcessRunner(), tmp_path, script) == 7
    assert (tmp_path / "output").read_text().split() == ["out", "err"]


def test_it_sees_only_the_variables_it_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEAKED", "yes")
    script = "import os, sys; sys.exit('LEAKED' in os.environ or sys.stdin.read() != '')"
    assert run(ProcessRunner(), tmp_path, script) == 0


@pytest.mark.skipif(os.name == "nt", reason="there is no umask there")
def test_files_are_made_with_the_usual_modes_whatever_the_callers_mask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        assert run(ProcessRunner(), tmp_path, "open('made', 'w').close()") == 0
    finally:
        os.umask(before)
    assert (tmp_path / "made").stat().st_mode & 0o777 == 0o644


def test_a_program_that_takes_too_long_is_killed_with_all_it_started(tmp_path: Path) -> None:
    runner = ProcessRunner()
    result: list[BaseException] = []

    def work() -> None:
        try:
            run(runner, tmp_path, FAMILY, "600", time_limit=1.0 if os.name != "nt" else 3.0)
        except TimeUsedUpError as error:
            result.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    wait_until((tmp_path / "note").exists)
    thread.join()
    assert len(result) == 1
    wait_until_gone(family(tmp_path))


def test_no_time_left_means_that_it_is_not_started(tmp_path: Path) -> None:
    with pytest.raises(TimeUsedUpError):
        run(ProcessRunner(), tmp_path, "open('made', 'w')", time_limit=0.0)
    assert not (tmp_path / "made").exists()


@pytest.mark.skipif(os.name == "nt", reason="a parent that has ended leaves no trace of its children there")
def test_what_a_program_left_running_in_its_group_ends_with_it(tmp_path: Path) -> None:
    assert run(ProcessRunner(), tmp_path, FAMILY, "0") == 0
    _, child, stray = family(tmp_path)
    wait_until_gone([child])
    if is_running(stray):
        os.kill(stray, 9)


def test_another_thread_can_end_everything(tmp_path: Path) -> None:
    runner = ProcessRunner()
    outcomes: list[str] = []

    def work() -> None:
        try:
            run(runner, tmp_path, FAMILY, "600")
        except CancelledError:
            outcomes.append("cancelled")

    thread = threading.Thread(target=work)
    thread.start()
    wait_until((tmp_path / "note").exists)
    runner.cancel()
    thread.join(30)
    assert outcomes == ["cancelled"]
    wait_until_gone(family(tmp_path))
    with pytest.raises(CancelledError):
        run(runner, tmp_path, "pass")


class InterruptedLock:
    """The lock within a `Popen`. :param positions: an interrupt comes just after it is taken for these times."""

    def __init__(self, positions: list[int]) -> None:
        self._lock = threading.Lock()
        self._positions = positions

    def acquire(self, blocking: bool = True) -> bool:
        taken = self._lock.acquire(blocking)
        if taken and threading.current_thread() is threading.main_thread():
            self._positions[:] = [position - 1 for position in self._positions]
            if 0 in self._positions:
                interrupt(signal.SIGINT, sys._getframe())
        return taken

    def release(self) -> None:
        self._lock.release()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


@pytest.mark.skipif(os.name == "nt", reason="there is no such lock there")
@pytest.mark.parametrize("position", [1, 2, 3, 4])
def test_an_interrupt_ends_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, position: int) -> None:
    """Also at the worst of moments: its lock is taken, and the code that gives it back is not reached."""
    positions = [position]
    monkeypatch.setattr(interruption, "_raised_at", -interruption._DEAF_SECONDS)
    runner = ProcessRunner()
    real = runner._start

    def start(started: list[subprocess.Popen[bytes]], *arguments: Any) -> None:
        real(started, *arguments)
        wait_until((tmp_path / "note").exists)
        monkeypatch.setattr(started[0], "_waitpid_lock", InterruptedLock(positions))

    monkeypatch.setattr(runner, "_start", start)
    with pytest.raises(KeyboardInterrupt):
        run(runner, tmp_path, FAMILY, "600")
    assert positions[0] <= 0
    wait_until_gone(family(tmp_path))


def test_a_program_that_does_not_exist_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), (tmp_path / "output").open("wb") as output:
        ProcessRunner().run(
            [str(tmp_path / "missing")], folder=str(tmp_path), variables={}, output=output, time_limit=1
        )
