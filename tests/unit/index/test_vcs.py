"""Repositories are checked out at the revision that was asked for, and leave nothing behind when that fails."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from helpers.missing_parts import program

from safe_install.errors import ExitCode, InputError, NetworkError
from safe_install.events import Event, Retried
from safe_install.index.vcs import checkout
from safe_install.models import VcsSource

if TYPE_CHECKING:
    from helpers.index import LocalIndex


class Repository:
    """A repository on this disk that tests commit to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._program = str(program("git", "install git"))
        self.env = {
            "PATH": str(Path(self._program).parent) + os.pathsep + os.environ.get("PATH", ""),
            "HOME": str(folder.parent),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "a",
            "GIT_AUTHOR_EMAIL": "a@example.com",
            "GIT_COMMITTER_NAME": "a",
            "GIT_COMMITTER_EMAIL": "a@example.com",
            # Submodules from local paths are refused otherwise (CVE-2022-39253).
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "protocol.file.allow",
            "GIT_CONFIG_VALUE_0": "always",
        }
        folder.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            [self._program, *arguments], cwd=self.folder, env=self.env, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self, content: str) -> str:
        (self.folder / "sub").mkdir(exist_ok=True)
        (self.folder / "sub" / "file.txt").write_text(content)
        self.git("add", "-A")
        self.git("commit", "--quiet", "-m", content)
        return self.git("rev-parse", "HEAD")

    @property
    def source(self) -> VcsSource:
        return VcsSource(vcs="git", url=self.folder.as_uri())


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "origin")


def content(folder: Path) -> str:
    return (folder / "sub" / "file.txt").read_text()


@pytest.mark.parametrize("as_url", [True, False])
def test_without_a_revision_the_default_branch_is_taken(repository: Repository, tmp_path: Path, as_url: bool) -> None:
    commit = repository.commit("one")
    url = repository.folder.as_uri() if as_url else str(repository.folder)
    source = VcsSource(vcs="git", url=url, subdirectory="sub")
    assert checkout(source, tmp_path / "out", env=repository.env) == replace(source, commit_id=commit)
    assert content(tmp_path / "out") == "one"


def test_branches_tags_and_commits_are_found(repository: Repository, tmp_path: Path) -> None:
    first = repository.commit("one")
    repository.git("tag", "-m", "annotated", "v1")
    repository.git("checkout", "--quiet", "-b", "feature/x")
    second = repository.commit("two")
    repository.git("checkout", "--quiet", "main")
    third = repository.commit("three")
    wanted = {"v1": first, "feature/x": second, "main": third, second[:10]: second, first: first, "refs/tags/v1": first}
    for number, (revision, commit) in enumerate(wanted.items()):
        found = checkout(replace(repository.source, revision=revision), tmp_path / str(number), env=repository.env)
        assert (revision, found.commit_id) == (revision, commit)


def test_a_branch_beats_a_tag_of_its_name_but_not_a_commit(repository: Repository, tmp_path: Path) -> None:
    first = repository.commit("one")
    repository.git("tag", "both")
    repository.git("branch", "-q", "both")
    repository.git("checkout", "--quiet", "both", "--")
    second = repository.commit("two")
    repository.git("update-ref", f"refs/heads/{first}", second)
    found = checkout(replace(repository.source, revision="both"), tmp_path / "a", env=repository.env)
    assert found.commit_id == second
    found = checkout(replace(repository.source, revision=first), tmp_path / "b", env=repository.env)
    assert found.commit_id == first


def test_a_known_commit_beats_the_branch_that_moved_on(repository: Repository, tmp_path: Path) -> None:
    first = repository.commit("one")
    repository.commit("two")
    source = replace(repository.source, revision="main", commit_id=first)
    assert checkout(source, tmp_path / "out", env=repository.env).commit_id == first
    assert content(tmp_path / "out") == "one"


def test_refs_that_clones_do_not_bring_are_fetched(repository: Repository, tmp_path: Path) -> None:
    repository.commit("one")
    repository.git("checkout", "--quiet", "-b", "topic")
    commit = repository.commit("from a pull request")
    repository.git("update-ref", "refs/pull/7/head", commit)
    repository.git("checkout", "--quiet", "main")
    repository.git("branch", "--quiet", "-D", "topic")
    source = replace(repository.source, revision="refs/pull/7/head")
    assert checkout(source, tmp_path / "out", env=repository.env).commit_id == commit


def test_submodules_come_along(repository: Repository, tmp_path: Path) -> None:
    inner = Repository(tmp_path / "inner")
    inner.commit("inner content")
    repository.commit("one")
    repository.git("submodule", "--quiet", "add", inner.folder.as_uri(), "module")
    repository.commit("two")
    checkout(repository.source, tmp_path / "out", env=repository.env)
    assert (tmp_path / "out" / "module" / "sub" / "file.txt").read_text() == "inner content"


def test_nothing_of_a_local_repository_is_shared_with_its_copy(repository: Repository, tmp_path: Path) -> None:
    """A build may edit its checkout; hard links would carry that into the origin's objects (uv#11420)."""
    repository.commit("one")
    checkout(replace(repository.source, url=str(repository.folder)), tmp_path / "out", env=repository.env)
    links = [path.stat().st_nlink for path in tmp_path.rglob("*") if path.is_file()]
    assert set(links) == {1}


def test_variables_of_a_surrounding_hook_are_not_followed(repository: Repository, tmp_path: Path) -> None:
    commit = repository.commit("one")
    hook = {**repository.env, "GIT_DIR": str(tmp_path / "elsewhere"), "GIT_WORK_TREE": str(tmp_path / "tree")}
    assert checkout(repository.source, tmp_path / "out", env=hook).commit_id == commit


