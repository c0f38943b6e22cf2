"""Which kind of lock is used where."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from safe_install.errors import ExitCode, LockTimeoutError
from safe_install.events import Event, SteppedDown
from safe_install.locks import hold, holding, kinds
from safe_install.locks.kinds import Choice, LockKind, LockKinds

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def own_memory(monkeypatch: pytest.MonkeyPatch) -> LockKinds:
    """What these tests find out about folders is forgotten again."""
    memory = LockKinds()
    monkeypatch.setattr(kinds, "KINDS", memory)
    monkeypatch.setattr(holding, "KINDS", memory)
    return memory


def mounted(monkeypatch: pytest.MonkeyPatch, options: str) -> None:
    """Let every folder be on NFS with these options."""
    monkeypatch.setattr(kinds, "is_network", lambda folder: True)
    monkeypatch.setattr(kinds, "mount_type", lambda folder: ("nfs4", options))


def test_a_local_folder_has_native_locks(tmp_path: Path) -> None:
    assert LockKinds().of(tmp_path) == Choice(LockKind.NATIVE, "")


@pytest.mark.skipif(sys.platform == "win32", reason="shares lock natively there")
@pytest.mark.parametrize("options", ["rw,nolock", "rw,local_lock=flock,addr=1", "rw,local_lock=all"])
def test_where_the_mount_keeps_locks_on_this_host_they_are_claims(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: str
) -> None:
    mounted(monkeypatch, options)
    assert LockKinds().of(tmp_path).kind is LockKind.CLAIM


@pytest.mark.skipif(sys.platform == "win32", reason="shares lock natively there")
def test_on_nfs_native_locks_are_tried_and_leave_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounted(monkeypatch, "rw,vers=4.2,local_lock=none")
    assert LockKinds().of(tmp_path).kind is LockKind.NATIVE
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="shares lock natively there")
@pytest.mark.parametrize(
    ("trial", "reason"),
    [("raise OSError(37, 'No locks available')", "No locks available"), ("import time; time.sleep(600)", "took more")],
)
def test_a_trial_that_fails_or_hangs_leads_to_claims(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trial: str, reason: str
) -> None:
    mounted(monkeypatch, "rw")
    monkeypatch.setattr(kinds, "_TRIAL", trial)
    monkeypatch.setattr(kinds, "_TRIAL_SECONDS", 1.0 if "sleep" in trial else 60.0)
    found = LockKinds().of(tmp_path)
    assert found.kind is LockKind.CLAIM
    assert reason in found.reason


@pytest.mark.skipif(sys.platform == "win32", reason="flock is a call of Unix")
@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS, 524])
def test_native_locks_that_do_not_work_give_way_to_claims_and_that_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    import fcntl

    def flock(descriptor: int, operation: int) -> None:
        raise OSError(code, "no locks")

    monkeypatch.setattr(fcntl, "flock", flock)
    events: list[Event] = []
    for _ in range(2):
        with (
            hold(tmp_path / "a.lock", timeout=0, what="a test", sink=events.append),
            pytest.raises(LockTimeoutError, match="waited"),
            hold(tmp_path / "a.lock", timeout=0, what="a test", sink=lambda event: None),
        ):
            pytest.fail("two hold one lock")
    (told,) = (event for event in events if isinstance(event, SteppedDown))
    assert told.kind == "lock-kind"


@pytest.mark.skipif(sys.platform == "win32", reason="flock is a call of Unix")
def test_without_any_lock_that_is_an_error_for_who_needs_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    def unsupported(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    monkeypatch.setattr(os, "link", unsupported)
    with (
        pytest.raises(LockTimeoutError) as caught,
        hold(tmp_path / "a.lock", timeout=60, what="the environment", sink=lambda event: None),
    ):
        pytest.fail("it is held without a lock")
    assert (caught.value.code, caught.value.exit_code) == ("lock-unavailable", ExitCode.LOCK)
    assert "the environment" in caught.value.context[0]


@pytest.mark.skipif(sys.platform == "win32", reason="needs hard links to open files")
def test_the_claim_of_a_dead_process_of_this_machine_is_taken_away(
    tmp_path: Path, own_memory: LockKinds, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else ever frees it."""
    own_memory.demote(tmp_path, LockKind.NATIVE, "a test", lambda event: None)
    script = f"""
import os, pathlib
from safe_install.locks.holding import Lock
from safe_install.locks import kinds
path = pathlib.Path({str(tmp_path)!r})
kinds.KINDS.demote(path, kinds.LockKind.NATIVE, "", lambda event: None)
lock = Lock(path / "a.lock", timeout=60, what="", sink=lambda event: None)
assert lock.attempt()
with lock.held():
    os._exit(0)
"""
    subprocess.run([sys.executable, "-c", script], check=True)
    with hold(tmp_path / "a.lock", timeout=0, what="a test", sink=lambda event: None):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="needs hard links to open files")
def test_the_claim_of_a_process_that_lives_stays(tmp_path: Path, own_memory: LockKinds) -> None:
    own_memory.demote(tmp_path, LockKind.NATIVE, "a test", lambda event: None)
    with (
        hold(tmp_path / "a.lock", timeout=0, what="a test", sink=lambda event: None),
        pytest.raises(LockTimeoutError),
        hold(tmp_path / "a.lock", timeout=0, what="a test", sink=lambda event: None),
    ):
        pytest.fail("two hold one lock")
