"""Write `reference/platforms.md` from the code: ``python3 dev.py run python docs/platforms_page.py``.

Each line of its tables is what the code answers for the variables of such a job; a test compares the two.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Final

from safe_install.platforms.detection import SIGNS, Platform
from safe_install.platforms.github import ON_BEHALF
from safe_install.platforms.job import Job, job_at_hand

PAGE = Path(__file__).parent / "reference" / "platforms.md"
TEXT = """\
# Platforms

Every command finds out which CI platform runs it, from the variables below in this order, and takes three things from
it: which folders belong to the job and to its runner, the address of the job (told to those who wait for it), and how
far the job is trusted. `ci-install layout` shows what comes of that and of what the folders can do.

| platform | is told by | promised at |
| --- | --- | --- |
{signs}
## Folders

| job | the store of all jobs | a job's own folder (`--scope job`) | emptied by the platform |
| --- | --- | --- | --- |
{folders}
`DIGEST` is made from the job's identity, so that no job meets the folder of another one. Where the platform does not
empty it, a trusted job registers its store with that of all jobs, whose clean-up removes it; an untrusted one, which
may not, has a temporary store that is gone when the command ends. A tool cache that is missing or that this user
cannot write is passed by, for the cache folder of the user.

What the folders can do is not asked of the platform but found by doing it there: a home on NFS or a container's
overlay lowers link mode and locks as the page on [file systems](file-systems.md) says, and `ci-install doctor` names
the reason.

- With the user's home on NFS, the user's cache folder is one store for all hosts. Its files are copied into
  environments on a local disk, since no link leads there from the server, and scratch stays local. Two hosts share such
  a home in `tests/nfs/test_home.py`, with the variables of GitLab and of Jenkins.
- On Windows the folder in the tool cache has no number, since it has one user there.
- A runner that lives for one job has nothing to share with: name a seed, or carry the store in the platform's cache.

## Trust

An untrusted job reads every layer and writes to none that others read.

