"""Jobs of CI platforms, by the variables that these set: whom a job is, what it may write, and what ``layout`` says."""

from __future__ import annotations

import json
import os
import subprocess
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from helpers.capabilities import unix_only
from helpers.stores import state_of

from safe_install.settings import OPTIONS

if TYPE_CHECKING:
    from helpers.command import Command, Result
    from helpers.stocked_index import StockedIndex


@pytest.fixture(autouse=True)
def _stocked(index: StockedIndex) -> None:
    index.wheel("app", requires_dist=["lib"])
    index.wheel("lib", "2.0")


@pytest.fixture
def github(command: Command) -> Path:
    """Let all calls be those of a job of GitHub; return its temporary folder."""
    temp = command.home / "_temp"
    temp.mkdir()
    command.variables |= {
        "GITHUB_ACTIONS": "true",
        "GITHUB_EVENT_NAME": "push",
        "GITHUB_REPOSITORY": "team/app",
        "GITHUB_WORKSPACE": str(command.folder),
        "RUNNER_TEMP": str(temp),
    }
    return temp


@pytest.fixture
def fork(command: Command, github: Path) -> Path:
    """Let all calls be those of a pull request of a fork; return its temporary folder."""
    event = command.home / "event.json"
    head = {"repo": {"full_name": "stranger/app"}}
    event.write_text(json.dumps({"pull_request": {"head": head}}), encoding="utf-8")
    command.variables |= {"GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": str(event)}
    return github


def steps_down(result: Result) -> list[str]:
    assert result.report is not None
    return [each["kind"] for each in result.report["step_downs"]]


def variables_of(command: Command, *arguments: str) -> dict[str, str]:
    """What ``layout`` would set."""
    shown = command("layout", "--format", "dotenv", *arguments).stdout
    return dict(line.split("=", 1) for line in shown.splitlines())


def test_a_trusted_job_works_as_anywhere(command: Command, github: Path) -> None:
    result = command("install", "app")
    assert steps_down(result) == []
    assert len(list((command.store / "wheels-1").glob("*/*"))) == 2
    assert list(github.iterdir()) == []


def test_a_job_of_a_fork_reads_the_store_of_all_jobs_and_writes_its_own(
    command: Command, index: StockedIndex, github: Path, fork: Path
) -> None:
    """Whatever store the pipeline names: it is the one of trusted jobs, since they run the same pipeline."""
    command("install", "lib", GITHUB_EVENT_NAME="push")
    before = state_of(command.store)
    result = command("install", "app")
    assert command.installed() == {"app": "1.0", "lib": "2.0"}
    assert result.counts["fetched"] == 1
    assert state_of(command.store) == before
    assert "untrusted" in steps_down(result)
    assert "stranger/app" in result.stderr
    assert len(list((fork / "safe-install" / "store" / "wheels-1").glob("*/*"))) == 1


@pytest.mark.parametrize("way", ["option", "variable", "project", "named file"])
def test_a_repository_cannot_raise_the_trust_of_its_jobs(command: Command, fork: Path, way: str) -> None:
    options = ["--trust", "trusted"] if way == "option" else []
    if way == "variable":
        command.variables["SAFE_INSTALL_TRUST"] = "trusted"
    elif way == "project":
        command.write("safe-install.toml", 'trust = "trusted"\n')
    elif way == "named file":
        own = command.home / "own.toml"
        own.write_text('trust = "trusted"\n', encoding="utf-8")
        command.variables["SAFE_INSTALL_RUNNER_FILE"] = str(own)
    result = command("install", "lib", "--scope", "runner", *options)
    assert "untrusted" in steps_down(result)
    assert not command.store.exists()


def test_a_repository_may_lower_the_trust_of_its_jobs(command: Command, github: Path) -> None:
    command("install", "lib", "--trust", "untrusted", SAFE_INSTALL_CACHE_DIR=None)
    assert (github / "safe-install" / "store" / "wheels-1").exists()


