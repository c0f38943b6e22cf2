"""The files that platforms read, held to what the platforms' own schemas and checkers say."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from helpers.act import ROOT
from helpers.capabilities import linux_only
from helpers.groovy import HERE as JENKINS
from helpers.missing_parts import missing, program

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = linux_only
ACTIONS = [ROOT / "action.yml", *sorted((ROOT / "actions").glob("*/action.yml"))]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
SCRIPTS = sorted(
    path
    for path in (*ROOT.glob("*/**/*.sh"), ROOT / ".ci" / "run", *ROOT.glob(".ci/*"))
    if ".dev" not in path.parts and path.is_file()
)


def check(tool: str, *arguments: str | Path) -> None:
    command = program(tool, f"pip install {tool} (dev.py test brings it)")
    done = subprocess.run([command, *arguments], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", ACTIONS, ids=lambda path: str(path.relative_to(ROOT)))
def test_action_fits_the_schema_and_is_safe(path: Path) -> None:
    check("check-jsonschema", "--builtin-schema", "vendor.github-actions", path)
    check("zizmor", "--offline", "--persona", "pedantic", path)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflow_fits_the_schema_and_is_safe(path: Path) -> None:
    check("check-jsonschema", "--builtin-schema", "vendor.github-workflows", path)
    check("zizmor", "--offline", path)
    check("actionlint", path)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_script_of_a_shell(path: Path) -> None:
    check("shellcheck", "--external-sources", path)


def broken_rules(folder: Path) -> set[str]:
    """The rules of CodeNarc for Jenkins that a file in *folder* breaks."""
    java, jars = shutil.which("java"), ROOT / ".dev" / "parts" / "codenarc"
    if java is None or not jars.exists():
        missing("CodeNarc", "bash tests/install-parts.sh")
    classes = f"{jars}/*:{JENKINS / 'stubs'}:{ROOT / 'jenkins' / 'src'}"
    done = subprocess.run(
        [
            java,
            "-cp",
            classes,
            "org.codenarc.CodeNarc",
            f"-basedir={folder}",
            "-includes=**/*.groovy",
            "-excludes=run.groovy,rules.groovy,stubs/**",
            f"-rulesetfiles=file:{JENKINS / 'rules.groovy'}",
            "-report=text:stdout",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Compilation" not in done.stdout, done.stdout
    assert "TotalFiles=0" not in done.stdout
    return set(re.findall(r"Rule=(\w+)", done.stdout))


def test_jenkins_library_can_be_transformed_by_jenkins() -> None:
    assert broken_rules(ROOT / "jenkins") == set()


def test_rules_of_jenkins_find_what_they_are_for() -> None:
    rules = re.findall(r"jenkins\.(\w+?)(?:Rule)?\)", (JENKINS / "rules.groovy").read_text(encoding="utf-8"))
    assert len(rules) == 7
    assert broken_rules(JENKINS) == set(rules)
