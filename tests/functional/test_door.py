"""``ci-install door``: what holds at every door. The adapters have their own tests in ``tests/doors``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from helpers.capabilities import unix_only

if TYPE_CHECKING:
    from helpers.command import Command
    from helpers.stocked_index import StockedIndex

DONE = json.dumps(
    {"schema": 1, "outcome": "done", "exit_code": 0, "layout": {"venv": "/stale", "python": "/stale/bin/python"}}
)


@pytest.fixture
def outputs(command: Command) -> None:
    """Files of a runner, as variables of all calls."""
    for name in ("OUTPUT", "ENV", "PATH", "STEP_SUMMARY"):
        path = command.home / name
        path.write_text("")
        command.variables[f"GITHUB_{name}"] = str(path)
    # Outside of what a call leaves empty.
    (command.home / "project").mkdir()
    command.variables |= {
        "CI_PROJECT_DIR": str(command.home / "project"),
        "SAFE_INSTALL_INPUT_REPORT": str(command.home / "given.json"),
    }


def lock(command: Command, index: StockedIndex) -> None:
    command.write("requirements.txt", f"alpha==1.0 --hash=sha256:{index.wheel('alpha').sha256}\n")


@pytest.mark.usefixtures("outputs")
def test_report_of_an_earlier_call_is_not_that_of_refused_inputs(command: Command) -> None:
    path = command.write("r.json", DONE)
    command.write("requirements.txt", "")
    command("door", "github", code=2, SAFE_INSTALL_INPUT_REPORT="r.json", SAFE_INSTALL_INPUT_OFFLINE="perhaps")
    assert json.loads(path.read_text())["error"]["code"] == "input-invalid"
    assert "stale" not in (command.home / "OUTPUT").read_text() + (command.home / "ENV").read_text()
    assert "\nfailed\n" in (command.home / "OUTPUT").read_text()


@pytest.mark.usefixtures("outputs")
def test_report_that_cannot_be_written_is_told(command: Command, index: StockedIndex) -> None:
    lock(command, index)
    (command.folder / "folder").mkdir()
    result = command("door", "github", code=7, SAFE_INSTALL_INPUT_REPORT="folder")
    assert "error[report-unwritable]" in result.stderr
    assert not command.venv.exists()


@pytest.mark.parametrize("platform", ["github", "gitlab", "jenkins"])
@pytest.mark.usefixtures("outputs")
def test_letters_that_a_pipe_does_not_know_fail_nothing(command: Command, index: StockedIndex, platform: str) -> None:
    lock(command, index)
    (command.folder / "requirements.txt").rename(command.folder / "größer 中文.txt")
    command("door", platform, SAFE_INSTALL_INPUT_FILES="größer 中文.txt", PYTHONIOENCODING="cp1252", PYTHONUTF8=None)
    assert command.installed() == {"alpha": "1.0"}


@pytest.mark.usefixtures("outputs")
def test_credentials_of_a_file_are_not_in_the_title(command: Command) -> None:
    result = command("door", "gitlab", code=None, SAFE_INSTALL_INPUT_FILES="http://me:hunter2@127.0.0.1:9/r.txt")
    assert "hunter2" not in result.text
    assert "section_start" in result.stdout


@unix_only
@pytest.mark.usefixtures("outputs")
def test_files_of_the_runner_that_are_gone_are_told(command: Command, index: StockedIndex) -> None:
    lock(command, index)
    (command.home / "OUTPUT").unlink()
    assert "error[platform-untold]" in command("door", "github", code=7).stderr


def test_report_behind_the_dashes_is_not_ours(command: Command) -> None:
    path = command.write("mine.json", "mine")
    command("wrap", "--bogus", "--", "pytest", f"--report={path}", code=125)
    assert path.read_text() == "mine"
