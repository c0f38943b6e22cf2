"""Copies of the source trees in ``tests/projects``, and environments to build them in."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from helpers import in_tree_backend

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from packaging.requirements import Requirement

    from safe_install.models import Interpreter
    from safe_install.protocols import BuildEnvironment

PROJECTS = Path(__file__).parents[1] / "projects"

_DESCRIPTION = {
    "name": "demo",
    "version": "1.0",
    "requires_dist": ["other>=1"],
    "requires_python": None,
    "extras": [],
    "entry_points": None,
    "sleep": 0,
    "failure": None,
}


def project(name: str, folder: Path) -> Path:
    """Copy the tree *name* into *folder*, with what all trees share, and return its path."""
    tree = folder / name
    shutil.copytree(PROJECTS / name, tree, ignore=shutil.ignore_patterns("__pycache__"))
    (tree / "demo").mkdir(exist_ok=True)
    (tree / "demo" / "__init__.py").write_text('__version__ = "1.0"\n')
    (tree / "_backend").mkdir(exist_ok=True)
    shutil.copy(Path(in_tree_backend.__file__), tree / "_backend")
    (tree / "_backend" / "project.json").write_text(json.dumps(_DESCRIPTION))
    return tree


@dataclass(frozen=True)
class Environment:
    """A virtual environment at *folder*."""

    folder: Path

    @property
    def scripts(self) -> Path:
        """Its folder of commands."""
        return self.folder / ("Scripts" if sys.platform == "win32" else "bin")

    @property
    def python(self) -> str:
        """Its interpreter."""
        return str(self.scripts / ("python.exe" if sys.platform == "win32" else "python"))


class BareFiller:
    """Makes environments by `venv`, and notes what should be installed without doing it."""

    def __init__(self) -> None:
        self.wanted: list[str] = []

    def create(self, folder: Path, interpreter: Interpreter) -> BuildEnvironment:
        """Make an empty environment."""
        command = [interpreter.executable, "-m", "venv", "--without-pip", str(folder)]
        subprocess.run(command, check=True, capture_output=True)
        return Environment(folder)

    def fill(self, environment: BuildEnvironment, requirements: Iterable[Requirement]) -> Mapping[str, str]:
        """Install nothing."""
        texts = [str(requirement) for requirement in requirements]
        self.wanted += texts
        return dict.fromkeys(texts, "0")


class PipFiller(BareFiller):
    """Fills environments by the pip that runs beside the tests, from the index that it is configured for."""

    def fill(self, environment: BuildEnvironment, requirements: Iterable[Requirement]) -> Mapping[str, str]:
        """Install, and return what is there afterwards."""
        texts = [str(requirement) for requirement in requirements]
        self.wanted += texts
        pip = [sys.executable, "-m", "pip", "--python", environment.python]
        if texts:
            command = [*pip, "install", "--quiet", "--no-cache-dir", "--no-warn-script-location", *texts]
            subprocess.run(command, check=True, capture_output=True)
        listed = subprocess.run([*pip, "list", "--format=json"], check=True, capture_output=True, text=True).stdout
        return {entry["name"]: entry["version"] for entry in json.loads(listed)}
