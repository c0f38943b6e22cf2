"""``uses: org/safe-install@v1``, in workflows that act runs."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from helpers.act import Act
from helpers.bad_input import (
    CANCELS,
    HOSTILE,
    cancel_while_fetching,
    fill,
    path_with_new_python_last,
    path_without_python,
    stalled,
)
from helpers.cache_service import CacheService
from helpers.capabilities import linux_only
from helpers.stocked_index import StockedIndex, pins

if TYPE_CHECKING:
    import signal


pytestmark = [linux_only, pytest.mark.xdist_group("act"), pytest.mark.index]

CHECKOUT = "      - uses: actions/checkout@v5\n"
IMPORTS = '      - run: python -c "import alpha, sys; print(alpha.__version__, sys.prefix)"\n'


def workflow(steps: str, *, on: str = "push", job: str = "") -> str:
    return f"on: [{on}]\njobs:\n  one:\n    runs-on: ubuntu-latest\n{job}    steps:\n{CHECKOUT}{steps}"


def step(inputs: dict[str, str] | None = None, *, name: str = "si", more: str = "") -> str:
    """A step of the action with *inputs*, which JSON writes as YAML reads them."""
    given = f"        with: {json.dumps(inputs)}\n" if inputs else ""
    return f"      - uses: org/safe-install@v1\n        id: {name}\n{more}{given}"


def test_later_steps_import_what_was_installed(act: Act, index: StockedIndex) -> None:
    act.write({"requirements.txt": pins(index.wheel("alpha"), index.sdist("delta"))})
    run = act.run(workflow(step() + IMPORTS + '      - run: echo "it is ${{ steps.si.outputs.venv }}"\n'))
    assert run.jobs == {"test.yml/one": "success"}, run.text
    outputs = run.outputs("si")
    assert f"1.0 {outputs['venv']}\n" in run.said
    assert f"it is {outputs['venv']}\n" in run.said
    assert (outputs["outcome"], outputs["exit-code"], outputs["distributions"]) == ("done", "0", "2")
    assert (outputs["cache-hit"], outputs["link-mode"]) == ("false", json.loads(outputs["layout"])["link_mode"])
    assert json.loads(outputs["layout"])["trust"] == "trusted"
    assert int(outputs["fetched-bytes"]) > 0
    (summary,) = run.summaries
    assert "| alpha | 1.0 | installed |" in summary
    assert run.annotations("error") == []


def test_second_job_of_a_runner_fetches_nothing(act: Act, index: StockedIndex) -> None:
    act.write({"requirements.txt": pins(index.wheel("alpha"))})
    act.run(workflow(step()))
    again = act.run(workflow(step() + IMPORTS))
    outputs = again.outputs("si")
    assert (again.jobs, outputs["cache-hit"], outputs["fetched-bytes"]) == ({"test.yml/one": "success"}, "true", "0")


def test_matrix_of_six_jobs_on_one_host_fetches_and_builds_once(act: Act, index: StockedIndex) -> None:
    act.write({"requirements.txt": pins(index.wheel("alpha"), index.sdist("delta"))})
    matrix = "    strategy: {fail-fast: false, matrix: {number: [1, 2, 3, 4, 5, 6]}}\n"
    run = act.run(workflow(step() + IMPORTS, job=matrix))
    assert sorted(run.jobs.values()) == ["success"] * 6, run.text
    assert len(re.findall(r"^1\.0 /", run.said, re.MULTILINE)) == 6
    assert index.files_read() == 2


def test_six_jobs_with_the_same_environment_leave_it_right(act: Act, index: StockedIndex) -> None:
    act.write({"requirements.txt": pins(index.wheel("alpha"))})
    matrix = "    strategy: {fail-fast: false, matrix: {number: [1, 2, 3, 4, 5, 6]}}\n"
    run = act.run(workflow(step({"venv": str(act.home / "one venv")}) + IMPORTS, job=matrix))
    assert sorted(run.jobs.values()) == ["success"] * 6, run.text
    assert run.said.count(f"1.0 {act.home}/one venv") == 6


def fork(repository: str = "somebody/fork") -> dict[str, Any]:
    head = {"ref": "topic", "sha": "0" * 40, "repo": {"full_name": repository}}
    return {"number": 7, "action": "opened", "pull_request": {"number": 7, "head": head, "base": {"ref": "main"}}}


def test_pull_request_of_a_fork_writes_no_shared_store(act: Act, index: StockedIndex) -> None:
    act.write({"requirements.txt": pins(index.wheel("alpha"))})
    # The repository asks for more trust than it has.
    run = act.run(
        workflow(step({"trust": "trusted", "scope": "runner"}) + IMPORTS, on="pull_request"),
        "pull_request",
        payload=fork(),
    )
    assert run.jobs == {"test.yml/one": "success"}, run.text
    layout = json.loads(run.outputs("si")["layout"])
    assert (layout["trust"], layout["scope"]) == ("untrusted", "job")
    assert layout["distrust"] == "the pull request comes from the fork somebody/fork"
    assert "somebody/fork" in run.summaries[0]
    stores = [path for path in act.home.rglob("wheels-1") if path.parent.name.startswith("safe-install")]
    assert stores == [], "the store of all jobs was made"


def test_failure_is_shown_beside_the_line_that_it_is_about(act: Act, index: StockedIndex) -> None:
    alpha, beta = index.wheel("alpha"), index.wheel("beta")
    act.write({"ci/locks/all.txt": pins(alpha, beta).replace(beta.sha256, "0" * 64)})
    run = act.run(
        workflow(
            step({"files": "ci/locks/all.txt"}, more="        continue-on-error: true\n")
            + '      - run: echo "outcome ${{ steps.si.outcome }}, code ${{ steps.si.outputs.exit-code }}"\n'
        )
    )
    assert run.jobs == {"test.yml/one": "success"}, run.text
    assert "outcome failure, code 4\n" in run.said
    annotation = run.annotations("error")[0]
    assert annotation["kvPairs"]["file"] == "ci/locks/all.txt"
    assert annotation["kvPairs"]["line"] == "2"
    assert annotation["kvPairs"]["title"] == "safe-install: hash-mismatch"
    assert "hash-mismatch" in run.summaries[0]


def test_failing_install_fails_the_job(act: Act) -> None:
    run = act.run(workflow(step({"command": "install", "args": "absent"}) + "      - run: echo never\n"))
    assert run.jobs == {"test.yml/one": "failure"}
    assert "never" not in run.said
    assert run.outputs("si")["exit-code"] == "1"


VALUES = {**HOSTILE, "an expression": "${{ '' }}%25::set-env name=HACKED::yes"}


@pytest.mark.parametrize("name", VALUES)
def test_any_value_is_data_or_refused_by_name(act: Act, index: StockedIndex, name: str) -> None:
    place = act.home / "touched"
    value = VALUES[name].replace("{place}", str(place))
    act.write({"requirements.txt": pins(index.wheel("alpha"))})
    names = ("files", "args", "link-mode", "venv", "index-url")
    steps = "".join(step({given: value}, name=given, more="        continue-on-error: true\n") for given in names)
    run = act.run(workflow(steps + '      - run: echo "H=$HACKED."\n'))
    assert run.jobs == {"test.yml/one": "success"}, run.text
    assert not place.exists()
    assert "H=.\n" in run.said
    # What is shown of a value may hold any words, but no command of its own.
    assert all(each["kvPairs"]["title"].startswith("safe-install: ") for each in run.annotations("error"))
    for given in names:
        outputs = run.outputs(given)
        assert outputs["venv"] != "hacked"
        assert outputs["exit-code"] in {"0", "2", "3", "7", "8"}, outputs
    # act cuts a message at the last :: in it.
    assert "link-mode" in json.dumps(run.annotations("error"))


def test_credentials_are_masked_and_in_no_output(act: Act, index: StockedIndex) -> None:
    act.write({"requirements.txt": pins(index.wheel("alpha"))})
    url = index.url.replace("://", "://me:hidden%2Dword@")
    run = act.run(workflow(step({"index-url": url, "verbose": "true"}) + IMPORTS))
    assert run.jobs == {"test.yml/one": "success"}, run.text
    masked = {each["arg"] for each in run.events if each.get("command") == "add-mask"}
    assert {"hidden-word", "hidden%2Dword"} <= masked or masked == {"***"}, masked
    assert "hidden-word" not in run.said + json.dumps([run.outputs("si"), run.summaries])
    assert "hidden%2Dword" not in run.said + json.dumps([run.outputs("si"), run.summaries])


def test_what_is_printed_meanwhile_is_no_command(act: Act) -> None:
    """The name of a file holds a line that the runner would obey."""
    run = act.run(workflow(step({"files": json.dumps(["a\n::error title=hacked::hacked"])})))
    assert run.jobs == {"test.yml/one": "failure"}
    assert "::error title=hacked::hacked" in run.text
    assert not [each for each in run.annotations("error") if each["kvPairs"].get("title") == "hacked"]


def test_missing_lock_is_told(act: Act) -> None:
    run = act.run(workflow(step()))
    assert run.jobs == {"test.yml/one": "failure"}
    error = run.annotations("error")[0]
    assert error["kvPairs"]["title"] == "safe-install: no-lock"
    assert "pylock.toml" in error["arg"]


@pytest.mark.parametrize("old", [False, True])
def test_runner_without_new_python_says_what_to_add(act: Act, tmp_path: Path, old: bool) -> None:
    act.variables["PATH"] = f"{act.tools}:{path_without_python(tmp_path / 'programs', old=old)}"
    run = act.run(workflow(step()))
    assert run.jobs == {"test.yml/one": "failure"}
    assert "no Python 3.11 or newer on PATH. Add actions/setup-python" in run.annotations("error")[0]["arg"]


def test_python_that_is_too_old_is_passed_over(act: Act, tmp_path: Path, index: StockedIndex) -> None:
    act.write({"requirements.txt": pins(index.wheel("alpha"))})
    act.variables["PATH"] = f"{act.tools}:{path_with_new_python_last(tmp_path / 'programs')}"
    run = act.run(workflow(step() + IMPORTS))
    assert run.jobs == {"test.yml/one": "success"}, run.text


def test_unknown_input_changes_nothing(act: Act, index: StockedIndex) -> None:
    """The runner warns of it, and hands no action what it has not declared: none can refuse it."""
    act.write({"requirements.txt": pins(index.wheel("alpha"))})
    run = act.run(workflow(step({"fils": "absent.txt", "link_mode": "copy"}) + IMPORTS))
    assert run.jobs == {"test.yml/one": "success"}, run.text


def test_runner_without_a_temporary_folder(act: Act, index: StockedIndex) -> None:
    act.write({"requirements.txt": pins(index.wheel("alpha"))})
    act.withhold("RUNNER_TEMP")
    run = act.run(workflow('      - run: echo "it is ${RUNNER_TEMP-unset}"\n' + step() + IMPORTS))
    assert run.jobs == {"test.yml/one": "success"}, run.text
    assert "it is unset\n" in run.said
    assert Path(run.outputs("si")["report"]).is_file()


def test_setup_without_a_temporary_folder_says_so(act: Act) -> None:
    act.withhold("RUNNER_TEMP")
    run = act.run(workflow("      - uses: org/safe-install/actions/setup@v1\n"))
    assert run.jobs == {"test.yml/one": "failure"}
    assert "RUNNER_TEMP: the runner names no folder for temporary files" in run.said


def test_full_disk_is_told_and_spoils_nothing(act: Act, index: StockedIndex, small_disk: Path) -> None:
    act.write({"large.txt": pins(index.wheel("large", files={"large.bin": os.urandom(12_000_000)}))})
    act.write({"requirements.txt": pins(index.wheel("alpha"))})
    store = {"cache-dir": str(small_disk / "store")}
    steps = step({**store, "files": "large.txt"}, name="full", more="        continue-on-error: true\n")
    run = act.run(workflow(steps + step(store) + IMPORTS))
    assert run.jobs == {"test.yml/one": "success"}, run.text
    assert (run.outputs("full")["outcome"], run.outputs("full")["exit-code"]) == ("failed", "7")
    assert run.annotations("error")[0]["kvPairs"]["title"] == "safe-install: disk-full"
    assert "disk-full" in run.summaries[0]


def test_report_that_its_disk_cannot_take_fails_the_job(act: Act, index: StockedIndex, small_disk: Path) -> None:
    act.write({"requirements.txt": pins(index.wheel("alpha"))})
    fill(small_disk)
    run = act.run(workflow(step({"report": str(small_disk / "report.json")}) + "      - run: echo never\n"))
    assert run.jobs == {"test.yml/one": "failure"}
    assert run.outputs("si")["outcome"] == "failed"
    assert f"cannot write the report to {small_disk / 'report.json'}" in run.said
    assert "never\n" not in run.said


@pytest.mark.parametrize("number", CANCELS)
def test_cancelled_job_leaves_the_runner_fit_for_the_next(
    act: Act, index: StockedIndex, number: signal.Signals
) -> None:
    act.write({"requirements.txt": pins(index.wheel("alpha"), index.sdist("delta"))})
    with stalled(index):
        cancel_while_fetching(act.start(workflow(step())), index, number)
    again = act.run(workflow(step() + IMPORTS))
    assert again.jobs == {"test.yml/one": "success"}, again.text


def test_setup_puts_the_command_and_the_layout_into_later_steps(act: Act, index: StockedIndex) -> None:
    act.write({"requirements.txt": pins(index.wheel("alpha"))})
    steps = (
        "      - uses: org/safe-install/actions/setup@v1\n"
        "      - run: ci-install sync requirements.txt && .venv/bin/python -c 'import alpha; print(\"imported\")'\n"
        '      - run: echo "in $SAFE_INSTALL_VENV, pip keeps $PIP_CACHE_DIR"\n'
    )
    run = act.run(workflow(steps))
    assert run.jobs == {"test.yml/one": "success"}, run.text
    assert "imported\n" in run.said
    assert re.search(r"in /.*/\.venv, pip keeps /.*/tmp/safe-install-caches-trusted/pip\n", run.said)


def test_wrap_runs_a_script_with_caches_of_the_job(act: Act, index: StockedIndex) -> None:
    script = (
        'echo "uv keeps $UV_CACHE_DIR"\necho "$(ls "$UV_CACHE_DIR")." > seen\ntouch "$UV_CACHE_DIR/file"\ncat seen\n'
    )
    inputs = json.dumps({"run": script, "tool": "uv\npip", "publish": "true"})
    steps = f"      - uses: org/safe-install/actions/wrap@v1\n        with: {inputs}\n"
    first, second = act.run(workflow(steps)), act.run(workflow(steps))
    assert first.jobs == second.jobs == {"test.yml/one": "success"}, first.text
    assert "\n.\n" in first.said
    assert "\nfile.\n" in second.said
    failed = act.run(workflow(steps.replace("cat seen", "false")))
    assert failed.jobs == {"test.yml/one": "failure"}


@pytest.mark.parametrize(
    "inputs", [{"run": "true", "tool": "cargo"}, {"run": "true", "tool": "uv", "publish": "yes $(x)"}]
)
def test_wrong_input_of_wrap_is_refused_by_name(act: Act, inputs: dict[str, str]) -> None:
    run = act.run(workflow(f"      - uses: org/safe-install/actions/wrap@v1\n        with: {json.dumps(inputs)}\n"))
    assert run.jobs == {"test.yml/one": "failure"}
    assert list(inputs)[-1] in run.said + json.dumps(run.annotations("error"))


RESTORE = "      - uses: org/safe-install/actions/restore@v1\n        id: restored\n"
SAVE = (
    "      - uses: org/safe-install/actions/save@v1\n        id: saved\n"
    "        with: {cache-hit: '${{ steps.restored.outputs.cache-hit }}'}\n"
)


def test_what_one_run_saved_is_restored_by_the_next(act: Act, index: StockedIndex, cache: CacheService) -> None:
    act.write({"requirements.txt": pins(index.wheel("alpha"), index.sdist("delta"))})
    job = workflow(RESTORE + step() + IMPORTS + SAVE)
    first = act.run(job)
    assert first.jobs == {"test.yml/one": "success"}, first.text
    assert [entry.final for entry in cache.entries] == [True]
    before = index.files_read()
    act.forget()
    second = act.run(job)
    assert second.jobs == {"test.yml/one": "success"}, second.text
    assert second.outputs("restored")["cache-hit"] == "true"
    assert second.outputs("si")["cache-hit"] == "true"
    assert index.files_read() == before
    assert len(cache.entries) == 1
    # Another lock: what the old one has of it is there.
    act.forget()
    act.write({"requirements.txt": pins(index.wheel("alpha", "2.0"), index.sdist("delta"))})
    third = act.run(job)
    assert third.jobs == {"test.yml/one": "success"}, third.text
    assert third.outputs("restored")["cache-hit"] == "false"
    assert json.loads(third.outputs("si")["layout"])["trust"] == "trusted"
    assert len(cache.entries) == 2


def test_matrix_has_one_saver(act: Act, index: StockedIndex, cache: CacheService) -> None:
    act.write({"requirements.txt": pins(index.wheel("alpha"))})
    matrix = "    strategy: {fail-fast: false, matrix: {number: [1, 2, 3]}}\n"
    run = act.run(workflow(RESTORE + step() + SAVE, job=matrix))
    assert sorted(run.jobs.values()) == ["success"] * 3, run.text
    assert [entry.final for entry in cache.entries] == [True]


def test_untrusted_job_restores_and_saves_nothing(act: Act, index: StockedIndex, cache: CacheService) -> None:
    act.write({"requirements.txt": pins(index.wheel("alpha"))})
    act.run(workflow(RESTORE + step() + SAVE))
    act.write({"requirements.txt": pins(index.wheel("alpha")) + "# other\n"})
    act.forget()
    run = act.run(workflow(RESTORE + step() + IMPORTS + SAVE, on="pull_request"), "pull_request", payload=fork())
    assert run.jobs == {"test.yml/one": "success"}, run.text
    assert run.outputs("si")["cache-hit"] == "true"
    assert run.outputs("saved").get("saved", "") == ""
    assert len(cache.entries) == 1


def test_damaged_cache_costs_time_and_fails_nothing(act: Act, index: StockedIndex, cache: CacheService) -> None:
    act.write({"requirements.txt": pins(index.wheel("alpha"))})
    bad = workflow(
        "      - run: printf 'no archive' > \"$RUNNER_TEMP/safe-install-cache.tar\"\n" + RESTORE + step() + IMPORTS
    )
    run = act.run(bad)
    assert run.jobs == {"test.yml/one": "success"}, run.text
    assert [each for each in run.annotations("warning") if "not-restored" in json.dumps(each)]