@pytest.mark.parametrize(
    "arguments",
    [("gc",), ("clean",), ("repair",), ("unlock",), ("init",), ("import", "store.tar")],
    ids=lambda arguments: arguments[0],
)
def test_a_job_of_a_fork_changes_no_store_of_others(
    command: Command, github: Path, fork: Path, arguments: tuple[str, ...]
) -> None:
    command("install", "lib", GITHUB_EVENT_NAME="push")
    command("cache", "export", "store.tar", GITHUB_EVENT_NAME="push")
    before = state_of(command.store)
    result = command("cache", *arguments, code=9)
    assert "error[untrusted]" in result.stderr
    assert state_of(command.store) == before
    command("cache", "verify")


@pytest.mark.parametrize("way", ["..", "scope", "settings alone"])
def test_no_way_leads_an_untrusted_job_to_a_store_of_others(
    command: Command, github: Path, fork: Path, way: str
) -> None:
    command("install", "lib", GITHUB_EVENT_NAME="push")
    before = state_of(command.store)
    if way == "..":
        command("cache", "clean", "--cache-dir", f"{command.folder}/../home/{command.store.name}", code=9)
    elif way == "scope":
        command.write("safe-install.toml", 'scope = "job"\n')
        command("install", "app")
    else:
        command.variables |= {"GITHUB_EVENT_NAME": "push", "SAFE_INSTALL_TRUST": "untrusted"}
        command("cache", "clean", code=9)
    assert state_of(command.store) == before


@pytest.mark.parametrize("arguments", [("info",), ("ls",), ("verify",), ("export", "x.tar")], ids=lambda each: each[0])
def test_an_untrusted_job_that_looks_at_a_store_makes_none(
    command: Command, fork: Path, arguments: tuple[str, ...]
) -> None:
    result = command("cache", *arguments, code=7)
    assert "error[store-missing]" in result.stderr
    assert not command.store.exists()
    command("install", "lib", GITHUB_EVENT_NAME="push")
    command("cache", *arguments)


@unix_only
def test_doctor_mends_no_store_of_others_for_an_untrusted_job(command: Command, github: Path, fork: Path) -> None:
    command("install", "lib", GITHUB_EVENT_NAME="push")
    command.store.chmod(0o777)
    said = command("doctor", "--fix", code=None).stdout
    assert "mended" not in said
    assert command.store.stat().st_mode & 0o777 == 0o777


def test_a_job_of_a_fork_publishes_no_seed(command: Command, fork: Path) -> None:
    command.write("requirements.txt", "lib==2.0\n")
    result = command("seed", "publish", "seed", "requirements.txt", code=9)
    assert "error[untrusted]" in result.stderr
    assert not (command.folder / "seed").exists()


def test_an_unprotected_branch_of_gitlab_leaves_nothing(command: Command) -> None:
    """Nobody empties its folder, and it may not have itself registered for a clean-up: its store is gone at the end."""
    command.variables |= {
        "GITLAB_CI": "true",
        "CI_COMMIT_REF_PROTECTED": "false",
        "CI_COMMIT_REF_NAME": "try",
        "CI_PROJECT_DIR": str(command.folder),
        "CI_JOB_ID": "41",
    }
    result = command("install", "app")
    assert "try is not protected" in result.stderr
    assert command.installed() == {"app": "1.0", "lib": "2.0"}
    assert not command.store.exists()
    assert command.litter() == []
    assert not command.folder.with_name(f"{command.folder.name}.tmp").exists()