def test_a_missing_repository_is_told_with_what_git_said(repository: Repository, tmp_path: Path) -> None:
    source = VcsSource(vcs="git", url=(tmp_path / "absent").as_uri())
    with pytest.raises(NetworkError) as caught:
        checkout(source, tmp_path / "out", env=repository.env)
    assert (caught.value.code, caught.value.exit_code) == ("vcs-failed", ExitCode.NETWORK)
    assert any("does not appear to be a git repository" in line for line in caught.value.context)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"revision": "no-such-branch"}, "revision-not-found"),
        ({"revision": "0" * 40}, "vcs-failed"),
        ({"subdirectory": "absent"}, "subdirectory-missing"),
        ({"subdirectory": ".."}, "subdirectory-missing"),
        ({"subdirectory": "sub/file.txt"}, "subdirectory-missing"),
    ],
)
def test_what_the_repository_does_not_have_leaves_nothing_behind(
    repository: Repository, tmp_path: Path, change: dict[str, str], code: str
) -> None:
    repository.commit("one")
    with pytest.raises(NetworkError) as caught:
        checkout(replace(repository.source, **change), tmp_path / "out", env=repository.env)
    assert caught.value.code == code
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("revision", ["", "--upload-pack=touch hacked", "a\nb"])
def test_what_is_no_revision_never_reaches_git(repository: Repository, tmp_path: Path, revision: str) -> None:
    with pytest.raises(InputError) as caught:
        checkout(replace(repository.source, revision=revision), tmp_path / "out", env=repository.env)
    assert caught.value.code == "revision-invalid"


def test_a_url_that_looks_like_an_option_is_none(repository: Repository, tmp_path: Path) -> None:
    source = VcsSource(vcs="git", url=f"--upload-pack=touch {tmp_path / 'hacked'}")
    with pytest.raises(NetworkError):
        checkout(source, tmp_path / "out", env=repository.env)
    assert not (tmp_path / "hacked").exists()


def test_an_interrupt_leaves_nothing_behind(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.commit("one")
    run = subprocess.run

    def interrupted(command: list[str], **options: Any) -> subprocess.CompletedProcess[Any]:
        if "checkout" in command:
            assert (tmp_path / "out" / ".git").is_dir()
            raise KeyboardInterrupt
        return run(command, **options)

    monkeypatch.setattr(subprocess, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        checkout(repository.source, tmp_path / "out", env=repository.env)
    assert not (tmp_path / "out").exists()


def test_without_git_there_is_a_hint(repository: Repository, tmp_path: Path) -> None:
    with pytest.raises(NetworkError) as caught:
        checkout(repository.source, tmp_path / "out", env={"PATH": str(tmp_path)})
    assert caught.value.code == "git-missing"
    assert "install git" in (caught.value.hint or "")


def test_other_systems_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        checkout(VcsSource(vcs="hg", url="https://h.example/x"), tmp_path / "out", env={})
    assert caught.value.code == "vcs-unsupported"


@pytest.mark.parametrize("url", ["https://h.example/x.git", "git@h.example:x.git", "ssh://git@h.example/x.git"])
def test_offline_only_local_repositories_are_read(repository: Repository, tmp_path: Path, url: str) -> None:
    repository.commit("one")
    checkout(repository.source, tmp_path / "local", env=repository.env, offline=True)
    with pytest.raises(NetworkError) as caught:
        checkout(VcsSource(vcs="git", url=url), tmp_path / "out", env=repository.env, offline=True)
    assert caught.value.code == "offline"


def test_an_unauthorized_repository_asks_nobody_and_tells_no_secret(
    repository: Repository, tmp_path: Path, local_index: LocalIndex
) -> None:
    local_index.credentials = ("user", "right")
    url = f"{local_index.base}/repo.git".replace("://", "://user:wr0ng@")
    with pytest.raises(NetworkError) as caught:
        checkout(VcsSource(vcs="git", url=url), tmp_path / "out", env=repository.env)
    assert caught.value.code == "vcs-failed"
    assert "wr0ng" not in str(caught.value) + repr(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_server_that_fails_for_a_moment_is_tried_again(
    repository: Repository, tmp_path: Path, local_index: LocalIndex
) -> None:
    local_index.fail(status=503)
    events: list[Event] = []
    source = VcsSource(vcs="git", url=f"{local_index.base}/repo.git")
    with pytest.raises(NetworkError) as caught:
        checkout(source, tmp_path / "out", env=repository.env, retry_budget=60.0, sink=events.append)
    assert [type(event) for event in events] == [Retried]
    assert "not found" in str(caught.value)


def test_credentials_do_not_stay_in_the_checkout(
    repository: Repository, tmp_path: Path, local_index: LocalIndex
) -> None:
    commit = repository.commit("one")
    served = tmp_path / "served.git"
    repository.git("clone", "--quiet", "--bare", str(repository.folder), str(served))
    subprocess.run(["git", "update-server-info"], cwd=served, env=repository.env, check=True)
    for path in served.rglob("*"):
        if path.is_file():
            name = path.relative_to(tmp_path).as_posix()
            local_index.add_page(f"/{name}", path.read_bytes(), content_type="application/octet-stream")
    local_index.credentials = ("user", "s3cret")
    url = f"{local_index.base}/served.git".replace("://", "://user:s3cret@")
    found = checkout(VcsSource(vcs="git", url=url), tmp_path / "out", env=repository.env)
    assert found.commit_id == commit
    assert content(tmp_path / "out") == "one"
    assert "s3cret" not in "".join(
        path.read_text(errors="replace") for path in (tmp_path / "out" / ".git").rglob("*") if path.is_file()
    )
