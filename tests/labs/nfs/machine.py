"""Boot one laboratory and run a command on its first host: a Linux kernel as a process, with an NFS server and hosts.

::

    python tests/labs/nfs/machine.py 4.2-xfs-2hosts -- COMMAND…

The machine's files are this machine's (but /mnt, /run, /var/lib and /dev/shm), so the command finds the same interpreter
and checkout. In its environment are ``SAFE_INSTALL_TESTS_NFS``, the mount, and ``SAFE_INSTALL_TESTS_NFS_HOSTS``, how to reach
the other hosts. There is no network outside the machine, and one processor; starting a process takes some eight times as long.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from labs.nfs.combinations import SMALL, chosen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from labs.nfs.combinations import Combination
    from labs.nfs.parts import Parts

MOUNT = "/mnt/nfs"
_GUEST = Path(__file__).parent / "guest"
_MEGABYTES = 1536
_LOGS = ("boot.log", "server.log", "host1.log", "console")


class Machine:
    """A context manager that boots it; at its end it is off and its files are gone.

    :param limit: seconds until it is switched off.
    :ivar up: seconds until its hosts were ready; None before.
    """

    def __init__(
        self,
        parts: Parts,
        combination: Combination,
        command: Sequence[str],
        *,
        folder: Path,
        variables: Mapping[str, str],
        limit: float = 900.0,
    ) -> None:
        self._parts = parts
        self._combination = combination
        self._command = command
        self._working = folder
        self._variables = variables
        self._limit = limit
        self._folder = Path()
        self._process: subprocess.Popen[bytes] | None = None
        self._began = 0.0
        self.up: float | None = None

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        self._folder = Path(tempfile.mkdtemp(prefix="safe-install-lab-"))
        try:
            self._describe()
            self._make_disk()
            self._boot()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    @property
    def seconds(self) -> float:
        """Since the boot began."""
        return time.monotonic() - self._began

    def code(self) -> int | None:
        """The command's exit code; None while it runs. 124: the limit was reached; 125: the machine failed."""
        assert self._process is not None
        if self.up is None and (self._folder / "up").exists():
            self.up = self.seconds
        ended = self._process.poll() is not None or self.seconds > self._limit + 30
        with contextlib.suppress(OSError):
            return int((self._folder / "code").read_text(encoding="ascii"))
        return 125 if ended else None

    def output(self) -> str:
        """What the command has written."""
        return (self._folder / "output").read_text(encoding="utf-8", errors="replace")

    def logs(self) -> str:
        """The ends of what the machine itself has written."""
        text = ""
        for name in _LOGS:
            with contextlib.suppress(OSError):
                lines = (self._folder / name).read_text(encoding="utf-8", errors="replace").splitlines()
                text += "\n".join([f"--- {name}", *lines[-20:], ""])
        return text

    def _describe(self) -> None:
        found = self._parts.variables
        configuration = {
            "HERE": _GUEST,
            "BUSYBOX": self._parts.root / "bin/busybox",
            "TOOLS": self._parts.root,
            "TOOLS_PATH": found["PATH"],
            "TOOLS_LIBRARIES": found["LD_LIBRARY_PATH"],
            "MODULES": self._parts.modules,
            "PYTHON": os.path.realpath(sys.executable),
            "HOSTS": self._combination.hosts,
            "VERSION": self._combination.version,
            "EXPORT": self._combination.export,
            "EXPORT_OPTIONS": "usrquota" if self._has_quotas else "defaults",
            "MOUNT_OPTIONS": self._combination.options,
            "DELAY": self._combination.delay,
            "MOUNT": MOUNT,
            "LIMIT": round(self._limit),
        }
        agent = [os.path.realpath(sys.executable), "-S", "-E", str(_GUEST / "agent.py")]
        others = [shlex.join([*agent, f"h{number}"]) for number in range(2, self._combination.hosts + 1)]
        environment = {
            **self._variables,
            "TMPDIR": "/mnt/local",
            "SAFE_INSTALL_TESTS_NFS": MOUNT,
            "SAFE_INSTALL_TESTS_NFS_HOSTS": ";".join(others),
            "SAFE_INSTALL_TESTS_NFS_LOCAL": "/mnt/local",
            "SAFE_INSTALL_TESTS_NFS_SERVER": shlex.join([*agent, "server"]),
        }
        self._write("conf", [f"{name}={shlex.quote(str(value))}" for name, value in configuration.items()])
        exports = [f"export {name}={shlex.quote(value)}" for name, value in environment.items() if name.isidentifier()]
        self._write("environment", exports)
        self._write(
            "command", [f"cd {shlex.quote(str(self._working))} || exit 126", f"exec {shlex.join(self._command)}"]
        )
        self._write("output", [])

    def _write(self, name: str, lines: Sequence[str]) -> None:
        (self._folder / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    def _make_disk(self) -> None:
        disk = self._folder / "disk"
        with open(disk, "wb") as file:
            file.truncate(self._combination.megabytes << 20)
        make = {"ext4": ["mkfs.ext4", "-q", "-E", "lazy_itable_init=1"], "xfs": ["mkfs.xfs", "-q"]}
        if self._has_quotas:
            make["ext4"] = ["mkfs.ext4", "-q", "-O", "quota", "-E", "lazy_itable_init=1,quotatype=usrquota"]
        name, *options = make[self._combination.export]
        program = shutil.which(
            name, path=os.pathsep.join(str(self._parts.root / part) for part in ("sbin", "usr/sbin"))
        )
        assert program is not None
        subprocess.run([program, *options, disk], check=True, env={**os.environ, **self._parts.variables})

    @property
    def _has_quotas(self) -> bool:
        return self._combination.trait == SMALL and self._combination.export == "ext4"

    def _boot(self) -> None:
        arguments = [
            f"mem={_MEGABYTES}M",
            *("root=/dev/root", "rootfstype=hostfs", "rootflags=/", "rw", "quiet"),
            f"init={_GUEST / 'init.sh'}",
            f"lab={self._folder}",
            f"ubd0={self._folder / 'disk'}",
            *("con=null", "con0=null,fd:1", f"umid={self._folder.name}", f"uml_dir={self._folder}"),
        ]
        with open(self._folder / "console", "wb") as console:
            self._process = subprocess.Popen(
                [self._parts.kernel, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                env={"PATH": os.environ.get("PATH", os.defpath), "HOME": "/", "TMPDIR": _memory_folder()},
                start_new_session=True,
            )

    def _end(self) -> None:
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                if self.code() is not None:
                    self._process.wait(5)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


def _memory_folder() -> str:
    """Where the machine's memory lies, as a file: in the roomiest of the usual places."""

    def room(place: str) -> int:
        with contextlib.suppress(OSError):
            found = os.statvfs(place)
            if os.access(place, os.W_OK) and not found.f_flag & os.ST_NOEXEC:
                # Real memory first: whatever is written there need not go to a disk.
                return found.f_bavail * found.f_frsize * (1000 if place == "/dev/shm" and _is_roomy(found) else 1)
        return -1

    return max(("/dev/shm", tempfile.gettempdir(), "/var/tmp"), key=room)


def _is_roomy(found: os.statvfs_result) -> bool:
    return found.f_bavail * found.f_frsize > 2 * (_MEGABYTES << 20)


def main(arguments: Sequence[str]) -> int:
    """Run the command that follows the name of a laboratory."""
    from labs.nfs.parts import ready

    name, *command = (argument for argument in arguments if argument != "--")
    (combination,) = chosen(name)
    with Machine(ready(), combination, command, folder=Path.cwd(), variables=os.environ) as machine:
        shown = 0
        while True:
            code = machine.code()
            text = machine.output()
            sys.stdout.write(text[shown:])
            sys.stdout.flush()
            shown = len(text)
            if code is not None:
                break
            time.sleep(0.1)
        if code in {124, 125}:
            sys.stderr.write(machine.logs())
        sys.stderr.write(f"up after {machine.up or 0:.1f} s, {machine.seconds:.1f} s in all\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
