"""The real command as a process of its own, in surroundings that hold nothing of this machine, and what it leaves.

::

    command("sync", "requirements.txt")
    failed = command("install", "absent", code=1)
    assert failed.error == "not-found"

Everything that a call could leave behind lies below one folder; `Command.litter` lists what should not be there, and
`Command.unchanged` holds a call that fails to leaving everything as it was.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers.environments import tree_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from helpers.index import LocalIndex

# What a process needs to run at all; on Windows nothing starts without the second group.
_NEEDED = ("PATH", "SYSTEMROOT", "WINDIR", "COMSPEC", "PATHEXT", "NUMBER_OF_PROCESSORS")
_LOCKS = re.compile(r"\..+\.safe-install\.lock(\.owner)?")


@dataclass(frozen=True)
class Result:
    """What one call did. :param report: what it wrote to the file of ``--report``, when it wrote one."""

    code: int
    stdout: str
    stderr: str
    report: Mapping[str, Any] | None

    @property
    def error(self) -> str | None:
        """The code of the error in the report."""
        error = self._report["error"]
        return None if error is None else str(error["code"])

    @property
    def counts(self) -> Mapping[str, int]:
        """The counts of the report."""
        counts: Mapping[str, int] = self._report["counts"]
        return counts

    @property
    def versions(self) -> dict[str, str]:
        """The distributions of the report."""
        return {each["name"]: each["version"] for each in self._report["distributions"]}

    @property
    def actions(self) -> dict[str, str]:
        """What the report says was done with each."""
        return {each["name"]: each["action"] for each in self._report["distributions"]}

    @property
    def text(self) -> str:
        """Everything that the call said, anywhere."""
        return "\n".join((self.stdout, self.stderr, json.dumps(self.report)))

    @property
    def _report(self) -> Mapping[str, Any]:
        assert self.report is not None, f"there is no report; it said {self.stderr}"
        return self.report


@dataclass
class Command:
    """Calls ``ci-install``. Settings that all calls share are in `variables`, which a test may change.

    :param home: of the user; holds the store, the scratch folder and the temporary folder too.
    :param folder: the working folder.
    :param user: and *group*: number of another user to act as, to whom both folders are given; needs root.
    :param umask: of the calls; that of this process when negative.
    """

    home: Path
    folder: Path
    variables: dict[str, str] = field(default_factory=dict)
    user: int | None = None
    group: int | None = None
    umask: int = -1
    python: str = sys.executable

    def __post_init__(self) -> None:
        for folder in (self.home, self.folder, self.temporary):
            folder.mkdir(parents=True, exist_ok=True)
            if self.user is not None:
                os.chown(folder, self.user, self.user if self.group is None else self.group)
        self.variables = {
            **{name: os.environ[name] for name in _NEEDED if name in os.environ},
            "HOME": str(self.home),
            "USERPROFILE": str(self.home),
            "APPDATA": str(self.home / "roaming"),
            "LOCALAPPDATA": str(self.home / "local"),
            "XDG_CACHE_HOME": str(self.home / "cache"),
            "XDG_CONFIG_HOME": str(self.home / "config"),
            "XDG_CONFIG_DIRS": str(self.home / "config-dirs"),
            "PIP_CONFIG_FILE": os.devnull,
            "TMPDIR": str(self.temporary),
            "TEMP": str(self.temporary),
            "TMP": str(self.temporary),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_SYSTEM": os.devnull,
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUTF8": "1",
            "SAFE_INSTALL_CACHE_DIR": str(self.store),
            "SAFE_INSTALL_SCRATCH": str(self.scratch),
            "SAFE_INSTALL_REPORT": str(self.report_path),
            # A test that is about them sets them; the others shall be quick.
            "SAFE_INSTALL_COMPILE_BYTECODE": "no",
            "SAFE_INSTALL_RETRY_BUDGET": "0",
            "SAFE_INSTALL_TIMEOUT": "20",
            **self.variables,
        }

    @property
    def store(self) -> Path:
        return self.home / "store"

    @property
    def scratch(self) -> Path:
        return self.home / "scratch"

    @property
    def temporary(self) -> Path:
        return self.home / "temporary"

    @property
    def report_path(self) -> Path:
        return self.home / "report.json"

    @property
    def venv(self) -> Path:
        """Where environments are when a call names no other place."""
        return self.folder / ".venv"

    def use(self, index: LocalIndex | None) -> None:
        """Ask *index* from now on; None asks what the command would ask by itself."""
        if index is None:
            self.variables.pop("SAFE_INSTALL_INDEX_URL", None)
        else:
            self.variables["SAFE_INSTALL_INDEX_URL"] = index.url

    def __call__(
        self, *arguments: str | Path, code: int | None = 0, folder: Path | None = None, **variables: str | None
    ) -> Result:
        """Run it, and hold it to its exit code; None for any.

        :param variables: on top of `variables`; None takes one away.
        """
        process = self.start(*arguments, folder=folder, **variables)
        try:
            stdout, stderr = process.communicate(timeout=120)
        finally:
            process.kill()
            process.wait()
        result = self.result(process.returncode, stdout, stderr)
        assert code is None or result.code == code, f"exit code {result.code} instead of {code}\n{stdout}\n{stderr}"
        return result

    def start(
        self, *arguments: str | Path, folder: Path | None = None, **variables: str | None
    ) -> subprocess.Popen[str]:
        """Start it at the head of a process group of its own, as a terminal would."""
        self.report_path.unlink(missing_ok=True)
        merged = {**self.variables, **variables}
        return subprocess.Popen(
            [self.python, "-m", "safe_install", *map(str, arguments)],
            cwd=folder or self.folder,
            env={name: value for name, value in merged.items() if value is not None},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            start_new_session=True,
            umask=self.umask,
            **self._identity(),
        )

    def _identity(self) -> dict[str, Any]:
        """What makes a process that of another user."""
        if self.user is None:
            return {}
        return {"user": self.user, "group": self.user if self.group is None else self.group, "extra_groups": []}

    def result(self, code: int, stdout: str, stderr: str) -> Result:
        """Put together what a process that has ended said."""
        report = json.loads(self.report_path.read_text(encoding="utf-8")) if self.report_path.exists() else None
        return Result(code, stdout, stderr, report)

    def write(self, name: str, text: str) -> Path:
        """Write a file of the working folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def installed(self, venv: Path | None = None) -> dict[str, str]:
        """What an environment has, by the names and versions of its ``.dist-info`` folders."""
        found = {}
        for folder in (venv or self.venv).rglob("*.dist-info"):
            name, _, version = folder.name.removesuffix(".dist-info").partition("-")
            found[name.replace("_", "-").lower()] = version
        return found

    def run_python(self, code: str, venv: Path | None = None) -> str:
        """Run *code* with an environment's Python, which is not to write bytecode; return what it printed."""
        scripts = (venv or self.venv) / ("Scripts" if os.name == "nt" else "bin")
        python = scripts / ("python.exe" if os.name == "nt" else "python")
        done = subprocess.run([python, "-B", "-c", code], check=True, capture_output=True, text=True, cwd=self.home)
        return done.stdout.strip()

    def litter(self, unfinished: Iterable[Path] | None = None) -> list[str]:
        """Everything half-made that lies about; empty whenever no call runs.

        :param unfinished: what ends in ``.tmp`` below the home, where somebody has just looked.
        """
        found = []
        for place in (self.store / "staging", self.store / "trash", self.scratch, self.temporary):
            found += sorted(place.iterdir()) if place.exists() else []
        for place in (self.folder, self.venv):
            found += sorted(place.glob(".safe-install*")) if place.exists() else []
        found += sorted(self.home.rglob("*.tmp") if unfinished is None else unfinished)
        return [path.relative_to(self.home.parent).as_posix() for path in found]

    @contextlib.contextmanager
    def unchanged(self, venv: Path | None = None) -> Iterator[None]:
        """Hold the body to leaving no litter, and the working folder with its environment exactly as they were."""
        before = self._state(venv)
        yield
        assert self.litter() == []
        assert self._state(venv) == before

    def _state(self, venv: Path | None) -> dict[str, object]:
        """Content and modes of all files; the locks of environments stay for whoever comes next."""
        found: dict[str, object] = {}
        for place in {self.folder, venv or self.folder}:
            found |= {
                f"{place}/{name}": state
                for name, state in tree_of(place).items()
                if not _LOCKS.fullmatch(name.rpartition("/")[2])
            }
        return found
