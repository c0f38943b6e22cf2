"""``ci-install run``: a command in an environment of a lock, which is gone afterwards."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
from helpers.capabilities import unix_only
from helpers.processes import wait_until
from helpers.stocked_index import pins

if TYPE_CHECKING:
    from pathlib import Path

    from helpers.command import Command
    from helpers.stocked_index import StockedIndex

pytestmark = unix_only

WHERE = "import os, sys, alpha; print(sys.prefix == os.environ['VIRTUAL_ENV'], alpha.__file__, sys.prefix)"


@pytest.fixture(autouse=True)
def _stocked(command: Command, index: StockedIndex) -> None:
    offered = [
        index.wheel("alpha", entry_points="[console_scripts]\nsay-alpha = alpha:__name__.__str__\n"),
        index.wheel("beta"),
    ]
    (command.folder / "lock.txt").write_text(pins(*offered))


@pytest.mark.parametrize(("isolation", "mode"), [("standard", "linked"), ("shared", "attached")])
def test_it_runs_in_an_environment_that_is_gone_afterwards(command: Command, isolation: str, mode: str) -> None:
    result = command("run", "-r", "lock.txt", "--isolation", isolation, "--", "python", "-c", WHERE)
    same, module, prefix = result.stdout.split()
    assert same == "True"
    assert not os.path.lexists(prefix)
    assert module.startswith(prefix) == (mode == "linked")
    assert not command.venv.exists()
    assert list(command.scratch.iterdir()) == []


def test_its_commands_are_found_first_and_arguments_are_passed_as_they_are(command: Command) -> None:
    code = "import shutil, sys; print(shutil.which('say-alpha'), sys.argv[1:])"
    said = command("run", "-r", "lock.txt", "python", "-c", code, "--", "-r", "x").stdout
    assert "environment/bin/say-alpha ['--', '-r', 'x']" in said


@pytest.mark.parametrize("code", [0, 3, 124])
def test_the_exit_code_is_that_of_the_command(command: Command, code: int) -> None:
    result = command("run", "-r", "lock.txt", "--", "python", "-c", f"raise SystemExit({code})", code=code)
    assert result.report is not None
    assert result.report["run"]["exit_code"] == code
    assert {each["name"] for each in result.report["distributions"]} == {"alpha", "beta"}


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["-r", "lock.txt"], "usage"),
        (["--", "python"], "usage"),
        (["--bogus", "-r", "lock.txt", "--", "python"], "usage"),
        (["-r", "missing.txt", "--", "python"], "file-not-found"),
        (["-r", "lock.txt", "--", "no-such-program"], "command-unusable"),
        (["-r", "lock.txt", "--link-mode", "attach", "--", "python"], "attach-unshared"),
    ],
)
def test_what_was_not_run_has_a_code_of_its_own(command: Command, arguments: list[str], error: str) -> None:
    assert f"error[{error}]" in command("run", *arguments, code=125).stderr
    assert not command.scratch.exists() or list(command.scratch.iterdir()) == []


def test_a_job_that_is_cancelled_leaves_nothing(command: Command, tmp_path: Path) -> None:
    code = f"import pathlib, time; pathlib.Path({str(tmp_path / 'begun')!r}).touch(); time.sleep(600)"
    process = command.start("run", "-r", "lock.txt", "--", "python", "-c", code)
    wait_until((tmp_path / "begun").exists, patience=60)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert list(command.scratch.iterdir()) == []
