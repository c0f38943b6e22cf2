"""The first example of each platform's page, run as it stands."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from helpers.act import ROOT, Act
from helpers.capabilities import linux_only
from helpers.gitlab import GitLab
from helpers.groovy import run_pipeline
from helpers.stocked_index import StockedIndex

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [linux_only, pytest.mark.index]


def example(page: str, language: str) -> str:
    """The first block of *language* on a page."""
    found = re.search(rf"```{language}\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return found[1]


def test_github(tmp_path: Path, checkout: Path, variables: dict[str, str], index: StockedIndex) -> None:
    index.wheel("flask")
    act = Act(tmp_path, checkout, variables)
    act.write({"requirements.txt": "flask==1.0\n"})
    run = act.run("on: [push]\n" + example("docs/how-to/github.md", "yaml"))
    assert run.jobs == {"test.yml/test": "success"}, run.text
    assert "/site-packages/flask/__init__.py" in run.said


def test_gitlab(tmp_path: Path, variables: dict[str, str], index: StockedIndex) -> None:
    index.wheel("pytest", files={"pytest/__init__.py": "", "pytest/__main__.py": "print('the tests ran')\n"})
    gitlab = GitLab(tmp_path, variables)
    gitlab.write("requirements.txt", "pytest==1.0\n")
    gitlab.write("si.yml", (ROOT / "gitlab" / "safe-install.gitlab-ci.yml").read_text(encoding="utf-8"))
    # A component needs a server; the file that it is does not.
    text = re.sub(r"component: \S+", "local: si.yml", example("docs/how-to/gitlab.md", "yaml"))
    run = gitlab.run(text)
    assert run.code == 0, run.said
    assert "the tests ran" in run.said


def test_jenkins(tmp_path: Path, variables: dict[str, str], index: StockedIndex) -> None:
    index.wheel("pytest", files={"pytest/__init__.py": "", "pytest/__main__.py": "print('the tests ran')\n"})
    (tmp_path / "work space").mkdir()
    (tmp_path / "work space" / "requirements.txt").write_text("pytest==1.0\n")
    library, _, script = example("jenkins/README.md", "groovy").partition(" _\n")
    assert library.startswith("@Library(")
    done = run_pipeline(script, library=ROOT / "jenkins", folder=tmp_path, variables=variables)
    assert done.error is None
    assert "the tests ran" in done.said
