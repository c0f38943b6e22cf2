"""Where a mount keeps locks on each host, locks are made of hard links, and exclude other hosts as well (design section 6)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from helpers.herd import damage_of
from helpers.processes import wait_until
from labs.nfs.commands import command_on, herd
from labs.nfs.mounts import PATIENCE

from safe_install.errors import LockTimeoutError
from safe_install.events import ignore
from safe_install.locks import hold
from safe_install.locks.kinds import KINDS, LockKind

if TYPE_CHECKING:
    from labs.nfs.mounts import Mount

pytestmark = pytest.mark.lab_nfs("no-locks")

_COUNT = """
import sys, time
from pathlib import Path
from safe_install.events import ignore
from safe_install.locks import hold
lock, counter, rounds = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
for _ in range(rounds):
    with hold(lock, timeout=100, what="a test", sink=ignore, poll=0.01):
        with counter.open("r+") as file:
            number = int(file.read()) + 1
            time.sleep(0.02)
            file.seek(0)
            file.write(str(number))
"""
_HOLD = """
import sys, time
from pathlib import Path
from safe_install.events import ignore
from safe_install.locks import hold
with hold(Path(sys.argv[1]), timeout=100, what="a test", sink=ignore):
    Path(sys.argv[2]).touch()
    time.sleep(1000)
"""


def test_a_lock_of_another_host_is_respected(nfs: Mount) -> None:
    lock = nfs.folder / "a.lock"
    assert KINDS.of(nfs.folder).kind is LockKind.CLAIM
    holder = command_on(nfs, nfs.other, "holder").start_code(_HOLD, lock, nfs.folder / "held")
    try:
        wait_until(lambda: "held" in os.listdir(nfs.folder) or holder.poll() is not None, patience=PATIENCE)
        with pytest.raises(LockTimeoutError), hold(lock, timeout=0, what="a test", sink=ignore):
            pass
    finally:
        holder.kill()
        holder.communicate()


def test_two_hosts_lose_no_increment(nfs: Mount) -> None:
    lock, counter = nfs.folder / "a.lock", nfs.folder / "counter"
    counter.write_text("0")
    jobs = [
        command_on(nfs, host, f"job-{host.name}").start_code(_COUNT, lock, counter, "15")
        for host in (nfs.hosts[0], nfs.other)
    ]
    for job in jobs:
        _, errors = job.communicate(timeout=PATIENCE)
        assert job.returncode == 0, errors
    assert counter.read_text() == "30"


def test_one_builds_for_two_hosts(nfs: Mount) -> None:
    lock = nfs.folder / "requirements.txt"
    lock.write_text(nfs.wheel("plain") + nfs.sdist("source", sleep=0.3))
    members = [command_on(nfs, host, f"job-{host.name}") for host in (nfs.hosts[0], nfs.other)]
    results = herd(members, "sync", lock)
    assert sum(result.counts["built"] for result in results) == 1
    assert {result.counts["locks_passed_by"] for result in results} == {0}
    assert damage_of(members[0].store) == []


def test_the_claim_of_a_dead_host_is_passed_by_and_unlocked_by_hand(nfs: Mount) -> None:
    """Nothing else ever frees it: who waits goes on without it after the time-out, and says so."""
    lock = nfs.folder / "requirements.txt"
    lock.write_text(nfs.sdist("source", sleep=60))
    short = nfs.folder / "short.txt"
    here = command_on(nfs, nfs.hosts[0], "survivor", SAFE_INSTALL_LOCK_TIMEOUT="3")
    here("cache", "init", "--shared", "private")
    victim = command_on(nfs, nfs.other, "victim")
    job = victim.start("sync", lock)
    nfs.leftovers_expected = True
    try:
        wait_until(lambda: any(n.startswith("build-") for n in os.listdir(here.store / "locks")), patience=PATIENCE)
    finally:
        nfs.other.run("kill -9 -1", check=False)
        job.kill()
        job.communicate()
    short.write_text(nfs.wheel("plain"))
    here("sync", short)
    assert "build-" in here("cache", "unlock").text
