"""The real command on any host of a mount, and herds of it."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers.command import Command, Result
from helpers.users import needed_python_of_strangers

from .mounts import PATIENCE, TESTS, Host, Mount

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_COUNTED = ("retries", "locks_passed_by", "waited_for", "repaired", "built")


@dataclass(kw_only=True)
class HostCommand(Command):
    """`Command` on a host. Its home is on that host's own disk; what another host reports goes to the mount.

    :param mount: of which it counts what happens.
    :param cache: the store.
    """

    host: Host
    mount: Mount
    cache: Path

    def __post_init__(self) -> None:
        if not self.host.is_this:
            self.host.run(shlex.join(["mkdir", "-p", *map(str, (self.home, self.folder, self.temporary))]))
        # Here, too: the working folder may be on the mount, and the others do no harm.
        super().__post_init__()

    @property
    def store(self) -> Path:
        return self.cache

    @property
    def report_path(self) -> Path:
        if self.host.is_this:
            return super().report_path
        return self.mount.folder / f"report-{self.home.name}.json"

    def start(
        self, *arguments: str | Path, folder: Path | None = None, **variables: str | None
    ) -> subprocess.Popen[str]:
        """As that of `Command`."""
        self.report_path.unlink(missing_ok=True)
        return self._start(["-m", "safe_install", *map(str, arguments)], folder or self.folder, variables)

    def start_member(self, *arguments: str | Path) -> subprocess.Popen[str]:
        """Start it as a member of a herd, which waits for a word (`helpers.herd_member`)."""
        self.report_path.unlink(missing_ok=True)
        return self._start(["-m", "helpers.herd_member", *map(str, arguments)], self.folder, {})

    def start_code(self, code: str, *arguments: str | Path) -> subprocess.Popen[str]:
        """Run Python code instead."""
        return self._start(["-c", code, *map(str, arguments)], self.folder, {})

    def _start(
        self, arguments: Sequence[str], folder: Path, variables: Mapping[str, str | None]
    ) -> subprocess.Popen[str]:
        merged = {**self.variables, **variables}
        environment = {name: value for name, value in merged.items() if value is not None}
        argv = [self.python, *arguments]
        options: dict[str, Any] = {"cwd": folder, "env": environment, "umask": self.umask}
        if not self.host.is_this:
            pairs = [f"{name}={value}" for name, value in environment.items()]
            place = shlex.quote(str(folder))
            argv = [*self.host.reach, f"cd {place} && exec {shlex.join(['env', '-i', *pairs, *argv])}"]
            options = {"cwd": "/"}
        return subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,  # the word that a herd waits for
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            start_new_session=True,
            **options,
            **self._identity(),
        )

    def result(self, code: int, stdout: str, stderr: str) -> Result:
        """As that of `Command`; counts what happened."""
        # Another host may have made the file: only a listing is believed (design section 5).
        os.listdir(self.report_path.parent)
        found = super().result(code, stdout, stderr)
        self.mount.figures["commands"] += 1
        if found.report is not None:
            self.mount.figures.update({name: found.counts[name] for name in _COUNTED})
            kinds = [each["kind"] for each in found.report["step_downs"]]
            self.mount.figures.update({"step_downs": len(kinds), **Counter(f"step_downs:{kind}" for kind in kinds)})
        return found

    def installed(self, venv: Path | None = None) -> dict[str, str]:
        """As that of `Command`, as the host sees it."""
        place = shlex.quote(str(venv or self.venv))
        names = self.host.run(f"find {place} -name '*.dist-info' -printf '%f\\n' 2>/dev/null || true")
        pairs = (name.removesuffix(".dist-info").partition("-") for name in names.splitlines())
        return {name.replace("_", "-").lower(): version for name, _, version in pairs}


def command_on(
    mount: Mount,
    host: Host,
    name: str,
    *,
    place: str = "store",
    user: int | None = None,
    group: int | None = None,
    umask: int = -1,
    **variables: str,
) -> HostCommand:
    """The command as the job *name* on *host*.

    :param place: what is on NFS (`combinations.PLACES`).
    :param user: and *group*, *umask*: of this host alone, as `Command`.
    """
    cache = mount.folder / "store" if place in {"store", "both"} else mount.local / "store"
    folder = mount.folder / name if place in {"environment", "both"} else mount.local / name / "work"
    python, packages = (sys.executable, "") if user is None else needed_python_of_strangers()
    shared = {
        "PYTHONPATH": os.pathsep.join(filter(None, [str(TESTS), os.environ.get("PYTHONPATH"), packages])),
        "SAFE_INSTALL_CACHE_DIR": str(cache),
        "SAFE_INSTALL_NO_INDEX": "yes",
        "SAFE_INSTALL_FIND_LINKS": str(mount.index),
        "SAFE_INSTALL_RETRY_BUDGET": "60",
        "SAFE_INSTALL_LOCK_TIMEOUT": "200",
        **variables,
    }
    command = HostCommand(
        home=mount.local / name,
        folder=folder,
        host=host,
        mount=mount,
        cache=cache,
        variables=shared,
        python=python,
        user=user,
        group=group,
        umask=umask,
    )
    if user is not None:
        # Others may pass to what is theirs.
        for above in (mount.folder, mount.local, mount.index):
            above.mkdir(exist_ok=True)
            above.chmod(0o755)
    return command


def herd(commands: Sequence[HostCommand], *arguments: str | Path) -> list[Result]:
    """Let all begin at one moment, when each has done its imports; hold them to success and return what they did."""
    processes = [each.start_member(*arguments) for each in commands]
    try:
        for process in processes:
            assert process.stdout is not None
            process.stdout.readline()
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        results = []
        for command, process in zip(commands, processes, strict=True):
            stdout, stderr = process.communicate(timeout=PATIENCE)
            results.append(command.result(process.returncode, stdout, stderr))
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert [result.code for result in results] == [0] * len(results), "\n".join(r.stderr for r in results if r.code)
    return results