def test_a_job_layer_lies_in_the_folder_of_the_job_and_is_found_by_the_clean_up(command: Command) -> None:
    command.variables |= {
        "BUILD_TAG": "jenkins-app-12",
        "WORKSPACE": str(command.folder),
        "SAFE_INSTALL_RUNNER_DIR": str(command.store),
    }
    del command.variables["SAFE_INSTALL_CACHE_DIR"]
    command("install", "app", "--scope", "job")
    (own,) = command.folder.with_name(f"{command.folder.name}@tmp").glob("*/store")
    assert len(list((own / "wheels-1").glob("*/*"))) == 2
    (record,) = (command.store / "jobs").glob("*.json")
    assert json.loads(record.read_text(encoding="utf-8"))["path"] == str(own)
    os.utime(record, (0, 0))  # a job lasts longer than a command
    command("cache", "gc", "--cache-dir", command.store)
    assert not own.exists()


def test_the_address_of_the_job_is_told_to_those_who_wait(command: Command, github: Path) -> None:
    command("install", "lib", "--scope", "job", "--runner-dir", command.store, "--cache-dir", github / "own",
            GITHUB_RUN_ID="5", GITHUB_SERVER_URL="https://ci.test")  # fmt: skip
    (record,) = (command.store / "jobs").glob("*.json")
    assert json.loads(record.read_text(encoding="utf-8"))["job"] == "https://ci.test/team/app/actions/runs/5"


def test_the_administrator_sets_what_the_project_leaves_open(command: Command, github: Path) -> None:
    runner = command.home / "runner.toml"
    runner.write_text(f"cache-dir = {json.dumps(str(command.home / 'named'))}\nlink-mode = 'copy'\n", encoding="utf-8")
    command.variables["SAFE_INSTALL_RUNNER_FILE"] = str(runner)
    del command.variables["SAFE_INSTALL_CACHE_DIR"]
    command.write("safe-install.toml", 'link-mode = "hardlink"\n')
    command("install", "lib")
    assert (command.home / "named" / "wheels-1").exists()
    shown = variables_of(command)
    assert shown["SAFE_INSTALL_LINK_MODE"] == "hardlink"
    assert shown["SAFE_INSTALL_CACHE_DIR"] == str(command.home / "named")


@pytest.mark.parametrize("text", ['trust = "maybe"', "truth = 1", "trust ="])
def test_a_wrong_file_of_the_administrator_is_an_error(command: Command, text: str) -> None:
    """A job is not started with less protection than somebody wanted."""
    runner = command.home / "runner.toml"
    runner.write_text(f"{text}\n", encoding="utf-8")
    result = command("install", "lib", code=2, SAFE_INSTALL_RUNNER_FILE=str(runner))
    assert str(runner) in result.stderr


def test_layout_says_what_the_next_commands_do(command: Command, github: Path, fork: Path) -> None:
    shown = command("layout").stdout
    assert shown.startswith("platform: github\n")
    assert "stranger/app" in shown
    variables = variables_of(command)
    assert variables["SAFE_INSTALL_TRUST"] == "untrusted"
    assert variables["SAFE_INSTALL_CACHE_DIR"] == str(fork / "safe-install" / "store")
    assert variables["SAFE_INSTALL_RUNNER_DIR"] == str(command.store)
    assert variables["UV_CACHE_DIR"].startswith(str(fork))
    command.variables |= variables
    command("install", "app")
    assert command.installed() == {"app": "1.0", "lib": "2.0"}
    assert variables_of(command) == variables


def test_what_layout_says_of_a_temporary_store_is_what_the_next_commands_do(command: Command) -> None:
    """The store that the pipeline names is not for this job, also after its variables were taken over."""
    command.variables |= {
        "GITLAB_CI": "true",
        "CI_COMMIT_REF_PROTECTED": "false",
        "CI_PROJECT_DIR": str(command.folder),
        "CI_JOB_ID": "41",
    }
    variables = variables_of(command)
    assert (variables["SAFE_INSTALL_SCOPE"], variables["SAFE_INSTALL_CACHE_DIR"]) == ("job", "")
    assert "SAFE_INSTALL_LINK_MODE" not in variables
    command.variables |= variables
    command("install", "app")
    assert command.installed() == {"app": "1.0", "lib": "2.0"}
    assert not command.store.exists()


