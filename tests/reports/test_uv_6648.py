"""uv#6648: a cache that three users share on NFS, one file of no bytes, and one of another owner.

The install failed with "Operation not permitted", and the environment was left with an empty
``distutils-precedence.pth``. With us the damage is detected, named and repaired, and a copy that fails leaves no partial
file.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from typing import TYPE_CHECKING

import pytest
from helpers.herd import damage_of
from helpers.users import GROUP, STRANGERS
from labs.nfs.commands import command_on
from labs.nfs.mounts import PATIENCE

if TYPE_CHECKING:
    from pathlib import Path

    from labs.nfs.commands import HostCommand
    from labs.nfs.mounts import Mount

pytestmark = pytest.mark.lab_nfs("report")

PTH = (
    "import os; var = 'SETUPTOOLS_USE_DISTUTILS'; enabled = os.environ.get(var, 'local') == 'local'\n" + "#" * 50 + "\n"
)
FILES = {"setuptools/__init__.py": "__version__ = '69.5.1'\n", "distutils-precedence.pth": PTH}
BIG = bytes(range(256)) * 12288  # 3 MB


@pytest.fixture
def members(nfs: Mount) -> list[HostCommand]:
    """Three users of one group; store and environments on NFS."""
    return [
        command_on(nfs, nfs.hosts[0], f"user-{user}", place="both", user=user, group=GROUP, umask=umask)
        for user, umask in zip(STRANGERS, (0o077, 0o022, 0o000), strict=True)
    ]


@pytest.fixture
def lock(nfs: Mount, members: list[HostCommand]) -> Path:
    """Of a wheel like that of the report; the store that the administrator has made; and the first user has filled it."""
    path = nfs.folder / "requirements.txt"
    path.write_text(nfs.wheel("setuptools", "69.5.1", files=FILES) + nfs.wheel("plain"))
    for place in (path, nfs.index, *nfs.index.iterdir()):
        place.chmod(0o755)
    command_on(nfs, nfs.hosts[0], "administrator")("cache", "init", "--shared", "group", "--group", str(GROUP))
    members[0]("sync", path)
    return path


def stored(member: HostCommand, name: str) -> Path:
    (found,) = member.store.glob(f"wheels-1/*/*/tree/{name}")
    return found


def test_an_empty_and_a_foreign_file_are_detected_named_and_repaired(
    nfs: Mount, members: list[HostCommand], lock: Path
) -> None:
    """The second user owns what replaces a file of the first one's entry; the third one installs."""
    empty, foreign = stored(members[0], "distutils-precedence.pth"), stored(members[0], "plain/__init__.py")
    os.chmod(empty, 0o644)
    os.truncate(empty, 0)
    content, times = foreign.read_bytes(), foreign.stat()
    foreign.unlink()
    foreign.write_bytes(b"#" * len(content))
    os.chown(foreign, STRANGERS[1], GROUP)
    os.chmod(foreign, 0o666)
    os.utime(foreign, ns=(times.st_atime_ns, times.st_mtime_ns))

    found = members[2]("cache", "verify", code=4)
    assert "distutils-precedence.pth" in found.stdout
    assert "plain/__init__.py" in found.stdout
    result = members[2]("sync", lock)
    assert result.counts["repaired"] == 2
    assert "distutils-precedence.pth" in result.text
    assert "plain/__init__.py" in result.text
    for member in (members[2], members[0], members[1]):
        member("sync", lock, "--venv", "again")
        (pth,) = (member.folder / "again").rglob("distutils-precedence.pth")
        assert pth.read_text() == PTH
        (plain,) = (member.folder / "again").rglob("plain/__init__.py")
        assert plain.read_bytes() == content
    command_on(nfs, nfs.other, "administrator-there")("cache", "verify")
    assert damage_of(members[0].store) == []


def test_a_copy_that_fails_leaves_no_partial_file(nfs: Mount, members: list[HostCommand], lock: Path) -> None:
    """The third user may write no file as big as one of the wheel: the copy breaks off in its middle."""
    big = nfs.folder / "big.txt"
    big.write_text(nfs.wheel("big", files={"big/__init__.py": "", "big/data.bin": BIG}))
    for place in (big, *nfs.index.iterdir()):
        place.chmod(0o755)
    members[0]("sync", big, "--venv", "big")
    third = members[2]
    third("sync", lock)
    before = third.installed()
    with third.unchanged():
        line = f"ulimit -f 2000; exec {shlex.join([third.python, '-m', 'safe_install', 'install', 'big'])}"
        failed = subprocess.run(
            ["sh", "-c", line],
            env=third.variables,
            cwd=third.folder,
            user=third.user,
            group=GROUP,
            extra_groups=[],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    assert failed.returncode == 7, failed.stderr
    assert list(third.venv.rglob("big*")) == []
    assert third.installed() == before
    assert third("install", "big").counts["fetched"] == 0
    (data,) = third.venv.rglob("data.bin")
    assert data.read_bytes() == BIG
