"""The disks of these tests are what they claim to be, and nothing of them stays."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from helpers.disks import Disks
from helpers.processes import wait_until

from safe_install.fs._system import mount_type

if TYPE_CHECKING:
    from collections.abc import Iterator

TESTS = Path(__file__).parents[1]
MAKING = """\
import time
from helpers.disks import Disks
disks = Disks()
disks.get("overlay-on-ext4")
print(disks.root, flush=True)
time.sleep(600)
"""


@pytest.fixture
def own() -> Iterator[Disks]:
    with Disks() as disks:
        yield disks


def test_a_folder_that_a_variable_names_is_used_and_left_as_it_was(
    disks: Disks, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = disks.get("ext4").folder()
    monkeypatch.setenv("SAFE_INSTALL_TESTS_EXT4", str(named))
    with Disks() as own:
        assert own.get("ext4").folder().is_relative_to(named)
    assert os.listdir(named) == []


def test_a_variable_that_names_another_kind_of_disk_fails_the_test(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = "ext4" if mount_type(str(tmp_path))[0] == "xfs" else "xfs"
    monkeypatch.setenv(f"SAFE_INSTALL_TESTS_{other.upper()}", str(tmp_path))
    with Disks() as own, pytest.raises(pytest.fail.Exception, match=f"no disk of the kind {other}"):
        own.get(other)


def test_a_variable_that_names_no_folder_fails_the_test(own: Disks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAFE_INSTALL_TESTS_BTRFS", "/nowhere")
    with pytest.raises(pytest.fail.Exception, match="SAFE_INSTALL_TESTS_BTRFS names /nowhere"):
        own.get("btrfs")


def test_a_killed_run_leaves_no_mount_and_no_file(disks: Disks) -> None:
    disks.get("overlay-on-ext4")  # skips where there can be none
    child = subprocess.Popen(
        [sys.executable, "-c", MAKING],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        stdout=subprocess.PIPE,
        text=True,
    )
    with child:
        assert child.stdout is not None
        root = Path(child.stdout.readline().strip())
        assert root.is_dir()
        assert str(root) in Path("/proc/mounts").read_text(encoding="utf-8")
        child.kill()
    wait_until(lambda: not root.exists())
    assert str(root) not in Path("/proc/mounts").read_text(encoding="utf-8")
