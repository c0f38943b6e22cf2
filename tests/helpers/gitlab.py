"""GitLab pipelines run by ``gitlab-ci-local`` in a shell of this machine.

Where it differs from GitLab: it takes inputs that the file does not know, and neither knows of ``retry`` nor of time-outs. What it
hands to jobs without being told, it is told: that this is GitLab, and whether the branch is protected.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from helpers.act import ROOT
from helpers.missing_parts import missing
from safe_install.fs.remove import remove_tree

if TYPE_CHECKING:
    from collections.abc import Mapping

_PROGRAM = ROOT / ".dev" / "parts" / "gitlab" / "node_modules" / ".bin" / "gitlab-ci-local"
_COLOUR = re.compile(r"\x1b\[[0-9;]*[mK]")


@dataclass(frozen=True)
class Run:
    """What a pipeline did. :param said: what its jobs printed, each line after the job's name."""

    code: int
    said: str

    def lines(self, job: str) -> list[str]:
        """What one job printed."""
        return [line.partition(" > ")[2] for line in self.said.splitlines() if line.startswith(f"{job} ")]


class GitLab:
    """A runner with a project in it. :param folder: for everything it writes."""

    def __init__(self, folder: Path, variables: Mapping[str, str]) -> None:
        if not _PROGRAM.exists() or shutil.which("rsync") is None:
            missing("gitlab-ci-local", "bash tests/install-parts.sh")
        self.home = folder / "home"
        self.project = folder / "my project"
        for each in (self.home, self.project):
            each.mkdir()
        self.variables = {"GITLAB_CI": "true", "CI_COMMIT_REF_PROTECTED": "true", **variables}
        self._git("init", "--quiet", "--initial-branch=main")
        self._git("remote", "add", "origin", "git@gitlab.example.org:group/project.git")

    def write(self, name: str, text: str) -> Path:
        """Write a file of the project."""
        path = self.project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def run(self, pipeline: str, *arguments: str) -> Run:
        """Commit everything, run *pipeline*, and wait for it."""
        process = self.start(pipeline, *arguments)
        try:
            stdout, _ = process.communicate(timeout=240)
        finally:
            process.kill()
            process.wait()
        return Run(process.returncode, _COLOUR.sub("", stdout))

    def start(self, pipeline: str, *arguments: str) -> subprocess.Popen[str]:
        """As `run`, without waiting; at the head of a process group of its own."""
        self.write(".gitlab-ci.yml", pipeline)
        self._git("add", "--all")
        self._git(
            "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "--quiet", "--allow-empty", "-m", "t"
        )
        given = [part for name, value in self.variables.items() for part in ("--variable", f"{name}={value}")]
        options = ["--force-shell-executor", "--shell-isolation", "--no-artifacts-to-source", *given]
        return subprocess.Popen(
            [_PROGRAM, *options, *arguments],
            cwd=self.project,
            env={
                "PATH": os.pathsep.join((str(Path(sys.base_prefix, "bin")), os.environ["PATH"])),
                "HOME": str(self.home),
                "PYTHONDONTWRITEBYTECODE": "1",
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )

    def forget(self) -> None:
        """Let the next job meet a runner that knows nothing."""
        remove_tree(self.home / ".cache" / "safe-install")

    def saved(self) -> list[Path]:
        """The files in the cache that jobs share."""
        return [path for path in self.project.glob(".gitlab-ci-local/cache/**/*") if path.is_file()]

    def _git(self, *arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=self.project, check=True, capture_output=True)
