"""Environments of several hosts that are attached to one image on NFS."""

from __future__ import annotations

import shlex
import shutil
from typing import TYPE_CHECKING

import pytest
from helpers.herd import damage_of
from labs.nfs.commands import command_on

if TYPE_CHECKING:
    from labs.nfs.commands import HostCommand
    from labs.nfs.mounts import Mount

pytestmark = pytest.mark.lab_nfs("upkeep")

ATTACH = ("--link-mode", "attach", "--isolation", "shared")
CODE = "import beta.deep.er.part as part, alpha; print(part.VALUE, alpha.__file__)"


def run(command: HostCommand) -> str:
    """Import what is attached, on the command's host; return where it lies."""
    value, place = command.host.run(shlex.join([f"{command.venv}/bin/python", "-B", "-c", CODE])).split()
    assert value == "7"
    return place


def test_hosts_refer_to_one_image(nfs: Mount) -> None:
    lock = nfs.folder / "requirements.txt"
    lock.write_text(nfs.wheel("alpha") + nfs.wheel("beta", files={"beta/deep/er/part.py": "VALUE = 7\n"}))
    here, there = (command_on(nfs, host, f"job-{host.name}") for host in (nfs.hosts[0], nfs.other))
    here("sync", lock, *ATTACH)
    (image,) = here.store.glob("images-1/*/*")
    assert there("sync", lock, *ATTACH).counts["bytes_fetched"] == 0
    places = {run(command) for command in (here, there)}
    assert len(places) == 1
    assert places.pop().startswith(str(image))
    # Nobody here can see the environment of another host: its lease is believed.
    here("cache", "gc", "--max-age", "0")
    there("cache", "gc", "--max-age", "0")
    assert run(here) == run(there)
    # A linked environment, too, is made from what is there.
    assert there("sync", lock, "--venv", "linked").counts["bytes_fetched"] == 0
    here("cache", "verify")
    assert damage_of(here.store) == []


def test_an_image_that_was_removed_on_another_host_is_made_again(nfs: Mount) -> None:
    lock = nfs.folder / "requirements.txt"
    lock.write_text(nfs.wheel("alpha") + nfs.wheel("beta", files={"beta/deep/er/part.py": "VALUE = 7\n"}))
    here, there = (command_on(nfs, host, f"job-{host.name}") for host in (nfs.hosts[0], nfs.other))
    for command in (here, there):
        command("sync", lock, *ATTACH)
        run(command)
    (image,) = here.store.glob("images-1/*/*")
    shutil.rmtree(image)
    for command in (there, here):
        command("sync", lock, *ATTACH)
        assert run(command).startswith(str(image))
    assert damage_of(here.store) == []
