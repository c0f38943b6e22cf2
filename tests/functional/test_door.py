"""``ci-install door``: what holds at every door. The adapters have their own tests in ``tests/doors``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from helpers.capabilities import unix_only
from helpers.stocked_index import pins

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


@pytest.fixture
def keeps(command: Command, outputs: None) -> None:
    """What an adapter says where a platform keeps one file from job to job."""
    command.variables |= {"SAFE_INSTALL_CACHE_FILE": "kept.tar", "SAFE_INSTALL_CACHE_SAVES": "true"}


@pytest.mark.usefixtures("keeps")
def test_store_is_kept_in_one_file_from_job_to_job(command: Command, index: StockedIndex) -> None:
    lock(command, index)
    command("door", "jenkins", SAFE_INSTALL_INPUT_CACHE_DIR="first")
    kept = command.folder / "kept.tar"
    before = kept.read_bytes()
    result = command("door", "jenkins", SAFE_INSTALL_INPUT_CACHE_DIR="second", SAFE_INSTALL_INPUT_VENV="e")
    assert "imported 1 wheel" in result.stdout
    assert index.files_read() == 1
    assert kept.read_bytes() == before, "there was nothing new"


@pytest.mark.usefixtures("keeps")
def test_file_is_written_anew_when_something_is_new(command: Command, index: StockedIndex) -> None:
    lock(command, index)
    command("door", "jenkins", SAFE_INSTALL_INPUT_CACHE_DIR="first")
    command.write("requirements.txt", pins(index.wheel("beta")))
    command("door", "jenkins", SAFE_INSTALL_INPUT_CACHE_DIR="first")
    result = command("cache", "import", "kept.tar", "--cache-dir", "second")
    assert "imported 1 wheel" in result.stdout
    assert "beta" in command("cache", "ls", "--cache-dir", "second").stdout


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"TRUST": "untrusted"}, "not trusted"),
        ({"SCOPE": "job"}, "temporary store"),
        ({"REQUIRE_HASHES": "perhaps"}, "input-invalid"),
    ],
)
@pytest.mark.usefixtures("keeps")
def test_nothing_is_kept_of_other_jobs(
    command: Command, index: StockedIndex, inputs: dict[str, str], said: str
) -> None:
    lock(command, index)
    command.variables |= {f"SAFE_INSTALL_INPUT_{name}": value for name, value in inputs.items()}
    command.variables.pop("SAFE_INSTALL_CACHE_DIR", None)
    result = command("door", "jenkins", code=None)
    assert said in result.stderr
    assert not (command.folder / "kept.tar").exists()


@pytest.mark.usefixtures("keeps")
def test_failing_job_saves_nothing(command: Command, index: StockedIndex) -> None:
    index.wheel("alpha")
    command.write("requirements.txt", f"alpha==1.0 --hash=sha256:{'0' * 64}\n")
    command("door", "jenkins", code=4, SAFE_INSTALL_INPUT_CACHE_DIR="first")
    assert not (command.folder / "kept.tar").exists()


@pytest.mark.usefixtures("keeps")
def test_file_that_is_no_archive_fails_nothing(command: Command, index: StockedIndex) -> None:
    lock(command, index)
    command.write("kept.tar", "what is this?")
    result = command("door", "jenkins", SAFE_INSTALL_INPUT_CACHE_DIR="first")
    assert "cannot be used" in result.stderr
    assert command.installed() == {"alpha": "1.0"}
