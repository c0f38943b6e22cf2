"""What `doctor` says of a network disk is what the other commands then meet there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from labs.nfs.combinations import NO_LOCKS, UPKEEP
from labs.nfs.commands import command_on

from safe_install.locks.kinds import KINDS

if TYPE_CHECKING:
    from labs.nfs.mounts import Mount


def ask(nfs: Mount) -> tuple[dict[str, Any], set[tuple[str, str]]]:
    """The report on a store and an environment on NFS, and its findings with the place of each."""
    command = command_on(nfs, nfs.hosts[0], "asked", place="both")
    document = json.loads(command("doctor", "--json", "--deadline", "110").stdout)
    return document, {(each["code"], role) for each in document["findings"] for role in each["roles"]}


@pytest.mark.lab_nfs(UPKEEP)
def test_what_lies_on_nfs_is_told_with_what_comes_of_it(nfs: Mount) -> None:
    document, found = ask(nfs)
    assert {("store-on-network", "store"), ("environment-on-network", "environment")} <= found
    # The name that stays for an open file, and why folders cannot be emptied while somebody reads.
    assert ("busy-files-stay", "store") in found
    assert any(".nfs" in each["cause"] for each in document["findings"] if each["code"] == "busy-files-stay")
    assert not {code for code, _ in found} & {"made-twice", "no-locks", "lock-hangs", "hangs", "probe-failed"}
    (layer,) = document["layout"]["layers"]
    assert layer["locks"] == KINDS.of(nfs.folder).kind.value
    assert document["layout"]["link_mode"] == "copy"


@pytest.mark.lab_nfs(NO_LOCKS)
def test_where_locks_stay_on_a_host_they_are_made_of_links(nfs: Mount) -> None:
    document, found = ask(nfs)
    assert {("locks-of-links", "store"), ("locks-of-links", "environment")} <= found
    (layer,) = document["layout"]["layers"]
    assert layer["locks"] == document["layout"]["environment_locks"] == KINDS.of(nfs.folder).kind.value == "claim"
