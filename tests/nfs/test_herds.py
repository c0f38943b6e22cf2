"""Herds of jobs on several hosts that share a store, environments or both over NFS (design promises 2 and 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from helpers.herd import damage_of
from labs.nfs.commands import command_on, herd

if TYPE_CHECKING:
    from labs.nfs.commands import HostCommand
    from labs.nfs.mounts import Mount

pytestmark = pytest.mark.lab_nfs

FILES = {f"many/{number}.py": f"n = {number}\n" for number in range(60)}


def test_a_cold_and_a_warm_herd(nfs: Mount, place: str) -> None:
    """Each host has two jobs. Across hosts as well one builds what all need, and nobody is told of a second one."""
    pins = [nfs.wheel("plain"), nfs.wheel("many", files=FILES), nfs.sdist("source", sleep=0.3)]
    lock = nfs.folder / "requirements.txt"
    lock.write_text("".join(pins))
    hosts = [nfs.hosts[0], nfs.other, *nfs.hosts[2:]]
    expected = dict.fromkeys(("plain", "many", "source"), "1.0")
    builds = 1 if place in {"store", "both"} else len(hosts)

    def members(kind: str) -> list[HostCommand]:
        return [command_on(nfs, host, f"{kind}-{host.name}-{n}", place=place) for host in hosts for n in range(2)]

    cold = members("cold")
    results = herd(cold, "sync", lock)
    assert sum(result.counts["built"] for result in results) == builds
    assert {result.counts["locks_passed_by"] for result in results} == {0}
    warm = members("warm")
    results = herd(warm, "sync", lock)
    assert {(result.counts["built"], result.counts["fetched"]) for result in results} == {(0, 0)}
    assert [member.installed() for member in (*cold, *warm)] == [expected] * (4 * len(hosts))
    assert damage_of(cold[0].store) == []
