"""Every call to the server takes 50 ms more: slower, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from helpers.herd import damage_of
from labs.nfs.commands import command_on, herd

if TYPE_CHECKING:
    from labs.nfs.mounts import Mount

pytestmark = pytest.mark.lab_nfs("slow")


def test_a_herd_over_a_slow_link(nfs: Mount) -> None:
    lock = nfs.folder / "requirements.txt"
    lock.write_text(nfs.wheel("plain") + nfs.sdist("source"))
    members = [command_on(nfs, host, f"job-{host.name}") for host in (nfs.hosts[0], nfs.other)]
    results = herd(members, "sync", lock)
    assert sum(result.counts["built"] for result in results) == 1
    assert {result.counts["locks_passed_by"] for result in results} == {0}
    assert [member.installed() for member in members] == [{"plain": "1.0", "source": "1.0"}] * 2
    assert damage_of(members[0].store) == []