def test_layout_says_everything_that_the_next_commands_need(command: Command, github: Path) -> None:
    said = variables_of(command, "--no-shared", "--isolation", "strict", "--seed", "seed")
    assert (said["SAFE_INSTALL_SHARED"], said["SAFE_INSTALL_ISOLATION"]) == ("no", "strict")
    assert said["SAFE_INSTALL_SEED"] == str(command.folder / "seed")
    result = command("layout", "--format", "env", "--seed", "a seed", code=2)
    assert "error[not-exportable]" in result.stderr


def test_variables_are_all_that_is_written_also_where_json_is_asked_for(command: Command) -> None:
    shown = command("layout", "--format", "env", SAFE_INSTALL_JSON="1").stdout
    assert all(line.startswith("export ") for line in shown.splitlines())


def test_other_tools_keep_caches_of_trusted_and_untrusted_jobs_apart(command: Command, fork: Path) -> None:
    untrusted = variables_of(command)
    command.variables["GITHUB_EVENT_NAME"] = "push"
    trusted = variables_of(command)
    names = {name for name in trusted if name.endswith("_CACHE_DIR") and not name.startswith("SAFE_INSTALL_")}
    assert {"UV_CACHE_DIR", "PIP_CACHE_DIR", "POETRY_CACHE_DIR"} <= names
    assert not {trusted[name] for name in names} & {untrusted[name] for name in names}


def test_on_a_machine_of_ones_own_the_caches_of_other_tools_are_left_alone(command: Command) -> None:
    assert not [name for name in variables_of(command) if not name.startswith("SAFE_INSTALL_")]
    assert variables_of(command, "--with-tmpdir")["TMPDIR"] == str(command.scratch)


def test_layout_as_json_is_a_report(command: Command, github: Path) -> None:
    document = json.loads(command("layout", "--format", "json").stdout)
    assert document["outcome"] == "done"
    assert (document["layout"]["platform"], document["layout"]["trust"]) == ("github", "trusted")
    assert document["layout"]["layers"][0]["path"] == str(command.store)


@unix_only
def test_a_shell_takes_the_layout_as_it_is(command: Command, github: Path) -> None:
    """Folders with quotes, spaces and ``$(…)`` are folders."""
    venv = command.folder / 'it\'s $(touch hacked) "here"'
    script = command("layout", "--format", "env", "--venv", venv).stdout + 'printf %s "$SAFE_INSTALL_VENV"\n'
    done = subprocess.run(["sh", "-c", script], check=True, capture_output=True, text=True, cwd=command.folder)
    assert done.stdout == str(venv)
    assert not (command.folder / "hacked").exists()


@unix_only
def test_a_folder_that_a_form_cannot_express_is_refused(command: Command) -> None:
    result = command("layout", "--format", "dotenv", "--venv", "two\nlines", code=2)
    assert "error[not-exportable]: SAFE_INSTALL_VENV" in result.stderr
    assert result.stdout == ""


def test_no_layout_is_an_error_and_exports_nothing(command: Command) -> None:
    command.write("taken", "")
    result = command("layout", "--format", "env", "--venv", "taken", code=7)
    assert "error[layout-unusable]" in result.stderr
    assert result.stdout == ""


def test_layout_makes_nothing(command: Command, github: Path) -> None:
    with command.unchanged():
        variables_of(command)
    assert not command.store.exists()
    assert list(github.iterdir()) == []


def test_the_example_of_a_runner_file_holds_settings() -> None:
    """What the page on platforms shows is read as it stands."""
    root = Path(__file__).parents[2]
    page = (root / "docs" / "reference" / "platforms.md").read_text(encoding="utf-8")
    example = page.partition("```toml\n")[2].partition("```")[0]
    assert set(tomllib.loads(example)) <= {option.name for option in OPTIONS}
