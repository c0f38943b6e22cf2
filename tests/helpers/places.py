"""Facts of a machine on which nothing is wrong, to change one thing at a time."""

from __future__ import annotations

import dataclasses
from typing import Any

from safe_install.models import Isolation, LinkMode, Scope, Trust
from safe_install.probe.facts import (
    Abilities,
    Clock,
    Exclusion,
    LeftOvers,
    LinkTrial,
    LockTrial,
    Machine,
    Mount,
    Names,
    PlaceFacts,
    Rights,
    Role,
    Room,
    StoreState,
    Where,
    Writing,
)
from safe_install.probe.findings import Facts, Wanted

USER = 1000

FINE = PlaceFacts(
    path="/ci/place",
    roles=frozenset(),
    where=Where(there="/ci/place", resolved="/ci/place", link="", exists=True, in_the_way=""),
    mount=Mount(point="/", type="ext4", source="/dev/sda1", options=("rw",), network=False),
    rights=Rights(
        owner=USER,
        owner_name="ci",
        group=USER,
        mode=0o700,
        ours=True,
        writable=True,
        acl_writers=(),
        acl_default=False,
        open_above=(),
        shared_above=False,
    ),
    room=Room(free=10**11, total=10**12, files_free=10**7, files_total=10**8),
    names=Names(length=20, name_limit=255, path_limit=4096),
    store=StoreState(present=True),
    left_overs=LeftOvers(paths=()),
    writing=Writing(kind="", problem=""),
    abilities=Abilities(
        hard_links="",
        reflinks="",
        symlinks="",
        rename_over_open="",
        rename_folder="",
        unlink_open="",
        keeps_modes=True,
        case_sensitive=True,
        executes=True,
        owner_of_new=USER,
    ),
    clock=Clock(ahead=0.0),
    exclusion=Exclusion(wrong=0),
    claim_lock=LockTrial(problem=""),
    native_lock=LockTrial(problem=""),
)
_ROLES = {
    "/ci/store": Role.STORE,
    "/ci/seed": Role.SEED,
    "/ci/project/.venv": Role.ENVIRONMENT,
    "/ci/scratch": Role.SCRATCH,
    "/tmp": Role.TEMP,
    "/home/ci": Role.HOME,
}
MACHINE = Machine(system="linux", host="runner-7", user=USER, user_name="ci", container="", ci="", scanners=None)
WANTED = Wanted(
    scope=Scope.RUNNER,
    trust=Trust.TRUSTED,
    link_mode=LinkMode.AUTO,
    isolation=Isolation.STANDARD,
    temporary_store=False,
)
LINK = LinkTrial(layer="/ci/store", mode="hardlink", reason="", problem="", foreign=True)


def fine_facts() -> Facts:
    """A local machine with one of each place, all of them as they should be."""
    places = []
    for path, role in _ROLES.items():
        place = change(
            dataclasses.replace(FINE, path=path, roles=frozenset({role})), "where", there=path, resolved=path
        )
        if role not in {Role.STORE, Role.SEED}:
            place = dataclasses.replace(place, store=StoreState(problem="store-missing"))
        places.append(place)
    return Facts(wanted=WANTED, machine=MACHINE, places=tuple(places), links=(LINK,))


def change(place: PlaceFacts, part: str, **fields: Any) -> PlaceFacts:
    """The same place with other fields in one part, or (with an empty name of the part) of itself."""
    if not part:
        return dataclasses.replace(place, **fields)
    return dataclasses.replace(place, **{part: dataclasses.replace(getattr(place, part), **fields)})


def change_role(facts: Facts, role: Role, part: str, **fields: Any) -> Facts:
    """The same facts with one place changed."""
    places = tuple(change(each, part, **fields) if role in each.roles else each for each in facts.places)
    return dataclasses.replace(facts, places=places)
