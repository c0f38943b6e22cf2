"""The mount table tells which file system holds a path."""

from __future__ import annotations

import builtins
import io
import os
from typing import TYPE_CHECKING, Any

import pytest
from helpers.capabilities import linux_only

from safe_install.fs._system import mount_type
from safe_install.fs.filesystem import device_of, is_network

if TYPE_CHECKING:
    from pathlib import Path

TABLE = """\
22 1 259:1 / / rw,relatime shared:1 - ext4 /dev/root rw
30 22 0:40 / /mnt/cache rw,relatime shared:5 - nfs4 server:/export rw,vers=4.2,local_lock=none
31 30 259:2 / /mnt/cache/local rw - xfs /dev/sdb rw
32 22 0:41 / /mnt/with\\040space rw - cifs //server/share rw
33 22 0:42 / /home/me/remote rw - fuse.sshfs me@host: rw
34 22 0:43 / /home/me/image rw - fuse.squashfuse image rw
35 22 259:3 / /mnt/twice rw - nfs server:/a rw
36 35 259:4 / /mnt/twice rw - tmpfs tmpfs rw
"""


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.open

    def fake(path: Any, *arguments: Any, **keywords: Any) -> Any:
        return io.StringIO(TABLE) if path == "/proc/self/mountinfo" else real(path, *arguments, **keywords)

    monkeypatch.setattr(builtins, "open", fake)


@linux_only
@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", False),
        ("/mnt", False),
        ("/mnt/cache", True),
        ("/mnt/cache/pip/deep", True),
        ("/mnt/cache2", False),
        ("/mnt/cache/local/store", False),
        ("/mnt/with space/store", True),
        ("/home/me/remote/x", True),
        ("/home/me/image/x", False),
        ("/mnt/twice/x", False),
    ],
)
def test_the_innermost_and_topmost_mount_decides(path: str, expected: bool) -> None:
    assert is_network(path) is expected


@linux_only
@pytest.mark.usefixtures("table")
def test_options_come_with_the_type() -> None:
    assert mount_type("/mnt/cache/x") == ("nfs4", "rw,vers=4.2,local_lock=none")


def test_the_device_of_a_path_that_does_not_exist_is_that_of_its_nearest_folder(tmp_path: Path) -> None:
    assert device_of(tmp_path / "not" / "yet") == os.stat(tmp_path).st_dev
