"""The steps ``safeInstall`` and ``withSafeInstall`` of the Jenkins library, on Groovy 2.4."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from helpers.act import ROOT
from helpers.bad_input import (
    CANCELS,
    HOSTILE,
    cancel_while_fetching,
    fill,
    path_with_new_python_last,
    path_without_python,
    stalled,
)
from helpers.capabilities import linux_only
from helpers.groovy import Pipeline, run_pipeline, start_pipeline
from helpers.stocked_index import StockedIndex, pins

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable
    from pathlib import Path

    from helpers.index import Offered

pytestmark = [linux_only, pytest.mark.index]
Run = "Callable[[str], Pipeline]"


@pytest.fixture
def job(tmp_path: Path, variables: dict[str, str]) -> dict[str, str]:
    """What Jenkins hands to a job."""
    workspace = tmp_path / "work space"
    return {
        **variables,
        "BUILD_TAG": "jenkins-job-7",
        "JENKINS_URL": "https://jenkins.example.org/",
        "WORKSPACE": str(workspace),
        "WORKSPACE_TMP": f"{workspace}@tmp",
        "EXECUTOR_NUMBER": "1",
        "SET": "replaced",
    }


@pytest.fixture
def run(tmp_path: Path, job: dict[str, str]) -> Callable[[str], Pipeline]:
    """Runs a script in a workspace, as a job of Jenkins."""
    return lambda script: run_pipeline(script, library=ROOT / "jenkins", folder=tmp_path, variables=job)


def lock(tmp_path: Path, *files: Offered) -> None:
    workspace = tmp_path / "work space"
    workspace.mkdir(exist_ok=True)
    (workspace / "requirements.txt").write_text(pins(*files))


def test_report_is_returned_as_a_map(run: Callable[[str], Pipeline], tmp_path: Path, index: StockedIndex) -> None:
    lock(tmp_path, index.wheel("alpha"))
    done = run("return safeInstall(files: 'requirements.txt', scope: 'runner', linkMode: 'copy')")
    assert done.error is None
    assert done.groovy.startswith("2.4.")
    report = done.value
    assert (report["outcome"], report["outputs"]["linkMode"]) == ("done", "copy")
    assert report["layout"]["platform"] == "jenkins"
    assert report["outputs"]["venv"] == str(tmp_path / "work space" / ".venv")
    assert [path.name for path in (tmp_path / "work space@tmp").glob("*.py")] == []


def test_block_runs_in_the_environment(run: Callable[[str], Pipeline], tmp_path: Path, index: StockedIndex) -> None:
    lock(tmp_path, index.wheel("alpha"))
    done = run(
        "withSafeInstall(files: 'requirements.txt') {\n"
        "  sh 'python -c \"import alpha, sys; print(alpha.__version__, sys.prefix)\"; echo $VIRTUAL_ENV'\n"
        "}\nreturn 'after'"
    )
    venv = tmp_path / "work space" / ".venv"
    assert f"1.0 {venv}\n" in done.said
    assert done.value == "after"


def test_eight_parallel_branches_on_one_node(
    run: Callable[[str], Pipeline], tmp_path: Path, index: StockedIndex
) -> None:
    lock(tmp_path, index.wheel("alpha"), index.sdist("delta"))
    done = run(
        "Map branches = [:]\n"
        "for (number in 1..8) {\n"
        '  String venv = "venv-${number}"\n'
        "  branches[venv] = { withSafeInstall(files: 'requirements.txt', venv: venv) {\n"
        "    sh 'python -c \"import alpha, delta; print(\\'imported\\')\"' } }\n"
        "}\nparallel(branches)\nreturn 'after'"
    )
    assert [each for each in done.log if "failed" in each] == []
    assert done.said.count("imported\n") == 8
    assert index.files_read() == 2


def test_unknown_input_is_refused_by_name(run: Callable[[str], Pipeline]) -> None:
    done = run("safeInstall(fils: 'requirements.txt')")
    assert done.error is not None
    assert "no input 'fils'" in done.error
    assert "linkMode" in done.error


@pytest.mark.parametrize(("end", "expected"), [("error", "error"), ("unstable", "unstable"), ("ignore", "echo")])
def test_failure_ends_as_was_asked_for(run: Callable[[str], Pipeline], end: str, expected: str) -> None:
    done = run(
        f"Map report = safeInstall(command: 'install', args: 'absent', onFailure: '{end}')\nreturn report.error.code"
    )
    told = [each[expected] for each in done.log if expected in each] or [str(done.error)]
    assert "no-such-project" in told[0]
    if end != "error":
        assert done.error is None
        assert isinstance(done.value, str)


VALUES = {**HOSTILE, "a variable of the job": "$SET ${SET} $$"}


@pytest.mark.parametrize("name", VALUES)
def test_any_value_is_data_or_refused_by_name(
    run: Callable[[str], Pipeline], tmp_path: Path, index: StockedIndex, name: str
) -> None:
    place = tmp_path / "touched"
    value = VALUES[name].replace("{place}", str(place))
    lock(tmp_path, index.wheel("alpha"))
    (tmp_path / "value").write_text(value, encoding="utf-8")
    done = run(
        f"String value = new File('{tmp_path / 'value'}').getText('UTF-8')\n"
        "return [safeInstall(args: value, onFailure: 'ignore'), safeInstall(venv: value, onFailure: 'ignore')]"
    )
    assert done.error is None
    assert not place.exists()
    of_args, of_venv = done.value
    assert of_args["outcome"] == "failed"
    assert of_args["error"]["code"] in {"input-invalid", "usage", "file-not-found", "file-unreadable"}, of_args["error"]
    if name == "lines":
        assert "the input venv" in of_venv["error"]["message"]
    elif of_venv["outcome"] == "done":
        assert of_venv["outputs"]["venv"] == str(tmp_path / "work space" / value)


def test_missing_lock_is_told(run: Callable[[str], Pipeline]) -> None:
    assert "no-lock" in str(run("safeInstall()").error)


@pytest.mark.parametrize("old", [False, True])
def test_agent_without_new_python_says_what_to_add(run: Callable[[str], Pipeline], tmp_path: Path, old: bool) -> None:
    folder = path_without_python(tmp_path / "path", old=old)
    done = run(f"withEnv(['PATH={folder}']) {{ safeInstall() }}")
    assert "no Python 3.11 or newer on PATH" in done.said
    assert "hint: install one" in done.said
    assert done.error is not None


def test_python_that_is_too_old_is_passed_over(
    run: Callable[[str], Pipeline], tmp_path: Path, index: StockedIndex
) -> None:
    lock(tmp_path, index.wheel("alpha"))
    folder = path_with_new_python_last(tmp_path / "path")
    done = run(f"return withEnv(['PATH={folder}']) {{ safeInstall() }}")
    assert done.error is None, done.said
    assert done.value["outcome"] == "done"


def test_branches_with_the_same_environment_leave_it_right(
    run: Callable[[str], Pipeline], tmp_path: Path, index: StockedIndex
) -> None:
    lock(tmp_path, index.wheel("alpha"))
    venv = tmp_path / "one venv"
    done = run(
        "Map branches = [:]\n"
        "for (number in 1..6) {\n"
        f"  branches[number.toString()] = {{ withSafeInstall(venv: '{venv}') {{\n"
        "    sh 'python -c \"import alpha, sys; print(alpha.__version__, sys.prefix)\"' } }\n"
        "}\nparallel(branches)\nreturn 'after'"
    )
    assert [each for each in done.log if "failed" in each] == []
    assert done.said.count(f"1.0 {venv}\n") == 6


def test_agent_without_a_temporary_folder(
    run: Callable[[str], Pipeline], tmp_path: Path, index: StockedIndex, job: dict[str, str]
) -> None:
    lock(tmp_path, index.wheel("alpha"))
    del job["WORKSPACE_TMP"]
    assert run("return safeInstall()").value["outcome"] == "done"


def test_full_disk_is_told_and_spoils_nothing(
    run: Callable[[str], Pipeline], tmp_path: Path, index: StockedIndex, small_disk: Path
) -> None:
    lock(tmp_path, index.wheel("alpha"))
    large = pins(index.wheel("large", files={"large.bin": os.urandom(12_000_000)}))
    (tmp_path / "work space" / "large.txt").write_text(large)
    store = f"cacheDir: '{small_disk / 'store'}'"
    done = run(f"return [safeInstall(files: 'large.txt', onFailure: 'ignore', {store}), safeInstall({store})]")
    assert done.error is None, done.said
    full, next_one = done.value
    assert (full["error"]["code"], full["exit_code"]) == ("disk-full", 7)
    assert next_one["outcome"] == "done"


def test_report_that_its_disk_cannot_take_fails_the_build(
    run: Callable[[str], Pipeline], tmp_path: Path, index: StockedIndex, small_disk: Path
) -> None:
    lock(tmp_path, index.wheel("alpha"))
    fill(small_disk)
    done = run(f"withSafeInstall(report: '{small_disk / 'report.json'}') {{ sh 'echo RAN' }}")
    assert "no-report" in str(done.error)
    assert f"cannot write the report to {small_disk / 'report.json'}" in done.said
    assert "RAN" not in done.said


@pytest.mark.parametrize("number", CANCELS)
def test_cancelled_build_leaves_the_agent_fit_for_the_next(
    run: Callable[[str], Pipeline],
    job: dict[str, str],
    tmp_path: Path,
    index: StockedIndex,
    number: signal.Signals,
) -> None:
    lock(tmp_path, index.wheel("alpha"), index.sdist("delta"))
    with stalled(index):
        started = start_pipeline("safeInstall()", library=ROOT / "jenkins", folder=tmp_path, variables=job)
        cancel_while_fetching(started, index, number)
    assert run("return safeInstall()").value["outcome"] == "done"


def test_change_request_is_not_trusted(run: Callable[[str], Pipeline], tmp_path: Path, index: StockedIndex) -> None:
    lock(tmp_path, index.wheel("alpha"))
    done = run(
        "return withEnv(['CHANGE_ID=5', 'CHANGE_FORK=somebody']) { safeInstall(trust: 'trusted', scope: 'runner') }"
    )
    layout = done.value["layout"]
    assert (layout["trust"], layout["scope"]) == ("untrusted", "job")


def test_report_of_an_earlier_build_is_not_taken_for_this_one(
    run: Callable[[str], Pipeline], tmp_path: Path, index: StockedIndex
) -> None:
    lock(tmp_path, index.wheel("alpha"))
    done = run(
        "safeInstall(report: 'r.json')\n"
        "withSafeInstall(report: 'r.json', onFailure: 'unstable', source: '/nonexistent') { sh 'echo RAN' }\n"
    )
    assert "RAN" not in done.said
    assert "no-report" in next(each["unstable"] for each in done.log if "unstable" in each)


def test_command_that_reports_nothing_has_installed_nothing(run: Callable[[str], Pipeline], tmp_path: Path) -> None:
    folder = tmp_path / "other" / "bootstrap"
    folder.mkdir(parents=True)
    (folder / "ci_install.py").write_text("print('nothing to do')\n")
    done = run(f"withSafeInstall(source: '{tmp_path / 'other'}') {{ sh 'echo RAN' }}")
    assert done.error is not None
    assert "no-report" in done.error
    assert "RAN" not in done.said


def test_folder_with_a_dollar_is_that_folder_in_the_block(
    run: Callable[[str], Pipeline], tmp_path: Path, index: StockedIndex
) -> None:
    lock(tmp_path, index.wheel("alpha"))
    done = run("""withSafeInstall(venv: 'a$SET') { sh 'echo "in $VIRTUAL_ENV"; python -c "import alpha"' }\nreturn 1""")
    assert done.error is None
    assert f"in {tmp_path / 'work space' / 'a$SET'}\n" in done.said


def test_fetch_puts_nothing_on_the_path(run: Callable[[str], Pipeline], tmp_path: Path, index: StockedIndex) -> None:
    lock(tmp_path, index.wheel("alpha"))
    done = run("""withSafeInstall(command: 'fetch') { sh 'echo "in ${VIRTUAL_ENV-nothing}"' }""")
    assert "in nothing\n" in done.said
