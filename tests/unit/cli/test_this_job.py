"""Who has the last word on trust, and where the store of a job is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from helpers.capabilities import can_link_folders, link_to_folder

from safe_install.cli.this_job import settle
from safe_install.models import Scope, Trust
from safe_install.platforms import administrator

if TYPE_CHECKING:
    from pathlib import Path

    from safe_install.cli.this_job import ThisJob

LAYERED = {"scope": None}
"""Raw options of a command that has layers."""


@pytest.fixture
def runner_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "runner.toml"
    monkeypatch.setattr(administrator, "usual_place", lambda: path)
    return path


def github(tmp_path: Path, event: str, **environ: str) -> dict[str, str]:
    temp = {"RUNNER_TEMP": str(tmp_path / "_temp")}
    return {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": event, "GITHUB_REPOSITORY": "t/a", **temp, **environ}


def trust_of(job: ThisJob) -> Trust:
    assert bool(job.distrust) <= (job.settings.trust is Trust.UNTRUSTED)
    return job.settings.trust


@pytest.mark.parametrize("event", ["push", "workflow_run"])
@pytest.mark.parametrize("asked", [None, "trusted", "untrusted"])
@pytest.mark.parametrize("said", [None, "trusted", "untrusted"])
def test_a_job_is_trusted_when_its_platform_or_administrator_trusts_it_and_nobody_objects(
    tmp_path: Path, runner_file: Path, event: str, asked: str | None, said: str | None
) -> None:
    if said is not None:
        runner_file.write_text(f'trust = "{said}"\n', encoding="utf-8")
    job = settle({**LAYERED, "trust": asked}, github(tmp_path, event), tmp_path)
    trusted = asked != "untrusted" and said != "untrusted" and (said == "trusted" or event == "push")
    assert trust_of(job) is (Trust.TRUSTED if trusted else Trust.UNTRUSTED)


@pytest.mark.usefixtures("runner_file")
@pytest.mark.parametrize("scope", [None, "job", "runner"])
@pytest.mark.parametrize("named", ["named", "_temp/../named", "link"])
def test_a_store_that_is_named_is_that_of_all_jobs_whatever_its_scope(
    tmp_path: Path, scope: str | None, named: str
) -> None:
    """The repository can set the scope, and the store may be named by the pipeline or the administrator."""
    (tmp_path / "_temp").mkdir()
    if named == "link":
        if not can_link_folders():
            pytest.skip("there are no links to folders (Wine: no junctions)")
        (tmp_path / "named").mkdir()
        link_to_folder(tmp_path / "_temp" / "link", tmp_path / "named")
        named = "_temp/link"
    environ = github(tmp_path, "workflow_run", SAFE_INSTALL_CACHE_DIR=str(tmp_path / named))
    settings = settle({"scope": scope}, environ, tmp_path).settings
    assert (settings.scope, settings.cache_dir) == (Scope.JOB, tmp_path / "_temp" / "safe-install" / "store")
    assert settings.runner_dir == tmp_path / named


@pytest.mark.usefixtures("runner_file")
@pytest.mark.parametrize("place", ["app", "app.tmp"])
def test_a_store_that_the_next_job_of_the_slot_meets_is_that_of_all_jobs(tmp_path: Path, place: str) -> None:
    """Neither GitLab nor Jenkins empties these folders, and the next job may be trusted (promise 11)."""
    named = tmp_path / place / "store"
    unprotected = {"GITLAB_CI": "true", "CI_PROJECT_DIR": str(tmp_path / "app"), "CI_JOB_ID": "41"}
    settings = settle(LAYERED, {**unprotected, "SAFE_INSTALL_CACHE_DIR": str(named)}, tmp_path).settings
    assert (settings.scope, settings.cache_dir, settings.runner_dir) == (Scope.JOB, None, named)


@pytest.mark.usefixtures("runner_file")
def test_a_store_in_the_jobs_own_folder_is_its_own(tmp_path: Path) -> None:
    own = tmp_path / "_temp" / "mine"
    settings = settle(LAYERED, github(tmp_path, "workflow_run", SAFE_INSTALL_CACHE_DIR=str(own)), tmp_path).settings
    assert (settings.scope, settings.cache_dir, settings.runner_dir) == (Scope.JOB, own, None)


@pytest.mark.usefixtures("runner_file")
def test_a_command_without_layers_keeps_the_store_that_it_names(tmp_path: Path) -> None:
    environ = github(tmp_path, "workflow_run", SAFE_INSTALL_CACHE_DIR=str(tmp_path / "named"))
    job = settle({}, environ, tmp_path)
    assert (job.settings.cache_dir, bool(job.distrust)) == (tmp_path / "named", True)


@pytest.mark.usefixtures("runner_file")
def test_the_store_of_all_jobs_is_in_the_tool_cache_or_with_the_user(tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    with_tools = settle(LAYERED, github(tmp_path, "push", RUNNER_TOOL_CACHE=str(tmp_path / "tools")), tmp_path)
    assert with_tools.default_store.parent == tmp_path / "tools"
    assert "safe-install" in settle(LAYERED, github(tmp_path, "push"), tmp_path).default_store.parts


@pytest.mark.usefixtures("runner_file")
def test_the_address_that_is_given_beats_that_of_the_platform(tmp_path: Path) -> None:
    environ = {"BUILD_TAG": "jenkins-app-1", "BUILD_URL": "https://jenkins.test/1/"}
    assert settle(LAYERED, environ, tmp_path).url == "https://jenkins.test/1/"
    assert settle({**LAYERED, "job-url": "https://mine.test/"}, environ, tmp_path).url == "https://mine.test/"
