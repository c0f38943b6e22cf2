"""Commands in any order on one store, one seed and a few environments, some of them killed and some entries damaged.

After each step every environment whose last command reported success imports and equals its lock (promises 1, 4, 5
and 9). The steps follow from a seed, which a failure tells with all steps up to it. A short walk is part of the test
suite; a long one goes on until the time is up, from seed to seed::

    python3 dev.py test tests/walk --walk-minutes 10
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from helpers.capabilities import unix_only
from helpers.command import Command
from helpers.memory import tmp_path
from helpers.stocked_index import StockedIndex

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from helpers.index import Offered

__all__ = ["tmp_path"]

pytestmark = unix_only
STEPS = 150  # about a minute
SEED = 20240611
ENVIRONMENTS = ("one", "two", "three")
PROJECTS = ("alpha", "beta", "delta")
# The documented exit codes of a command that fails, and of one that was killed.
FAILURES = {1, 2, 3, 4, 5, 6, 7, 8, 9, -signal.SIGKILL}


@pytest.fixture
def index() -> Iterator[StockedIndex]:
    with StockedIndex() as index:
        yield index


class Walk:
    """A store, a seed, environments, and what is known of each. :param number: from which all steps follow."""

    def __init__(self, folder: Path, index: StockedIndex, number: int) -> None:
        self._random = random.Random(number)
        self.command = Command(home=folder / "home", folder=folder / "work")
        self.command.use(index)
        self.steps: list[str] = [f"seed {number}"]
        self._files = _stock(index)
        self._published = False
        self._good: dict[str, dict[str, str]] = {}
        """By environment whose last command succeeded: what it must hold."""
        self._actions: list[Callable[[], None]] = [
            *[self._sync] * 4,
            self._killed_sync,
            self._publish_seed,
            self._roll_back,
            self._collect,
            self._clean,
            self._verify,
            self._corrupt,
            self._edit_environment,
        ]

    def step(self) -> None:
        """Do something, and look at all environments."""
        self._random.choice(self._actions)()
        for name, versions in self._good.items():
            self._look_at(name, versions)

    def _lock(self) -> tuple[Path, dict[str, str]]:
        versions = {name: self._random.choice(("1.0", "2.0")) for name in PROJECTS if self._random.random() < 0.8}
        lines = [
            f"{name}=={version} --hash=sha256:{self._files[name, version].sha256}\n"
            for name, version in versions.items()
        ]
        return self.command.write(f"lock-{len(self.steps)}.txt", "".join(lines)), versions

    def _sync(self) -> None:
        name = self._random.choice(ENVIRONMENTS)
        lock, versions = self._lock()
        options = [] if not self._published or self._random.random() < 0.5 else ["--seed", str(self._seed)]
        mode = self._random.choice(("auto", "copy", "hardlink"))
        self._good.pop(name, None)
        self._run("sync", lock, "--venv", self._venv(name), "--link-mode", mode, *options, code=0)
        self._good[name] = versions

    def _killed_sync(self) -> None:
        name = self._random.choice(ENVIRONMENTS)
        lock, _ = self._lock()
        self._good.pop(name, None)
        pause = self._random.uniform(0.05, 0.8)
        process = self.command.start("sync", lock, "--venv", self._venv(name))
        try:
            process.communicate(timeout=pause)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        self.steps.append(f"sync {name} killed after {pause:.2f} s: {process.returncode}")

    def _publish_seed(self) -> None:
        self._run("seed", "publish", self._seed, self._lock()[0])
        self._published = self._seed.exists()

    def _roll_back(self) -> None:
        if self._published:
            self._run("seed", "rollback", self._seed)

    def _collect(self) -> None:
        self._run("cache", "gc", "--max-size", self._random.choice(("1", "20kB", "1GB")), code=0)

    def _clean(self) -> None:
        self._run("cache", "clean", self._random.choice(PROJECTS), code=0)

    def _verify(self) -> None:
        self._run("cache", "verify")

    def _corrupt(self) -> None:
        """Damage a file of the store, in a new file: those of environments are other names of the old one."""
        files = sorted((self.command.store / "wheels-1").glob("*/*/tree/**/*.py"))
        if not files:
            return
        path = self._random.choice(files)
        content = bytearray(path.read_bytes())
        path.unlink()
        damage = self._random.choice(("cut", "zeros", "missing"))
        if damage != "missing":
            path.write_bytes(b"" if damage == "cut" else bytes(len(content)))
        self.steps.append(f"{damage}: {path}")

    def _edit_environment(self) -> None:
        """A job writes to its own files, and to those that others share with it; afterwards all of these jobs end."""
        files = sorted(self.command.folder.glob("*/lib/*/site-packages/*/__init__.py"))
        files = [path for path in files if path.parent.name in PROJECTS]
        if files:
            path = self._random.choice(files)
            path.chmod(0o644)
            path.write_text("raise SystemExit('edited')\n", encoding="utf-8")
            self._good.clear()
            self.steps.append(f"edited: {path}")
            # What is installed already is not looked into; the next environments must be right.
            for name in ENVIRONMENTS:
                shutil.rmtree(self._venv(name), ignore_errors=True)

    def _run(self, *arguments: str | Path, code: int | None = None) -> None:
        process = self.command.start(*arguments)
        stdout, stderr = process.communicate(timeout=120)
        self.steps.append(f"{' '.join(map(str, arguments))}: {process.returncode}")
        allowed = {code} if code is not None else {0, *FAILURES}
        assert process.returncode in allowed, f"{self}\n{stdout}\n{stderr}"

    def _look_at(self, name: str, versions: dict[str, str]) -> None:
        assert self.command.installed(self._venv(name)) == versions, f"{name} is not what its lock says\n{self}"
        code = "import importlib, sys; print(*(importlib.import_module(name).__version__ for name in sys.argv[1:]))"
        python = self._venv(name) / "bin" / "python"
        done = subprocess.run([python, "-c", code, *versions], capture_output=True, text=True, check=False)
        assert done.stdout.split() == list(versions.values()), f"{name} does not import\n{done.stderr}\n{self}"

    def _venv(self, name: str) -> Path:
        return self.command.folder / name

    @property
    def _seed(self) -> Path:
        return self.command.home / "seed"

    def __str__(self) -> str:
        return "\n".join(self.steps)


def _stock(index: StockedIndex) -> dict[tuple[str, str], Offered]:
    found = {}
    for version in ("1.0", "2.0"):
        for name in PROJECTS:
            found[name, version] = index.sdist(name, version) if name == "delta" else index.wheel(name, version)
    return found


@pytest.mark.timeout(3600)
def test_whatever_happens_environments_that_reported_success_are_right(
    tmp_path: Path, index: StockedIndex, request: pytest.FixtureRequest
) -> None:
    minutes = request.config.getoption("--walk-minutes", default=0.0)
    end = time.monotonic() + 60 * minutes
    number = SEED
    while True:
        walk = Walk(tmp_path / str(number), index, number)
        for _ in range(STEPS):
            walk.step()
        number += 1
        if time.monotonic() >= end:
            break
