"""Facts and findings to a layout."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest
from helpers.places import LINK, change_role, fine_facts

from safe_install.models import LinkMode, Scope, Trust
from safe_install.probe.facts import Role
from safe_install.probe.layout import JobLayout, decide
from safe_install.probe.rules import judge

if TYPE_CHECKING:
    from collections.abc import Mapping

    from safe_install.probe.findings import Facts

NFS = {"type": "nfs4", "source": "server:/export", "point": "/mnt", "network": True}


def layout_of(facts: Facts) -> JobLayout:
    return decide(facts, judge(facts))


def as_job(facts: Facts, **wanted: Any) -> Facts:
    """The same machine, for a job with a store of its own above the runner's, which lies where the first was."""
    places = tuple(
        dataclasses.replace(each, roles=frozenset({Role.RUNNER})) if Role.STORE in each.roles else each
        for each in facts.places
    )
    changed = dataclasses.replace(facts.wanted, scope=Scope.JOB, temporary_store=True, **wanted)
    return dataclasses.replace(facts, places=places, wanted=changed)


def test_what_works_is_used_as_the_settings_say() -> None:
    layout = layout_of(fine_facts())
    assert layout.works
    assert [(each.name, each.path, each.writable, each.locks) for each in layout.layers] == [
        ("runner", "/ci/store", True, "native"),
        ("seed 1", "/ci/seed", False, "native"),
    ]
    assert (layout.environment, layout.scratch) == ("/ci/project/.venv", "/ci/scratch")
    assert layout.link_mode is LinkMode.HARDLINK
    assert layout.reasons == ()


@pytest.mark.parametrize(
    ("part", "fields"),
    [
        ("", {"hung": "mount"}),
        ("writing", {"kind": "read-only", "problem": "Read-only file system"}),
        ("store", {"strangers": "everybody can write it", "remedy": "chmod go-w /ci/store"}),
        ("store", {"problem": "store-not-ours", "message": "photographs"}),
        ("exclusion", {"wrong": 1}),
    ],
)
def test_a_store_that_cannot_be_used_is_replaced_by_a_temporary_one(part: str, fields: Mapping[str, Any]) -> None:
    layout = layout_of(change_role(fine_facts(), Role.STORE, part, **fields))
    assert layout.works
    assert layout.scope is Scope.JOB
    assert (layout.layers[0].name, layout.layers[0].path) == ("job", None)
    assert layout.layers[1].name == "seed 1"
    assert "/ci/store" in layout.reasons[0]
    assert layout.link_mode is LinkMode.COPY


@pytest.mark.parametrize(
    ("part", "fields"),
    [
        ("mount", NFS),
        ("abilities", {"executes": False}),
        ("room", {"free": 10**6}),
        ("writing", {"kind": "denied", "problem": "Permission denied"}),
    ],
)
def test_builds_go_where_they_work_best(part: str, fields: Mapping[str, Any]) -> None:
    layout = layout_of(change_role(fine_facts(), Role.SCRATCH, part, **fields))
    assert layout.scratch == "/tmp"
    assert "/ci/scratch" in layout.reasons[0]


def test_a_poor_scratch_is_better_than_none() -> None:
    facts = change_role(fine_facts(), Role.SCRATCH, "mount", **NFS)
    layout = layout_of(change_role(facts, Role.TEMP, "writing", kind="denied", problem="Permission denied"))
    assert layout.scratch == "/ci/scratch"


@pytest.mark.parametrize(
    ("part", "fields"),
    [
        ("", {"hung": "where", "writing": None}),
        ("writing", {"kind": "full", "problem": "No space left on device"}),
        ("abilities", {"executes": False}),
        ("names", {"length": 250, "path_limit": 260}),
    ],
)
def test_without_an_environment_nothing_works(part: str, fields: Mapping[str, Any]) -> None:
    facts = change_role(fine_facts(), Role.ENVIRONMENT, part, **fields)
    assert not layout_of(facts).works
    assert any(finding.blocks for finding in judge(facts))


def test_a_trusted_job_with_a_store_of_its_own_writes_the_runner_layer_too() -> None:
    layout = layout_of(as_job(fine_facts()))
    assert [(each.name, each.writable) for each in layout.layers] == [
        ("job", True),
        ("runner", True),
        ("seed 1", False),
    ]


def test_an_untrusted_job_writes_its_own_layer_alone() -> None:
    layout = layout_of(as_job(fine_facts(), trust=Trust.UNTRUSTED))
    assert layout.trust is Trust.UNTRUSTED
    assert [each.writable for each in layout.layers] == [True, False, False]


def test_layers_that_cannot_be_read_are_left_out_with_their_reason() -> None:
    facts = change_role(as_job(fine_facts()), Role.RUNNER, "", hung="where")
    facts = change_role(facts, Role.SEED, "store", present=False, problem="store-missing")
    layout = layout_of(facts)
    assert [each.name for each in layout.layers] == ["job"]
    assert [reason.split(" is no layer: ")[1] for reason in layout.reasons] == ["hangs", "seed-unusable"]


@pytest.mark.parametrize("mode", ["reflink", "hardlink", "copy"])
def test_the_link_mode_is_what_was_found_with_a_file(mode: str) -> None:
    facts = dataclasses.replace(fine_facts(), links=(dataclasses.replace(LINK, mode=mode, reason="because"),))
    assert layout_of(facts).link_mode.value == mode


def test_the_kind_of_lock_is_that_of_each_place() -> None:
    facts = change_role(fine_facts(), Role.STORE, "native_lock", problem="No locks available")
    layout = layout_of(facts)
    assert layout.layers[0].locks == "claim"
    assert layout.environment_locks == "native"
