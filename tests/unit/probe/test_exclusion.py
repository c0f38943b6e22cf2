"""Probes with a second process: they tell what works from what does not."""

from __future__ import annotations

import errno
import os
import time
from typing import TYPE_CHECKING

import pytest
from helpers.capabilities import unix_only
from helpers.faults import failing

from safe_install.probe import exclusion, steps
from safe_install.probe.child import command
from safe_install.probe.facts import Role

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = unix_only
fcntl = pytest.importorskip("fcntl")


@pytest.fixture
def trial(tmp_path: Path) -> steps.Trial:
    trial = steps.Trial(str(tmp_path), [Role.STORE])
    trial.where = steps.where(trial)
    os.mkdir(trial.choose_folder(), 0o700)
    return trial


@pytest.fixture
def partner() -> Iterator[exclusion.Partner]:
    partner = exclusion.Partner(command())
    partner.tell(do="serve")
    yield partner
    partner.close()


@pytest.fixture(autouse=True)
def _temporary_folder_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trying locks sets where temporary files go, in a process that does nothing else."""
    monkeypatch.setattr("tempfile.tempdir", None)


def test_here_everything_excludes(trial: steps.Trial, partner: exclusion.Partner) -> None:
    assert exclusion.exclusion(trial, partner).wrong == 0
    assert exclusion.claim_lock(trial, partner).problem == ""
    assert exclusion.native_lock(trial, partner).problem == ""


def test_files_that_two_processes_made_are_counted(
    trial: steps.Trial, partner: exclusion.Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = exclusion._race

    def race_as_the_second(folder: str) -> list[int]:
        while len(os.listdir(folder)) < exclusion._NAMES:
            time.sleep(0.001)
        return real(folder)

    monkeypatch.setattr(exclusion, "_race", race_as_the_second)
    monkeypatch.setattr(exclusion, "CREATE", os.O_WRONLY | os.O_CREAT)
    assert exclusion.exclusion(trial, partner).wrong == exclusion._NAMES


def test_a_lock_that_two_processes_hold_is_none(
    trial: steps.Trial, partner: exclusion.Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fcntl, "flock", lambda *arguments: None)
    assert exclusion.native_lock(trial, partner).problem == "two processes hold it at once"


def test_a_lock_that_fails_says_why(
    trial: steps.Trial, partner: exclusion.Partner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    assert exclusion.native_lock(trial, partner).problem == os.strerror(errno.ENOLCK)


def test_where_nothing_can_be_linked_there_are_no_claims(trial: steps.Trial, partner: exclusion.Partner) -> None:
    with failing("link", trial.private, errno.EPERM, times=None) as fault:
        problem = exclusion.claim_lock(trial, partner).problem
    assert fault.happened
    assert problem


def test_a_second_process_that_ends_is_told(trial: steps.Trial) -> None:
    partner = exclusion.Partner(["true"])
    try:
        with pytest.raises(OSError, match=r"ended too early|Broken pipe"):
            exclusion.exclusion(trial, partner)
    finally:
        partner.close()
