"""The tools that are compared: how each is called to make one environment from one set of pins."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

LinkMode: TypeAlias = Literal["hardlink", "copy", "attach"]
Command: TypeAlias = list[str]

SCRIPTS = "Scripts" if os.name == "nt" else "bin"
BESIDE = Path(sys.executable).parent
SUFFIX = ".exe" if os.name == "nt" else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What one run has to do.

    :param environment: does not exist yet.
    :param store: the tool's own cache; empty for a cold run.
    :param report: where a tool that writes a report is to put it.
    """

    pins: Path
    environment: Path
    store: Path
    report: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One tool with one way of placing files."""

    tool: Literal["ci-install", "uv", "pip"]
    mode: LinkMode
    bytecode: bool

    @property
    def title(self) -> str:
        """How the tables call it."""
        return " ".join([self.tool, *([self.mode] if self.tool != "pip" else []), *(["+ bytecode"] * self.bytecode)])

    @property
    def store_name(self) -> str:
        """Its cache's folder name; contenders of one tool share it when warm."""
        return self.tool

    def commands(self, job: Job) -> list[Command]:
        """What is run, one after the other; the time of all counts, making the environment included."""
        return {"ci-install": self._ci_install, "uv": self._uv, "pip": self._pip}[self.tool](job)

    def commands_again(self, job: Job) -> list[Command]:
        """What is run where the environment is there already, and right."""
        return self.commands(job)[-1:]

    def import_command(self, job: Job, modules: Sequence[str]) -> Command:
        """What imports *modules* in the environment of *job*."""
        return [str(_python(job)), "-c", f"import {', '.join(modules)}"]

    def _ci_install(self, job: Job) -> list[Command]:
        command = [str(BESIDE / f"ci-install{SUFFIX}"), "sync", str(job.pins), "--venv", str(job.environment)]
        command += ["--python", sys.executable, "--cache-dir", str(job.store), "--link-mode", self.mode]
        command += ["--isolation", "shared"] if self.mode == "attach" else []
        command += ["--compile-bytecode" if self.bytecode else "--no-compile-bytecode"]
        return [[*command, "--report", str(job.report), "--quiet"]]

    def _uv(self, job: Job) -> list[Command]:
        uv = [str(BESIDE / f"uv{SUFFIX}"), "--quiet", "--cache-dir", str(job.store)]
        sync = [*uv, "pip", "sync", "--python", str(job.environment), "--link-mode", self.mode, str(job.pins)]
        compiling = ["--compile-bytecode"] if self.bytecode else []
        return [[*uv, "venv", "--python", sys.executable, str(job.environment)], [*sync, *compiling]]

    def _pip(self, job: Job) -> list[Command]:
        python = str(_python(job))
        install = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps"]
        install += ["--cache-dir", str(job.store), *([] if self.bytecode else ["--no-compile"])]
        venv = [sys.executable, "-m", "venv", "--without-pip", str(job.environment)]
        return [venv, [*install, "-r", str(job.pins)]]


def _python(job: Job) -> Path:
    return job.environment / SCRIPTS / f"python{SUFFIX}"


def _both(mode: LinkMode, *, bytecode: bool) -> list[Contender]:
    return [
        Contender(tool="ci-install", mode=mode, bytecode=bytecode),
        Contender(tool="uv", mode=mode, bytecode=bytecode),
    ]


COLD = [
    *_both("hardlink", bytecode=False),
    *_both("hardlink", bytecode=True),
    Contender(tool="pip", mode="copy", bytecode=False),
]
"""With empty caches: what is fetched and unpacked counts, not how it is linked."""

WARM = [
    *_both("hardlink", bytecode=False),
    *_both("hardlink", bytecode=True),
    *_both("copy", bytecode=False),
    Contender(tool="ci-install", mode="attach", bytecode=True),
    Contender(tool="pip", mode="copy", bytecode=False),
]
"""With full caches."""

AGAIN = [*_both("hardlink", bytecode=False), Contender(tool="pip", mode="copy", bytecode=False)]
"""With full caches, on an environment that is right."""

IMPORTING = [*_both("hardlink", bytecode=True), *_both("hardlink", bytecode=False)]
"""With full caches, until large libraries are imported for the first time; `IMPORTED` by set."""
IMPORTED = {"large": ("numpy", "pandas", "scipy.stats", "sklearn.ensemble", "matplotlib.pyplot", "pyarrow", "sympy")}

QUICK = [*_both("hardlink", bytecode=False), Contender(tool="ci-install", mode="attach", bytecode=True)]
"""For CI, where only wrong results count."""


def rival(contender: Contender) -> Contender:
    """Whom its time is divided by: uv doing the same, or without bytecode what comes nearest to it."""
    if contender.tool == "pip" or contender.mode == "attach":
        return Contender(tool="uv", mode="hardlink", bytecode=False)
    return Contender(tool="uv", mode=contender.mode, bytecode=contender.bytecode)
