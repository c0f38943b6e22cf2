"""Disks of many kinds: made on loop devices where the tests run as root, otherwise folders that variables name.

::

    with Disks() as disks:
        disk = disks.get("xfs")                   # skips the test where there can be none
        folder = disk.folder()                    # a new one on it

A variable such as ``SAFE_INSTALL_TESTS_XFS=DIR`` names a folder on such a disk. One that is not what its variable claims
fails the test. What is made here lies in one private folder, and a process of its own unmounts and removes all of it as
soon as this one has ended, however it ends.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from helpers.missing_parts import missing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType
    from typing import Self

# On real storage: a file system in memory would let the images of the others lie in memory, too.
_PLACE = Path("/var/tmp")
_SIZE = 400_000_000
"""Bytes; no file system makes less than 300 MB necessary (xfs). Images are sparse."""

_GUARD = """\
trap '' INT TERM HUP
cat >/dev/null
tac /proc/mounts | while read -r _ place _; do
    case $place in "$1"/*) umount --lazy "$place" ;; esac
done
rm -rf --one-file-system "$1"
"""


@dataclass(frozen=True)
class Kind:
    """What is claimed of a disk.

    :param type: of the file system, as the mount table names it.
    :param reflinks: whether files of one disk can share blocks.
    :param make: the program that makes one, with its options; none for file systems without a device.
    :param package: what brings this program.
    :param options: of the mount.
    """

    type: str
    reflinks: bool = False
    make: tuple[str, ...] = ()
    package: str = ""
    options: str = ""


KINDS = {
    "xfs": Kind("xfs", reflinks=True, make=("mkfs.xfs", "-q"), package="xfsprogs"),
    "xfs-without-reflinks": Kind("xfs", make=("mkfs.xfs", "-q", "-m", "reflink=0"), package="xfsprogs"),
    "btrfs": Kind("btrfs", reflinks=True, make=("mkfs.btrfs", "-q"), package="btrfs-progs"),
    "ext4": Kind("ext4", make=("mkfs.ext4", "-q", "-F"), package="e2fsprogs"),
    "ext4-casefold": Kind("ext4", make=("mkfs.ext4", "-q", "-F", "-O", "casefold"), package="e2fsprogs"),
    "tmpfs": Kind("tmpfs", options="size=300m"),
    "overlay-on-ext4": Kind("overlay"),
    "overlay-on-xfs": Kind("overlay", reflinks=True),
}


@dataclass(frozen=True)
class Disk:
    """A mounted disk. :param path: a folder on it."""

    name: str
    path: Path

    @property
    def kind(self) -> Kind:
        return KINDS[self.name]

    def folder(self) -> Path:
        """Make a new folder on it; `Disks` removes it."""
        return Path(tempfile.mkdtemp(dir=self.path))


class Disks:
    """A context manager that makes each disk when it is first asked for."""

    def __init__(self) -> None:
        self._root: Path | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        self._disks: dict[str, Disk] = {}
        self._borrowed: list[Path] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for folder in self._borrowed:
            shutil.rmtree(folder)
        if self._guard is not None:
            assert self._guard.stdin is not None
            self._guard.stdin.close()
            self._guard.wait(60)
            assert self._root is not None
            assert not self._root.exists(), f"{self._root} could not be removed"

    def get(self, name: str) -> Disk:
        """Return the disk *name* of `KINDS`, or end the running test, because there is none."""
        if (disk := self._disks.get(name)) is None:
            disk = self._named(name) or self._made(name)
            _hold_to_claim(disk)
            self._disks[name] = disk
        return disk

    def mount(self, *arguments: str | Path) -> Path:
        """Mount something with these arguments at a new place, and return that."""
        place = Path(tempfile.mkdtemp(dir=self.root))
        done = subprocess.run(["mount", *map(str, arguments), place], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            place.rmdir()
            if os.geteuid() != 0 or "permission denied" in done.stderr or "not permitted" in done.stderr:
                missing("the right to mount", "run with CAP_SYS_ADMIN")
            pytest.skip(f"cannot mount here: {done.stderr.strip()}")
        return place

    def unmount(self, place: Path) -> None:
        """Take one of them away before the end."""
        subprocess.run(["umount", place], check=True)
        place.rmdir()

    def new(self, name: str, size: int = _SIZE) -> Path:
        """Make one more disk of a kind with a device, for a test alone; return where it is mounted."""
        kind = KINDS[name]
        _require_kernel(kind.type)
        if shutil.which(kind.make[0]) is None:
            missing(f"the program {kind.make[0]}", f"install {kind.package}")
        descriptor, image = tempfile.mkstemp(dir=self.root, suffix=f".{kind.type}")
        os.truncate(descriptor, size)
        os.close(descriptor)
        subprocess.run([*kind.make, image], check=True, capture_output=True)
        return self.mount("-o", ",".join(filter(None, ("loop", kind.options))), image)

    @property
    def root(self) -> Path:
        """The private folder, which only root needs."""
        if self._root is None:
            if sys.platform != "linux" or os.geteuid() != 0:
                pytest.skip("only root on Linux can mount disks")
            self._root = Path(tempfile.mkdtemp(dir=_PLACE, prefix="safe-install-disks-"))
            self._guard = subprocess.Popen(
                ["sh", "-c", _GUARD, "sh", self._root], stdin=subprocess.PIPE, cwd="/", start_new_session=True
            )
        return self._root

    def _named(self, name: str) -> Disk | None:
        variable = _variable(name)
        if not (place := os.environ.get(variable)):
            return None
        if not os.access(place, os.W_OK | os.X_OK):
            pytest.fail(f"{variable} names {place}, which is no folder that we can write", pytrace=False)
        folder = Path(tempfile.mkdtemp(dir=place))
        self._borrowed.append(folder)
        return Disk(name, folder)

    def _made(self, name: str) -> Disk:
        if sys.platform != "linux" or os.geteuid() != 0:
            pytest.skip(
                f"no disk of the kind {name}: name a folder on one in {_variable(name)}, or run as root on Linux"
            )
        kind = KINDS[name]
        if name == "ext4-casefold" and not Path("/sys/fs/ext4/features/casefold").exists():
            pytest.skip("the ext4 of this kernel cannot ignore the case of names")
        if kind.make:
            return Disk(name, self.new(name))
        _require_kernel(kind.type)
        if kind.type == "overlay":
            return Disk(name, self.overlay(self.get(name.rpartition("-")[2]).folder()))
        return Disk(name, self.mount("-t", kind.type, "-o", kind.options, "none"))

    def overlay(self, folder: Path) -> Path:
        """Lay one folder of *folder* over another one, as containers do; return where both are seen as one."""
        lower, upper, work = (folder / each for each in ("lower", "upper", "work"))
        for each in (lower, upper, work):
            each.mkdir(exist_ok=True)
        return self.mount("-t", "overlay", "-o", f"lowerdir={lower},upperdir={upper},workdir={work}", "overlay")


def _variable(name: str) -> str:
    return f"SAFE_INSTALL_TESTS_{name.upper().replace('-', '_')}"


def _require_kernel(kind: str) -> None:
    """Skip where the kernel knows no such file system, even when asked to load it."""

    def is_known() -> bool:
        return any(line.split()[-1] == kind for line in Path("/proc/filesystems").read_text("ascii").splitlines())

    if not is_known() and shutil.which("modprobe"):
        subprocess.run(["modprobe", "--quiet", kind], check=False)
    if not is_known():
        pytest.skip(f"this kernel knows no {kind}")


def _hold_to_claim(disk: Disk) -> None:
    """Fail where a disk is not what its name says."""
    found = _output("findmnt", "--noheadings", "--output", "FSTYPE", "--target", disk.path).split()
    problems = [] if disk.kind.type in found[-1:] else [f"it is {' '.join(found)}, not {disk.kind.type}"]
    folder = disk.folder()
    (folder / "x").write_bytes(b"x" * 100_000)
    clone = subprocess.run(
        ["cp", "--reflink=always", folder / "x", folder / "y"], capture_output=True, text=True, check=False
    )
    if (clone.returncode == 0) is not disk.kind.reflinks:
        problems.append(f"files share blocks: {clone.returncode == 0}, expected: {disk.kind.reflinks}")
    shutil.rmtree(folder)
    if problems:
        pytest.fail(f"{disk.path} is no disk of the kind {disk.name}: {'; '.join(problems)}", pytrace=False)


def _output(*command: str | Path) -> str:
    arguments: Sequence[str] = [str(each) for each in command]
    return subprocess.run(arguments, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="session")
def disks() -> Iterator[Disks]:
    """All disks of these tests."""
    with Disks() as disks:
        yield disks