| job | trusted | because |
| --- | --- | --- |
{trust}
Settings (`--trust`, `SAFE_INSTALL_TRUST`, the project's files) can only lower this. Where several platforms have left
their signs, the one that trusts least counts. A store that the settings of such a job name with `--cache-dir`, outside
of the job's own folder, is read as the one of all jobs, whatever they say of its scope: a workspace is met by the next
job, which may be trusted. Commands that
change a store or a seed are refused (exit code 9). Each such job is told once, on screen and among the `step_downs` of
its report. A job that only its settings call untrusted takes the store that they name for its own.

What a platform lets a repository set, such as variables of its own, is no protection: where trusted and untrusted jobs
run as one user of one runner, `ci-install doctor` says that this is a danger.

## The runner's administrator

`/etc/safe-install/runner.toml` (on Windows `safe-install\\runner.toml` in the folder of all users' data), or the file
that `SAFE_INSTALL_RUNNER_FILE` names, holds [settings](settings.md) for all jobs of a runner. A project's settings beat
it, but for `trust`, where it has the last word:

```toml
runner-dir = "/srv/ci/safe-install"
seed = ["/opt/safe-install-seed"]
trust = "untrusted"
```

A file in the workspace is refused, and one that a variable names can lower trust only. On runners that live for one job
(Kubernetes, autoscaling), bake a seed into the image or mount it read-only, name it here, and set `scope = "job"`.

## Other tools

`ci-install layout --format env` (or `dotenv`, `github`, `powershell`, `cmd`) writes the layout as variables: those of
the settings, and on a CI platform also those that keep the caches of uv, pip, Poetry, PDM, Pipenv, pip-tools and
virtualenv in the folder of this job's slot, apart for trusted and untrusted jobs.

```console
$ eval "$(ci-install layout --format env)"
$ ci-install layout --format github >>"$GITHUB_ENV"
```

This page is made by `docs/platforms_page.py`.
"""

_PUSH: Final = {"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "push", "GITHUB_REPOSITORY": "team/app"}
_PROTECTED: Final = {"GITLAB_CI": "true", "CI_COMMIT_REF_PROTECTED": "true", "CI_PROJECT_ID": "7"}
_JENKINS: Final = {"BUILD_TAG": "jenkins-app-12"}


def platforms_page() -> str:
    """Return the page."""
    signs = "".join(f"| {each.title} | `{each.variable}={each.value}`… | <{each.source}> |\n" for each in SIGNS)
    signs += "| local | nothing of these | |\n"
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        return TEXT.format(signs=signs, folders=_folders(root), trust=_trust(root))


def _folders(root: Path) -> str:
    (root / "tools").mkdir()
    jobs = {
        "GitHub, tool cache of the runner (hosted, self-hosted, in a container)": {
            **_PUSH,
            "RUNNER_TEMP": str(root / "RUNNER_TEMP"),
            "RUNNER_TOOL_CACHE": str(root / "tools"),
        },
        "GitHub, without a tool cache": {**_PUSH, "RUNNER_TEMP": str(root / "RUNNER_TEMP")},
        "GitLab": {**_PROTECTED, "CI_PROJECT_DIR": str(root / "CI_PROJECT_DIR"), "CI_JOB_ID": "1"},
        "Jenkins": {**_JENKINS, "WORKSPACE": "/w", "WORKSPACE_TMP": str(root / "WORKSPACE_TMP")},
        "Jenkins, without WORKSPACE_TMP": {**_JENKINS, "WORKSPACE": str(root / "WORKSPACE")},
        "local": {},
    }
    return "".join(f"| {title} | {_folder_cells(job_at_hand(environ), root)} |\n" for title, environ in jobs.items())


def _folder_cells(job: Job, root: Path) -> str:
    shared = "the user's cache folder"
    if job.runner_folder is not None:
        user = str(os.getuid()) if hasattr(os, "getuid") else ""
        shared = f"`RUNNER_TOOL_CACHE/{job.runner_folder.name.removesuffix(user)}UID` (without the number on Windows)"
    own = "a temporary one, gone at the end of the command"
    if job.own_folder is not None:
        parts = job.own_folder.relative_to(root).parts
        name = parts[-1] if job.platform is Platform.GITHUB else "safe-install-DIGEST"
        own = f"`{'/'.join((*parts[:-1], name, 'store'))}`"
    emptied = {True: "yes", False: "no"}[job.is_emptied] if job.own_folder else ""
    return f"{shared} | {own} | {emptied}"


def _trust(root: Path) -> str:
    event = root / "event.json"
    event.write_text(json.dumps({"pull_request": {"head": {"repo": {"full_name": "team/app"}}}}), encoding="utf-8")
    fork = root / "fork.json"
    fork.write_text(json.dumps({"pull_request": {"head": {"repo": {"full_name": "stranger/app"}}}}), encoding="utf-8")
    request = {**_PUSH, "GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": str(event)}
    jobs = {
        "GitHub, `push` and every other event": _PUSH,
        "GitHub, a pull request within the repository": request,
        "GitHub, a pull request from a fork": {**request, "GITHUB_EVENT_PATH": str(fork)},
        "GitHub, a pull request of unknown origin": {**request, "GITHUB_EVENT_PATH": ""},
        "GitHub, whatever Dependabot started": {**request, "GITHUB_ACTOR": "dependabot[bot]"},
        **{f"GitHub, `{name}`": {**_PUSH, "GITHUB_EVENT_NAME": name} for name in sorted(ON_BEHALF)},
        "GitLab, a protected branch or tag": _PROTECTED,
        "GitLab, any other ref": {**_PROTECTED, "CI_COMMIT_REF_PROTECTED": "false", "CI_COMMIT_REF_NAME": "try"},
        "GitLab, a merge request from a fork": {
            **_PROTECTED,
            "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "8",
            "CI_MERGE_REQUEST_SOURCE_PROJECT_PATH": "stranger/app",
        },
        "Jenkins, a branch or tag": _JENKINS,
        "Jenkins, a change request": {**_JENKINS, "CHANGE_ID": "9"},
        "local": {},
    }  # fmt: skip
    lines = []
    for title, environ in jobs.items():
        verdict = job_at_hand(environ).verdict
        lines.append(f"| {title} | {'no' if verdict.reason else 'yes'} | {verdict.reason} |\n")
    return "".join(lines)


if __name__ == "__main__":
    PAGE.write_text(platforms_page(), encoding="utf-8", newline="\n")
