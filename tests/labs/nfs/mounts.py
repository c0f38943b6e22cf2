"""A folder on an NFS mount, as tests see it, and the hosts that have the mount.

======================================  =============================================================================
variable                                says
======================================  =============================================================================
``SAFE_INSTALL_TESTS_NFS``              the mount; it has the same path on every host, as have interpreter and checkout
``SAFE_INSTALL_TESTS_NFS_HOSTS``        how to reach each other host: a command that runs the shell command which is its
                                        last argument, such as ``ssh b.example``; several with ``;`` between them
``SAFE_INSTALL_TESTS_NFS_LOCAL``        a folder on a disk of each host's own; the folder for temporary files
``SAFE_INSTALL_TESTS_NFS_SERVER``       the same for the server, in a laboratory alone
======================================  =============================================================================
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shlex
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from helpers.wheels import make_sdist, make_wheel

from safe_install.fs.hashing import hash_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .combinations import Combination

TESTS = Path(__file__).parents[2]
_HALF_MADE = (
    r"\( -path '*/staging/*' -o -path '*/trash/*' -o -path '*/leases/*' ! -name 'env-*' -o -name '.nfs*' -o -name '.safe-install*' "
    r"-o -name '*.tmp' \)"
)
PATIENCE = 280.0
"""Seconds; a guard against what never ends."""


@dataclass(frozen=True)
class Host:
    """:param reach: runs the shell command that is put behind it on that host; empty for this one."""

    name: str
    reach: tuple[str, ...]

    @property
    def is_this(self) -> bool:
        return not self.reach

    def run(self, line: str, *, check: bool = True) -> str:
        """Run a shell command and return what it printed."""
        argv = [*self.reach, line] if self.reach else ["sh", "-c", line]
        done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=PATIENCE, cwd="/")
        assert not check or done.returncode == 0, f"{line} on {self.name} ended with {done.returncode}\n{done.stderr}"
        return done.stdout.strip()

    def run_python(self, code: str, *arguments: str | Path) -> str:
        """Run Python code with the tests' interpreter and helpers and return what it printed."""
        path = os.pathsep.join(filter(None, [str(TESTS), os.environ.get("PYTHONPATH")]))
        return self.run(shlex.join(["env", f"PYTHONPATH={path}", sys.executable, "-c", code, *map(str, arguments)]))


@dataclass
class Mount:
    """:ivar folder: of one test, on NFS. :ivar local: the same on a disk of each host's own, perhaps not there yet.

    :ivar figures: what the commands of the test did, in sum.
    :ivar leftovers_expected: a test that kills a host looks itself at what it leaves.
    """

    folder: Path
    local: Path
    hosts: list[Host]
    combination: Combination
    figures: Counter[str] = field(default_factory=Counter)
    leftovers_expected: bool = False

    @property
    def is_lab(self) -> bool:
        """Whether it is known what this mount is."""
        return self.combination.hosts > 0

    @property
    def other(self) -> Host:
        """Another host than this one."""
        if len(self.hosts) < 2:
            pytest.skip("there is only one host: SAFE_INSTALL_TESTS_NFS_HOSTS names others")
        return self.hosts[1]

    @property
    def server(self) -> Host:
        """The server itself."""
        return Host("server", tuple(shlex.split(os.environ["SAFE_INSTALL_TESTS_NFS_SERVER"])))

    def tool(self, line: str) -> None:
        """Run a program of the laboratory on the server; cables to hosts are called ``s1``, ``s2`` … there."""
        self.server.run(f"sh /mnt/control/tool {line}")

    @property
    def index(self) -> Path:
        """A folder with wheels and sdists for ``--find-links``."""
        return self.folder / "index"

    def wheel(self, name: str, version: str = "1.0", **options: object) -> str:
        """Offer a wheel; return the line that pins it."""
        return self._offer(name, version, *make_wheel(name, version, **options))  # type: ignore[arg-type]  # passed on

    def sdist(self, name: str, version: str = "1.0", **options: object) -> str:
        """Offer an sdist; return the line that pins it."""
        return self._offer(name, version, *make_sdist(name, version, **options))  # type: ignore[arg-type]  # passed on

    @property
    def _near(self) -> Host:
        """Where looking through the folder is quick."""
        return self.server if self.is_lab else self.hosts[0]

    @property
    def _exported(self) -> Path:
        """The folder as `_near` knows it."""
        return Path("/mnt/export", self.folder.name) if self.is_lab else self.folder

    def remove(self) -> None:
        """Remove the folders of the test, on every host."""
        self._near.run(f"rm -rf {self._exported}", check=False)
        for host in self.hosts:
            host.run(f"rm -rf {self.local}", check=False)

    def _offer(self, name: str, version: str, filename: str, content: bytes) -> str:
        self.index.mkdir(exist_ok=True)
        path = self.index / filename
        path.write_bytes(content)
        return f"{name}=={version} --hash=sha256:{hash_file(path)['sha256']}\n"

    def leftovers(self) -> list[str]:
        """Everything half-made, silly-renamed or temporary, on the mount and on the disks of all hosts."""
        place = f"{self._exported}/"
        found = [line.replace(place, "") for line in self._near.run(f"find {place} {_HALF_MADE}").splitlines()]
        for host in self.hosts:
            line = f"find {self.local}/*/scratch {self.local}/*/temporary -mindepth 1 2>/dev/null || true"
            found += [f"{host.name}: {path}" for path in host.run(line).splitlines()]
        return found


@contextlib.contextmanager
def opened(combination: Combination) -> Iterator[Mount]:
    """Make the folders of one test and remove them at the end, when nothing is left in them that should not be."""
    name = f"safe-install-{secrets.token_hex(6)}"
    others = [line for line in os.environ.get("SAFE_INSTALL_TESTS_NFS_HOSTS", "").split(";") if line.strip()]
    hosts = [Host("h1", ()), *(Host(f"h{n}", tuple(shlex.split(line))) for n, line in enumerate(others, 2))]
    local = Path(os.environ.get("SAFE_INSTALL_TESTS_NFS_LOCAL") or tempfile.gettempdir())
    mount = Mount(Path(os.environ["SAFE_INSTALL_TESTS_NFS"]) / name, local / name, hosts, combination)
    mount.folder.mkdir()
    try:
        yield mount
        if not mount.leftovers_expected:
            assert mount.leftovers() == []
    finally:
        mount.remove()
