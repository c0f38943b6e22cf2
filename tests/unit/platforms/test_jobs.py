"""What each platform's variables say of a job: its folders, its address, and how far it is trusted."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from safe_install.models import Trust
from safe_install.platforms.detection import SIGNS, Platform, detect, name_of_system
from safe_install.platforms.job import job_at_hand

if TYPE_CHECKING:
    from collections.abc import Mapping

GITLAB = {"GITLAB_CI": "true", "CI_COMMIT_REF_PROTECTED": "true", "CI_COMMIT_REF_NAME": "main", "CI_PROJECT_ID": "7"}
JENKINS = {"BUILD_TAG": "jenkins-app-12", "EXECUTOR_NUMBER": "3"}


def untrusted_because(environ: Mapping[str, str]) -> str | None:
    """Why a job is not trusted; None when it is."""
    verdict = job_at_hand(environ).verdict
    assert (verdict.trust is Trust.TRUSTED) == (not verdict.reason)
    return verdict.reason or None


@pytest.fixture
def github(tmp_path: Path) -> dict[str, str]:
    return {
        "GITHUB_ACTIONS": "true",
        "GITHUB_EVENT_NAME": "push",
        "GITHUB_REPOSITORY": "Team/app",
        "GITHUB_SERVER_URL": "https://github.test",
        "GITHUB_RUN_ID": "5",
        "GITHUB_WORKSPACE": str(tmp_path / "app"),
        "RUNNER_TEMP": str(tmp_path / "_temp"),
    }


def pull_request(github: dict[str, str], folder: Path, event: object) -> dict[str, str]:
    path = folder / "event.json"
    path.write_text(json.dumps(event), encoding="utf-8")
    return {**github, "GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": str(path)}


def coming_from(repository: object) -> dict[str, object]:
    return {"pull_request": {"head": {"repo": repository}}}


def test_each_platform_is_told_by_its_sign() -> None:
    for sign in SIGNS:
        assert detect({sign.variable: f"{sign.value}"}) == [sign.platform]
    assert detect({"CI": "true", "GITHUB_ACTIONS": "", "GITLAB_CI": "false"}) == []


def test_systems_are_called_by_their_names() -> None:
    for sign in SIGNS:
        assert name_of_system({"CI": "true", sign.variable: sign.value}) == sign.title
    assert name_of_system({"CI": "true", "BUILDKITE": "true"}) == "Buildkite"
    assert name_of_system({"CI": "true"}) == "a CI system"
    assert name_of_system({}) == ""


def test_a_job_on_nobodys_platform_is_trusted_and_has_no_folders() -> None:
    job = job_at_hand({})
    assert (job.platform, job.own_folder, job.runner_folder, job.url) == (Platform.LOCAL, None, None, None)
    assert job.verdict.trust is Trust.TRUSTED


def test_folders_and_address_of_a_job_of_github(github: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    job = job_at_hand({**github, "RUNNER_TOOL_CACHE": str(tmp_path / "tools")})
    assert job.url == "https://github.test/Team/app/actions/runs/5"
    assert (job.own_folder, job.is_emptied) == (tmp_path / "_temp" / "safe-install", True)
    assert job.runner_folder is not None
    assert job.runner_folder.parent == tmp_path / "tools"
    assert job.workspace == tmp_path / "app"


def test_a_tool_cache_that_is_not_there_is_left_alone(github: dict[str, str], tmp_path: Path) -> None:
    """Docker images and half-configured runners name one that the job's user cannot write."""
    assert job_at_hand({**github, "RUNNER_TOOL_CACHE": str(tmp_path / "absent")}).runner_folder is None


@pytest.mark.parametrize("event", ["push", "schedule", "workflow_dispatch", "release", "merge_group"])
def test_events_of_those_who_may_write_are_trusted(github: dict[str, str], event: str) -> None:
    assert untrusted_because({**github, "GITHUB_EVENT_NAME": event}) is None


@pytest.mark.parametrize("event", ["pull_request_target", "workflow_run", "issue_comment"])
def test_events_on_behalf_of_strangers_are_not_trusted(github: dict[str, str], event: str) -> None:
    assert event in str(untrusted_because({**github, "GITHUB_EVENT_NAME": event}))


def test_a_pull_request_of_the_repository_itself_is_trusted(github: dict[str, str], tmp_path: Path) -> None:
    """GitHub compares names without case."""
    assert untrusted_because(pull_request(github, tmp_path, coming_from({"full_name": "team/App"}))) is None


def test_a_pull_request_of_a_fork_is_not_trusted(github: dict[str, str], tmp_path: Path) -> None:
    environ = pull_request(github, tmp_path, coming_from({"full_name": "stranger/app"}))
    assert "stranger/app" in str(untrusted_because(environ))
    environ["GITHUB_EVENT_NAME"] = "pull_request_review_comment"
    assert "stranger/app" in str(untrusted_because(environ))


def test_what_dependabot_starts_is_not_trusted(github: dict[str, str], tmp_path: Path) -> None:
    environ = pull_request(github, tmp_path, coming_from({"full_name": "Team/app"}))
    assert "Dependabot" in str(untrusted_because({**environ, "GITHUB_ACTOR": "dependabot[bot]"}))
    assert "Dependabot" in str(untrusted_because({**github, "GITHUB_ACTOR": "dependabot[bot]"}))


