"""Facts to findings: each finding can appear, alone, and nothing is found where nothing is wrong."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest
from helpers.places import LINK, change_role, fine_facts

from safe_install.models import LinkMode, Trust
from safe_install.probe.facts import LockTrial, PlaceFacts, Role
from safe_install.probe.findings import Level, Rule, WholeRule
from safe_install.probe.rules import PLACE_RULES, WHOLE_RULES, judge

if TYPE_CHECKING:
    from collections.abc import Mapping

    from safe_install.probe.findings import Facts

STORE, ENVIRONMENT, SCRATCH, TEMP, HOME, SEED = (
    Role.STORE,
    Role.ENVIRONMENT,
    Role.SCRATCH,
    Role.TEMP,
    Role.HOME,
    Role.SEED,
)
NFS = {"type": "nfs4", "source": "server:/export", "point": "/mnt"}

TABLE: tuple[Rule | WholeRule, ...] = (*PLACE_RULES, *WHOLE_RULES)
# Finding, place, part, and what is different in it.
PLACES: tuple[tuple[str, Role, str, Mapping[str, Any]], ...] = (
    ("hangs", STORE, "", {"hung": "room"}),
    ("file-in-the-way", STORE, "where", {"exists": False, "in_the_way": "/ci"}),
    ("read-only", STORE, "writing", {"kind": "read-only", "problem": "Read-only file system"}),
    ("not-writable", SCRATCH, "writing", {"kind": "denied", "problem": "Permission denied"}),
    ("full", ENVIRONMENT, "writing", {"kind": "full", "problem": "No space left on device"}),
    ("not-usable", STORE, "writing", {"kind": "other", "problem": "Input/output error"}),
    ("probe-failed", STORE, "", {"failed": ("clock: Input/output error",)}),
    ("home-missing", HOME, "where", {"exists": False}),
    ("temp-missing", TEMP, "where", {"exists": False}),
    ("space-out", STORE, "room", {"free": 10**8}),
    ("space-low", STORE, "room", {"free": 10**9}),
    ("files-out", ENVIRONMENT, "room", {"files_free": 900}),
    ("files-low", ENVIRONMENT, "room", {"files_free": 50_000}),
    ("strangers-can-write", STORE, "store", {"strangers": "everybody can write it", "remedy": "chmod go-w /ci/store"}),
    ("foreign-owner", STORE, "store", {"strangers": "it belongs to bob", "remedy": "chown -R 1000 /ci/store"}),
    ("acl-lets-write", STORE, "rights", {"acl_writers": ("user 1001",)}),
    ("acl-handed-down", STORE, "rights", {"acl_default": True}),
    ("replaceable", STORE, "rights", {"open_above": ("/ci",)}),
    ("link-to-store", STORE, "where", {"link": "/other"}),
    ("not-a-store", STORE, "store", {"problem": "store-not-ours", "message": "it is full of photographs"}),
    ("newer-format", STORE, "store", {"problem": "store-newer-format", "message": "it has format 9"}),
    ("seed-unusable", SEED, "store", {"problem": "store-missing", "message": "nothing there", "present": False}),
    ("store-incomplete", STORE, "store", {"missing": ("staging",), "missing_count": 1}),
    ("closed-to-group", STORE, "store", {"closed": ("locks",), "closed_count": 1, "sharing": "group"}),
    ("sticky-store", STORE, "store", {"sticky": True}),
    ("foreign-entries", STORE, "store", {"foreign": ("files-1/ab/x (root)",), "foreign_count": 9}),
    ("empty-entries", STORE, "store", {"empty": ("files-1/ab/x",), "empty_count": 1}),
    ("made-twice", STORE, "exclusion", {"wrong": 3}),
    ("no-folder-rename", STORE, "abilities", {"rename_folder": "Invalid cross-device link"}),
    ("lock-hangs", STORE, "", {"hung": "native_lock", "native_lock": None}),
    ("locks-of-links", STORE, "native_lock", {"problem": "No locks available"}),
    ("no-execution", SCRATCH, "abilities", {"executes": False}),
    ("scratch-on-network", SCRATCH, "mount", {**NFS, "network": True}),
    ("store-on-network", STORE, "mount", {**NFS, "network": True}),
    ("environment-on-network", ENVIRONMENT, "mount", {**NFS, "network": True}),
    ("home-on-network", HOME, "mount", {**NFS, "network": True}),
    ("soft-mount", TEMP, "mount", {**NFS, "options": ("rw", "soft")}),
    ("in-memory", STORE, "mount", {"type": "tmpfs"}),
    ("owner-is-mapped", STORE, "abilities", {"owner_of_new": 65534}),
    ("busy-files-stay", STORE, "abilities", {"unlink_open": ".nfs000000000000002a"}),
    ("busy-files-stay-put", ENVIRONMENT, "abilities", {"rename_over_open": "Access is denied"}),
    ("no-hard-links", STORE, "abilities", {"hard_links": "Operation not permitted"}),
    ("no-symlinks", ENVIRONMENT, "abilities", {"symlinks": "Operation not permitted"}),
    ("modes-not-kept", STORE, "abilities", {"keeps_modes": False}),
    ("case-blind", ENVIRONMENT, "abilities", {"case_sensitive": False}),
    ("clock-off", STORE, "clock", {"ahead": -30.0}),
    ("clock-far-off", STORE, "clock", {"ahead": 7200.0}),
    ("path-long", ENVIRONMENT, "names", {"length": 100, "path_limit": 260}),
    ("path-too-long", ENVIRONMENT, "names", {"length": 200, "path_limit": 260}),
    ("names-short", STORE, "names", {"name_limit": 143}),
    ("socket-path", SCRATCH, "names", {"length": 90}),
    ("probes-left", HOME, "left_overs", {"paths": ("/home/ci/.safe-install-probe-1",)}),
)


def troubles(facts: Facts) -> list[str]:
    return [finding.code for finding in judge(facts) if finding.level is not Level.OK]


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    assert troubles(fine_facts()) == []


@pytest.mark.parametrize(("code", "role", "part", "fields"), PLACES, ids=[each[0] for each in PLACES])
def test_one_thing_that_is_wrong_is_one_finding(code: str, role: Role, part: str, fields: Mapping[str, Any]) -> None:
    facts = change_role(fine_facts(), role, part, **fields)
    assert troubles(facts) == [code]
    (finding,) = (each for each in judge(facts) if each.code == code)
    assert finding.roles == (role.value,)
    assert finding.cause
    assert finding.effect
    assert finding.mend
    assert "{" not in finding.cause + finding.effect + finding.mend


def first_come() -> Facts:
    facts = change_role(fine_facts(), STORE, "where", exists=False, there="/tmp")
    return change_role(facts, STORE, "rights", shared_above=True)


def no_locks() -> Facts:
    facts = change_role(fine_facts(), ENVIRONMENT, "native_lock", problem="No locks available")
    return change_role(facts, ENVIRONMENT, "claim_lock", problem="Operation not permitted")


def in_container() -> Facts:
    facts = change_role(fine_facts(), STORE, "mount", type="overlay")
    return dataclasses.replace(facts, machine=dataclasses.replace(facts.machine, container="docker"))


def with_link(**fields: Any) -> Facts:
    return dataclasses.replace(fine_facts(), links=(dataclasses.replace(LINK, **fields),))


def untrusted() -> Facts:
    facts = fine_facts()
    return dataclasses.replace(facts, wanted=dataclasses.replace(facts.wanted, trust=Trust.UNTRUSTED))


def in_ci() -> Facts:
    facts = fine_facts()
    return dataclasses.replace(facts, machine=dataclasses.replace(facts.machine, ci="GitLab CI"))


def scanned() -> Facts:
    facts = fine_facts()
    return dataclasses.replace(facts, machine=dataclasses.replace(facts.machine, scanners=("WdFilter",)))


# Findings that take more than one difference, or that are about several places.
OTHERS = {
    "first-come": first_come(),
    "no-locks": no_locks(),
    "in-container": in_container(),
    "link-mode-fails": with_link(mode="", problem="no reflinks here"),
    "files-are-copied": with_link(mode="copy", reason="Invalid cross-device link"),
    "untrusted-can-write": untrusted(),
    "one-user-for-all": in_ci(),
    "scanner": scanned(),
    "left-behind": dataclasses.replace(fine_facts(), left=("/mnt/.safe-install-probe-1",)),
}


@pytest.mark.parametrize("code", OTHERS)
def test_what_takes_more_than_one_fact_is_one_finding_too(code: str) -> None:
    assert troubles(OTHERS[code]) == [code]


def test_every_finding_of_the_table_is_shown_to_appear() -> None:
    fine = {finding.code for finding in judge(fine_facts())}
    assert {rule.code for rule in TABLE} == {each[0] for each in PLACES} | set(OTHERS) | fine


def test_no_two_findings_have_one_name() -> None:
    codes = [rule.code for rule in TABLE]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("role", Role)
def test_a_place_of_which_nothing_is_known_is_no_danger(role: Role) -> None:
    """A probe that failed must not make others speak."""
    facts = dataclasses.replace(fine_facts(), places=(PlaceFacts(path="/ci/place", roles=frozenset({role})),), links=())
    assert troubles(facts) == []


def test_untrusted_job_that_cannot_write_what_others_read_is_no_danger() -> None:
    facts = change_role(untrusted(), SEED, "rights", writable=False)
    assert troubles(facts) == []


def test_an_explicit_copy_is_no_step_down() -> None:
    facts = with_link(mode="copy")
    wanted = dataclasses.replace(facts.wanted, link_mode=LinkMode.COPY)
    assert troubles(dataclasses.replace(facts, wanted=wanted)) == []


@pytest.mark.parametrize("options", [("rw", "nolock"), ("rw", "local_lock=all")])
def test_native_locks_that_stay_on_this_host_are_not_used(options: tuple[str, ...]) -> None:
    facts = change_role(fine_facts(), ENVIRONMENT, "mount", network=True, options=options, **NFS)
    assert set(troubles(facts)) == {"environment-on-network", "locks-of-links"}


def test_dangers_come_first() -> None:
    facts = change_role(fine_facts(), STORE, "room", free=10**9, files_free=1)
    levels = [finding.level for finding in judge(facts)]
    assert levels == sorted(levels, key=list(reversed(Level)).index)


def test_a_store_named_as_a_mere_path_is_looked_at_as_one() -> None:
    facts = fine_facts()
    store = facts.place(STORE)
    assert store is not None
    place = dataclasses.replace(
        store, path="/ci/other", roles=frozenset({Role.PATH}), native_lock=LockTrial(problem="")
    )
    changed = dataclasses.replace(place, store=dataclasses.replace(store.store, empty=("x",), empty_count=1))  # type: ignore[type-var]  # it is one
    found = [
        each for each in judge(dataclasses.replace(facts, places=(*facts.places, changed))) if each.place == "/ci/other"
    ]
    assert [each.code for each in found] == ["empty-entries", "looked-at"]
    assert not any(each.blocks for each in found)
