"""Hosts that die, and servers that stop: the others go on, and what is left goes with the next clean-up."""

from __future__ import annotations

import contextlib
import os
import time
from fnmatch import fnmatch
from typing import TYPE_CHECKING

import pytest
from helpers.herd import damage_of
from helpers.processes import wait_until
from labs.nfs.commands import command_on
from labs.nfs.mounts import PATIENCE

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

    from labs.nfs.mounts import Host, Mount

FILES = {f"many/{number}.py": f"n = {number}\n" for number in range(300)}
DAY = 86400


def cable(host: Host) -> str:
    """The server's end of it."""
    return f"s{host.name[1:]}"


def crash(nfs: Mount, host: Host) -> None:
    """End all processes of *host* so that nothing of that reaches the server: first its cable, then the processes.

    To the server it is a machine that lost its power: what it locked or had open stays so until the server gives up on it.
    """
    nfs.tool(f"ip link set {cable(host)} down")
    host.run("kill -9 -1", check=False)


def abandon(job: subprocess.Popen[str]) -> None:
    """Let go of a job whose host is dead: its process ends when what it wrote has reached the server, or never."""
    job.kill()
    job.wait()
    for stream in (job.stdin, job.stdout, job.stderr):
        assert stream is not None
        stream.close()


def wait_for_files(folder: Path, pattern: str, job: subprocess.Popen[str]) -> None:
    """Wait for a file below *folder*, by listings alone: a name that is looked up too early is denied for long."""

    def is_there() -> bool:
        assert job.poll() is None, "it ended too early"
        return any(fnmatch(name, pattern) for _, _, files in os.walk(folder) for name in files)

    wait_until(is_there, patience=PATIENCE)


@contextlib.contextmanager
def mortal(nfs: Mount, host: Host) -> Iterator[None]:
    """Let *host* be so far from the server that there is time to die in; at the end it is back, and as near as before."""
    nfs.tool(f"tc qdisc add dev {cable(host)} root netem delay 20ms")
    try:
        yield
    finally:
        nfs.tool(f"tc qdisc del dev {cable(host)} root")
        nfs.tool(f"ip link set {cable(host)} up")


@pytest.mark.lab_nfs("crash")
def test_a_host_dies_with_locks_leases_and_staging(nfs: Mount) -> None:
    lock, big = nfs.folder / "requirements.txt", nfs.folder / "big.txt"
    lock.write_text(nfs.wheel("plain") + nfs.sdist("source", sleep=8))
    big.write_text(nfs.wheel("many", files=FILES))
    here = command_on(nfs, nfs.hosts[0], "survivor", SAFE_INSTALL_LOCK_TIMEOUT="20")
    here("cache", "init", "--shared", "private")
    victims = [command_on(nfs, nfs.other, f"victim-{number}") for number in range(2)]
    nfs.leftovers_expected = True
    with mortal(nfs, nfs.other):
        jobs = [victims[0].start("sync", lock), victims[1].start("sync", big)]
        try:
            wait_for_files(here.store / "locks", "build-*.owner", jobs[0])
            wait_for_files(here.store / "staging", "[0-9]*.py", jobs[1])
            crash(nfs, nfs.other)
        finally:
            for job in jobs:
                abandon(job)
        assert os.listdir(here.store / "leases") != []
        assert os.listdir(here.store / "staging") != []
        assert here("sync", lock).counts["built"] == 1
        here("sync", big, "--venv", "big")
        assert here.installed(here.folder / "big") == {"many": "1.0"}
    # What another host left is taken for dead only after a time: in here that is a matter of setting the clock.
    nfs.server.run(f"date -s @{int(time.time()) + 3 * DAY}")
    here("cache", "gc")
    # Its scratch is on its own disk, where its own system cleans up.
    assert [each for each in nfs.leftovers() if not each.startswith(f"{nfs.other.name}: ")] == []
    assert [name for name in os.listdir(here.store / "locks") if name.endswith(".owner")] == []
    assert damage_of(here.store) == []
    again = command_on(nfs, nfs.other, "back-again")
    assert again("sync", lock).counts["built"] == 0


@pytest.mark.lab_nfs("trouble")
def test_the_server_is_gone_for_twenty_seconds(nfs: Mount) -> None:
    """No host reaches it, and all go on where they were."""
    lock = nfs.folder / "requirements.txt"
    lock.write_text(nfs.wheel("many", files=FILES) + nfs.sdist("source"))
    members = [command_on(nfs, host, f"job-{host.name}", place="both") for host in (nfs.hosts[0], nfs.other)]
    jobs = [member.start("sync", lock) for member in members]
    try:
        wait_for_files(members[0].store / "staging", "[0-9]*.py", jobs[0])
        for change in ("down", "up"):
            for host in nfs.hosts:
                nfs.tool(f"ip link set {cable(host)} {change}")
            if change == "down":
                time.sleep(20)
        for member, job in zip(members, jobs, strict=True):
            stdout, stderr = job.communicate(timeout=PATIENCE / 2)
            assert member.result(job.returncode, stdout, stderr).code == 0, stderr
            assert member.installed() == {"many": "1.0", "source": "1.0"}
    finally:
        for job in jobs:
            abandon(job)
    members[0]("cache", "gc")
    assert damage_of(members[0].store) == []