@pytest.mark.parametrize("missing", ["GITHUB_EVENT_NAME", "GITHUB_REPOSITORY"])
def test_a_job_of_github_that_says_too_little_is_not_trusted(github: dict[str, str], missing: str) -> None:
    assert untrusted_because({name: value for name, value in github.items() if name != missing}) is not None


def test_of_several_platforms_the_one_that_trusts_least_counts(github: dict[str, str]) -> None:
    """A branch could else set the sign of another platform beside that of its own."""
    unprotected = {**GITLAB, "CI_COMMIT_REF_PROTECTED": "false"}
    assert "not protected" in str(untrusted_because({**github, **unprotected}))
    assert "not protected" in str(untrusted_because({**JENKINS, **unprotected}))
    assert untrusted_because({**github, **GITLAB, **JENKINS}) is None
    assert job_at_hand({**github, **unprotected}).platform is Platform.GITHUB


@pytest.mark.parametrize(
    "event",
    [coming_from(None), {"pull_request": []}, [], None, coming_from({"full_name": 3}), coming_from({"full_name": ""})],
)
def test_a_pull_request_of_unknown_origin_is_not_trusted(github: dict[str, str], tmp_path: Path, event: object) -> None:
    """A fork that was deleted is null."""
    assert untrusted_because(pull_request(github, tmp_path, event)) is not None


@pytest.mark.parametrize("content", [None, b"", b"{", b"\xff\xfe", b"[" * 100_000])
def test_an_event_that_cannot_be_read_is_not_trusted(
    github: dict[str, str], tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "event.json"
    if content is not None:
        path.write_bytes(content)
    environ = {**github, "GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": str(path)}
    assert untrusted_because(environ) is not None
    del environ["GITHUB_EVENT_PATH"]
    assert untrusted_because(environ) is not None


def test_folders_of_a_job_of_gitlab_lie_beside_its_build(tmp_path: Path) -> None:
    project = tmp_path / "builds" / "t1_x" / "0" / "team" / "app"
    job = job_at_hand(
        {**GITLAB, "CI_PROJECT_DIR": str(project), "CI_JOB_ID": "41", "CI_JOB_URL": "https://gitlab.test/41"}
    )
    assert job.own_folder is not None
    assert job.own_folder.parent == job.slot_folder == tmp_path / "builds" / "t1_x" / "0" / "team" / "app.tmp"
    assert (job.is_emptied, job.url) == (False, "https://gitlab.test/41")
    later = job_at_hand({**GITLAB, "CI_PROJECT_DIR": str(project), "CI_JOB_ID": "42"})
    assert later.slot_folder == job.slot_folder
    assert later.own_folder != job.own_folder


def test_jobs_of_protected_refs_are_trusted_and_no_others() -> None:
    assert untrusted_because(GITLAB) is None
    assert "main is not protected" in str(untrusted_because({**GITLAB, "CI_COMMIT_REF_PROTECTED": "false"}))
    unsaid = {name: value for name, value in GITLAB.items() if name != "CI_COMMIT_REF_PROTECTED"}
    assert untrusted_because(unsaid) is not None


def test_a_merge_request_of_a_fork_is_not_trusted() -> None:
    own = {**GITLAB, "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "7"}
    assert untrusted_because(own) is None
    fork = {**own, "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "8", "CI_MERGE_REQUEST_SOURCE_PROJECT_PATH": "stranger/app"}
    assert "stranger/app" in str(untrusted_because(fork))


def test_folders_of_a_job_of_jenkins_lie_beside_its_workspace(tmp_path: Path) -> None:
    workspace = tmp_path / "workspace" / "app@2"
    job = job_at_hand({**JENKINS, "WORKSPACE": str(workspace), "BUILD_URL": "https://jenkins.test/12/"})
    assert (job.slot_folder, job.url) == (tmp_path / "workspace" / "app@2@tmp", "https://jenkins.test/12/")
    named = job_at_hand({**JENKINS, "WORKSPACE": str(workspace), "WORKSPACE_TMP": str(tmp_path / "elsewhere")})
    assert named.slot_folder == tmp_path / "elsewhere"
    folders = {
        job_at_hand({**JENKINS, "WORKSPACE": str(workspace), **change}).own_folder
        for change in ({}, {"BUILD_TAG": "jenkins-app-13"}, {"EXECUTOR_NUMBER": "4"})
    }
    assert len(folders) == 3


def test_change_requests_of_jenkins_are_not_trusted() -> None:
    assert untrusted_because(JENKINS) is None
    assert "change request 9" in str(untrusted_because({**JENKINS, "CHANGE_ID": "9"}))
    assert "stranger" in str(untrusted_because({**JENKINS, "CHANGE_ID": "9", "CHANGE_FORK": "stranger"}))


@pytest.mark.parametrize("value", ["", "relative/folder", "."])
def test_folders_that_are_not_absolute_count_as_absent(github: dict[str, str], value: str) -> None:
    job = job_at_hand({**github, "RUNNER_TEMP": value, "RUNNER_TOOL_CACHE": value})
    assert (job.slot_folder, job.own_folder, job.runner_folder) == (None, None, None)


@pytest.mark.skipif(os.name == "nt", reason="paths of Unix")
def test_nothing_but_the_sign_is_needed() -> None:
    """A job started by hand inside another, with most variables taken away, is still understood."""
    for sign in SIGNS:
        job = job_at_hand({sign.variable: sign.value})
        assert (job.platform, job.own_folder) == (sign.platform, None)
