"""What the laboratory is made of: a kernel that runs as a process, and NFS programs. From Debian, unpacked, not installed.

`ready` downloads with apt what `packages.txt` names, checks its digests, and unpacks it once, into `.dev/labs` of the
checkout or the folder that ``SAFE_INSTALL_TESTS_LABS`` names. It needs no root. ``SAFE_INSTALL_TESTS_LABS_NEWEST=1``
takes the versions that apt has instead of the pinned ones, unchecked: for another Debian.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

_HERE = Path(__file__).parent
_CHECKOUT = _HERE.parents[2]
_PACKAGES = _HERE / "packages.txt"
_NEWEST = "SAFE_INSTALL_TESTS_LABS_NEWEST"


class PartsMissingError(Exception):
    """The laboratory cannot be put together here. :ivar remedy: what to do, in the imperative."""

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


class Parts(NamedTuple):
    """Where the unpacked parts are."""

    root: Path

    @property
    def kernel(self) -> Path:
        """Linux as a program (User-Mode Linux)."""
        return self.root / "usr/bin/linux.uml"

    @property
    def modules(self) -> Path:
        """Its modules; one folder, named after its version."""
        (folder,) = (self.root / "usr/lib/uml/modules").iterdir()
        return folder

    @property
    def variables(self) -> dict[str, str]:
        """With which the unpacked programs find their libraries, and are found."""
        libraries = (self.root / place / "x86_64-linux-gnu" for place in ("lib", "usr/lib"))
        programs = (self.root / place for place in ("sbin", "usr/sbin", "usr/bin"))
        path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin", *map(str, programs)])
        return {"PATH": path, "LD_LIBRARY_PATH": os.pathsep.join(map(str, libraries))}


def labs_folder() -> Path:
    """Where laboratories keep what they download."""
    return Path(os.environ.get("SAFE_INSTALL_TESTS_LABS") or _CHECKOUT / ".dev" / "labs").absolute()


def ready() -> Parts:
    """Return the parts; the first call fetches them, which takes some 50 MB and half a minute.

    :raises PartsMissingError: this is no Linux on x86-64, or there is no apt that has them.
    """
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise PartsMissingError("User-Mode Linux", "run the NFS laboratory on Linux on x86-64")
    wanted = [line.split() for line in _PACKAGES.read_text(encoding="ascii").splitlines() if not line.startswith("#")]
    if newest := os.environ.get(_NEWEST, "") not in {"", "0"}:
        wanted = [[name, "", ""] for name, _, _ in wanted]
    state = "newest" if newest else hashlib.sha256(_PACKAGES.read_bytes()).hexdigest()[:16]
    labs = labs_folder()
    target = labs / f"nfs-{state}"
    labs.mkdir(parents=True, exist_ok=True)
    with open(labs / "nfs.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.is_dir():
            with tempfile.TemporaryDirectory(dir=labs) as folder:
                downloads, unpacked = Path(folder, "downloads"), Path(folder, "unpacked")
                downloads.mkdir()
                _download(wanted, downloads)
                for package in sorted(downloads.glob("*.deb")):
                    subprocess.run(["dpkg-deb", "--extract", package, unpacked], check=True)
                os.rename(unpacked, target)
    return Parts(target)


def _download(wanted: list[list[str]], folder: Path) -> None:
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise PartsMissingError("apt", "run the NFS laboratory on Debian 12")
    names = [f"{name}={version}" if version else name for name, version, _ in wanted]
    # A user of its own, which apt otherwise downloads as, could not write the folder.
    options = ["-o", "APT::Sandbox::User=root"]
    done = _apt([*options, "download", *names], folder)
    if done.returncode:
        # A machine whose lists were never fetched or are old; these lists are our own.
        lists = [*options, "-o", f"Dir::State::lists={folder}/lists", "-o", f"Dir::Cache={folder}/cache"]
        for name in ("lists/partial", "cache/archives/partial"):
            (folder / name).mkdir(parents=True)
        _apt([*lists, "update"], folder)
        done = _apt([*lists, "download", *names], folder)
    if done.returncode:
        raise PartsMissingError(
            f"a package of the NFS laboratory ({(done.stderr.strip() or 'apt failed').splitlines()[-1]})",
            f"use the Debian that packages.txt names, pin the versions that there are now in it, or set {_NEWEST}=1",
        )
    found = {hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.deb")}
    if other := [name for name, _, digest in wanted if digest and digest not in found]:
        raise PartsMissingError(
            f"the pinned file of {', '.join(other)}",
            f"look why apt has another one of that version, or set {_NEWEST}=1",
        )


def _apt(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["apt-get", "--quiet", *arguments], cwd=folder, capture_output=True, text=True, check=False)
