"""The include file and the component of GitLab, in pipelines that gitlab-ci-local runs."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest
import yaml  # type: ignore[import-untyped]  # it has no types of its own
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
from helpers.gitlab import GitLab
from helpers.missing_parts import program
from helpers.stocked_index import StockedIndex, pins

if TYPE_CHECKING:
    import signal
    from pathlib import Path

    from helpers.index import Offered

pytestmark = [linux_only, pytest.mark.xdist_group("gitlab"), pytest.mark.index]

INCLUDE = "gitlab/safe-install.gitlab-ci.yml"
IMPORTS = "    - python -c \"import alpha, sys; print('found', alpha.__version__, sys.prefix)\"\n"


@pytest.fixture
def gitlab(tmp_path: Path, checkout: Path, tool_dir: Path, index: StockedIndex) -> GitLab:
    gitlab = GitLab(
        tmp_path,
        {
            "SAFE_INSTALL_SOURCE": str(checkout),
            "SAFE_INSTALL_TOOL_DIR": str(tool_dir),
            "SAFE_INSTALL_RETRY_BUDGET": "0",
            "PIP_INDEX_URL": index.url,
            "PIP_CONFIG_FILE": os.devnull,
        },
    )
    gitlab.write("si.yml", (ROOT / INCLUDE).read_text(encoding="utf-8"))
    return gitlab


def lock(gitlab: GitLab, *files: Offered) -> None:
    gitlab.write("requirements.txt", pins(*files))


def pipeline(script: str = IMPORTS, *, inputs: dict[str, object] | None = None, more: str = "") -> str:
    """One job that extends what is included. JSON is YAML."""
    include = json.dumps([{"local": "si.yml", "inputs": inputs or {}}])
    return f"include: {include}\ntest:\n  extends: .safe-install\n{more}  script:\n{script}"


def test_script_finds_what_was_installed(gitlab: GitLab, index: StockedIndex) -> None:
    lock(gitlab, index.wheel("alpha"))
    run = gitlab.run(pipeline(inputs={"files": ["requirements.txt"], "link-mode": "copy"}))
    assert run.code == 0, run.said
    (found,) = (line for line in run.lines("test") if line.startswith("found 1.0 "))
    assert found.endswith("/.venv")


def test_modules_of_the_project_are_not_those_of_python(gitlab: GitLab, index: StockedIndex) -> None:
    lock(gitlab, index.wheel("alpha"))
    for name in ("http/__init__.py", "tempfile.py", "email/__init__.py"):
        gitlab.write(name, "raise SystemExit('taken for that of Python')\n")
    run = gitlab.run(pipeline("    - ls .venv\n"))
    assert run.code == 0, run.said
    assert "taken for" not in run.said


def test_later_jobs_get_the_variables(gitlab: GitLab, index: StockedIndex) -> None:
    lock(gitlab, index.wheel("alpha"))
    later = (
        "later:\n  stage: deploy\n  needs: [{job: test, artifacts: true}]\n  script:\n"
        '    - echo "it was $SAFE_INSTALL_JOB_OUTCOME with $SAFE_INSTALL_JOB_LINK_MODE"\n'
        "    - cat .safe-install/report.json\n"
    )
    run = gitlab.run(pipeline(inputs={"link-mode": "copy"}) + later)
    assert run.code == 0, run.said
    said = run.lines("later")
    assert "it was done with copy" in said
    assert '"schema": 1,' in " ".join(said)


def test_matrix_shares_one_store(gitlab: GitLab, index: StockedIndex) -> None:
    lock(gitlab, index.wheel("alpha"), index.sdist("delta"))
    run = gitlab.run(pipeline(more="  parallel: {matrix: [{NUMBER: ['1', '2', '3', '4']}]}\n"))
    assert run.code == 0, run.said
    assert run.said.count("found 1.0 ") == 4
    assert index.files_read() == 2


CARRIED = (
    "include: [{local: si.yml}]\n"
    "fill:\n  extends: .safe-install-save\n  script:\n    - cat .safe-install/report.json\n"
    "test:\n  extends: .safe-install-restore\n  stage: deploy\n  needs: []\n  script:\n" + IMPORTS
)


def test_store_is_carried_in_the_cache_of_gitlab(gitlab: GitLab, index: StockedIndex) -> None:
    lock(gitlab, index.wheel("alpha"), index.sdist("delta"))
    filled = gitlab.run(CARRIED, "fill")
    assert filled.code == 0, filled.said
    read = index.files_read()
    gitlab.forget()
    run = gitlab.run(CARRIED, "test")
    assert run.code == 0, run.said
    assert "imported 2 wheels" in run.said
    assert index.files_read() == read


def test_newest_store_is_asked_for_where_nobody_saved_one_for_these_files() -> None:
    """gitlab-ci-local knows no fallback keys; so this looks whether the key that is asked for is one that is saved."""
    _, jobs = yaml.safe_load_all((ROOT / INCLUDE).read_text(encoding="utf-8"))
    (asked,) = jobs[".safe-install-restore"]["cache"]
    by_files, newest = jobs[".safe-install-save"]["cache"]
    assert asked["fallback_keys"] == [newest["key"]]
    assert asked["key"] == by_files["key"]
    assert (asked["policy"], by_files["policy"], newest["policy"]) == ("pull", "pull-push", "push")


def test_untrusted_job_neither_reads_nor_saves_the_cache(gitlab: GitLab, index: StockedIndex) -> None:
    lock(gitlab, index.wheel("alpha"))
    filled = gitlab.run(CARRIED, "fill")
    assert filled.code == 0, filled.said
    before = {path: path.read_bytes() for path in gitlab.saved()}
    assert before
    gitlab.variables["CI_COMMIT_REF_PROTECTED"] = "false"
    run = gitlab.run(CARRIED, "test")
    assert run.code == 0, run.said
    assert "neither reads nor saves" in run.said
    assert "imported 1 wheel" not in run.said
    assert {path: path.read_bytes() for path in gitlab.saved()} == before
    run = gitlab.run(CARRIED, "--list")
    assert "fill" not in run.said, "nobody saves on a branch that is not protected"


def test_damaged_cache_costs_time_only(gitlab: GitLab, index: StockedIndex) -> None:
    lock(gitlab, index.wheel("alpha"))
    filled = gitlab.run(CARRIED, "fill")
    assert filled.code == 0, filled.said
    gitlab.forget()
    for path in gitlab.saved():
        path.write_bytes(b"\0" * 512 + b"no archive")
    run = gitlab.run(CARRIED, "test")
    assert run.code == 0, run.said
    assert "cannot be used" in run.said
    assert "found 1.0 " in run.said


def test_failing_install_fails_the_job_and_says_why(gitlab: GitLab, index: StockedIndex) -> None:
    index.wheel("alpha")
    gitlab.write("requirements.txt", f"alpha==1.0 --hash=sha256:{'0' * 64}\n")
    run = gitlab.run(pipeline())
    assert run.code != 0
    assert "error[hash-mismatch]" in run.said
    assert "found" not in run.said


def test_branch_that_is_not_protected_is_not_trusted(gitlab: GitLab, index: StockedIndex) -> None:
    lock(gitlab, index.wheel("alpha"))
    gitlab.variables["CI_COMMIT_REF_PROTECTED"] = "false"
    show = "    - cat .safe-install/report.json\n"
    run = gitlab.run(pipeline(show, inputs={"trust": "trusted", "scope": "runner"}))
    assert run.code == 0, run.said
    assert '"trust": "untrusted"' in run.said
    assert list((gitlab.home / ".cache").glob("safe-install/wheels-1")) == []


@pytest.mark.parametrize(
    "inputs", [{"link-mode": "symlink"}, {"scope": "everybody"}, {"venv": "one\ntwo"}, {"offline": "perhaps"}]
)
def test_value_that_an_input_does_not_allow_is_refused(gitlab: GitLab, inputs: dict[str, object]) -> None:
    run = gitlab.run(pipeline(inputs=inputs))
    assert run.code != 0
    assert next(iter(inputs)) in run.said


@pytest.mark.parametrize("name", HOSTILE)
def test_any_value_is_data_or_refused_by_name(gitlab: GitLab, index: StockedIndex, tmp_path: Path, name: str) -> None:
    place = tmp_path / "touched"
    value = HOSTILE[name].replace("{place}", str(place))
    lock(gitlab, index.wheel("alpha"))
    given: list[dict[str, object]] = [{"args": value, "venv": value}, {"files": [value]}]
    for inputs in given:
        run = gitlab.run(pipeline(inputs=inputs))
        assert not place.exists()
        assert run.code != 0
        # What has to be one line, or has more than 1,024 characters, GitLab itself refuses.
        assert "error[" in run.said or "`args` input" in run.said or "property 'args'" in run.said, run.said
        assert "found 1.0 " not in run.said


def test_missing_lock_is_told(gitlab: GitLab) -> None:
    run = gitlab.run(pipeline())
    assert run.code != 0
    assert "error[no-lock]" in run.said


def on_path(*folders: Path) -> str:
    """What a job says to have no other programs."""
    return f"  variables: {{PATH: {json.dumps(os.pathsep.join(map(str, folders)))}}}\n"


@pytest.mark.parametrize("old", [False, True])
def test_job_without_new_python_says_what_to_add(gitlab: GitLab, tmp_path: Path, old: bool) -> None:
    run = gitlab.run(pipeline(more=on_path(path_without_python(tmp_path / "path", old=old))))
    assert run.code != 0
    assert "no Python 3.11 or newer on PATH" in run.said
    assert "hint: use an image that has one" in run.said


def test_python_that_is_too_old_is_passed_over(gitlab: GitLab, tmp_path: Path, index: StockedIndex) -> None:
    lock(gitlab, index.wheel("alpha"))
    run = gitlab.run(pipeline(more=on_path(path_with_new_python_last(tmp_path / "path"))))
    assert run.code == 0, run.said
    assert "found 1.0 " in run.said


def test_jobs_with_the_same_environment_leave_it_right(gitlab: GitLab, index: StockedIndex, tmp_path: Path) -> None:
    lock(gitlab, index.wheel("alpha"))
    venv = tmp_path / "one venv"
    matrix = "  parallel: {matrix: [{NUMBER: ['1', '2', '3', '4']}]}\n"
    run = gitlab.run(pipeline(inputs={"venv": str(venv)}, more=matrix))
    assert run.code == 0, run.said
    assert run.said.count(f"found 1.0 {venv}") == 4


def test_full_disk_is_told_and_spoils_nothing(gitlab: GitLab, index: StockedIndex, small_disk: Path) -> None:
    lock(gitlab, index.wheel("large", files={"large.bin": os.urandom(12_000_000)}))
    inputs: dict[str, object] = {"cache-dir": str(small_disk / "store")}
    run = gitlab.run(pipeline(inputs=inputs))
    assert run.code != 0
    assert "error[disk-full]" in run.said
    lock(gitlab, index.wheel("alpha"))
    again = gitlab.run(pipeline(inputs=inputs))
    assert again.code == 0, again.said
    assert "found 1.0 " in again.said


def test_report_that_its_disk_cannot_take_fails_the_job(gitlab: GitLab, index: StockedIndex, small_disk: Path) -> None:
    lock(gitlab, index.wheel("alpha"))
    fill(small_disk)
    run = gitlab.run(pipeline(inputs={"report": str(small_disk / "report.json")}))
    assert run.code != 0
    assert f"cannot write the report to {small_disk / 'report.json'}" in run.said
    assert "found 1.0 " not in run.said


@pytest.mark.parametrize("number", CANCELS)
def test_cancelled_job_leaves_the_runner_fit_for_the_next(
    gitlab: GitLab, index: StockedIndex, number: signal.Signals
) -> None:
    lock(gitlab, index.wheel("alpha"), index.sdist("delta"))
    with stalled(index):
        cancel_while_fetching(gitlab.start(pipeline()), index, number)
    again = gitlab.run(pipeline())
    assert again.code == 0, again.said
    assert "found 1.0 " in again.said


def test_nothing_leaks_into_other_jobs(gitlab: GitLab) -> None:
    count = "env | grep -c SAFE_INSTALL_INPUT || true"
    run = gitlab.run(f"include: [{{local: si.yml}}]\nother:\n  script:\n    - {count}\n")
    assert run.code == 0, run.said
    assert "0" in run.lines("other")


def test_preview_fits_the_schema_of_gitlab(gitlab: GitLab) -> None:
    run = gitlab.run(pipeline(inputs={"files": ["a.txt", "b.txt"], "seed": ["/seed"]}), "--preview")
    path = gitlab.home / "preview.yml"
    path.write_text(run.said[run.said.index("---\n") :], encoding="utf-8")
    checker = program("check-jsonschema", "pip install check-jsonschema (dev.py test brings it)")
    command: list[str | Path] = [checker, "--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci", path]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_component_is_the_include_file() -> None:
    component = (ROOT / "templates" / "safe-install" / "template.yml").read_text(encoding="utf-8")
    assert component == (ROOT / INCLUDE).read_text(encoding="utf-8")
