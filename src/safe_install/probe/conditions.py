"""When the rules apply: each function returns the values for a rule's texts, or None.

Whatever a condition looks at may be unknown, because a probe failed or was not needed; then it does not apply.
"""

from __future__ import annotations

import shlex
import stat
from typing import TYPE_CHECKING, TypeAlias

from ..locks.kinds import LockKind, keeps_locks_to_itself
from ..models import LinkMode, Scope, Trust
from .facts import STORES, Role

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .facts import LinkTrial, PlaceFacts
    from .findings import Facts

    Values: TypeAlias = Mapping[str, object] | None
    Condition: TypeAlias = Callable[[PlaceFacts, Facts], Values]
    WholeCondition: TypeAlias = Callable[[Facts], Values]

# An environment of 60 distributions has 30,000 files; its wheels and a build together take hundreds of megabytes.
_LITTLE_SPACE, _NO_SPACE = 2_000_000_000, 200_000_000
_FEW_FILES, _NO_FILES = 100_000, 5_000
# What lies in a site-packages folder is rarely deeper; with less than half of it most environments fail.
_USUAL_DEPTH, _LEAST_DEPTH = 200, 100
# unix(7): 108 bytes, of which the program that makes a socket in its temporary folder needs some for the name.
_SOCKET_PATH = 80
_LONG_NAME = 255
# A second is lost to file systems that count in whole ones.
_SKEW, _GREAT_SKEW = 5.0, 3600.0
_MEMORY = frozenset({"tmpfs", "ramfs"})
_CONTAINER_LAYERS = frozenset({"overlay", "overlayfs", "aufs", "fuse.fuse-overlayfs"})

FLOWS: frozenset[Role] = frozenset({Role.STORE, Role.ENVIRONMENT, Role.SCRATCH})
"""Places without which no installation succeeds."""


def hangs(place: PlaceFacts, facts: Facts) -> Values:
    """Its probe had to be stopped, elsewhere than at locks."""
    if not place.hung or place.hung == "native_lock":
        return None
    point = place.mount.point if place.mount and place.mount.point else place.path
    return {"step": place.hung.replace("_", " "), "seconds": f"{facts.deadline:g}", "point": point}


def lock_hangs(place: PlaceFacts, facts: Facts) -> Values:
    """A native lock did not come back."""
    return {"seconds": f"{facts.deadline:g}"} if place.hung == "native_lock" else None


def probe_failed(place: PlaceFacts, _facts: Facts) -> Values:
    """Some of its probes failed."""
    return {"failed": "; ".join(place.failed).replace("_", " ")} if place.failed else None


def in_the_way(place: PlaceFacts, _facts: Facts) -> Values:
    """A file stands in its place."""
    return {"file": place.where.in_the_way} if place.where and place.where.in_the_way else None


def absent(place: PlaceFacts, _facts: Facts) -> Values:
    """It is not there."""
    return {} if place.where and not place.where.exists and not place.where.in_the_way else None


def unwritable(kind: str) -> Condition:
    """Nothing can be made there, for one reason (`facts.Writing`)."""

    def condition(place: PlaceFacts, _facts: Facts) -> Values:
        if place.writing is None or place.writing.kind != kind or place.where is None:
            return None
        owner = f"{place.rights.owner_name} (uid {place.rights.owner})" if place.rights else "somebody"
        mode = stat.filemode(stat.S_IFDIR | place.rights.mode) if place.rights else "unknown"
        return {
            "there": place.where.there,
            "shell": shlex.quote(place.where.there),
            "reason": place.writing.problem,
            "owner": owner,
            "mode": mode,
            "point": (place.mount.point if place.mount else "") or place.where.there,
        }

    return condition


def little_space(place: PlaceFacts, _facts: Facts) -> Values:
    """It is getting full."""
    return _space(place, _NO_SPACE, _LITTLE_SPACE)


def no_space(place: PlaceFacts, _facts: Facts) -> Values:
    """It is as good as full."""
    return _space(place, 0, _NO_SPACE)


def _space(place: PlaceFacts, least: int, most: int) -> Values:
    if place.room is None or not least <= place.room.free < most:
        return None
    return {"free": f"{place.room.free / 1e6:,.0f} MB", "total": f"{place.room.total / 1e6:,.0f} MB"}


def few_files(place: PlaceFacts, _facts: Facts) -> Values:
    """There are not many inodes left."""
    return _files(place, _NO_FILES, _FEW_FILES)


def no_files(place: PlaceFacts, _facts: Facts) -> Values:
    """There are hardly any inodes left."""
    return _files(place, 0, _NO_FILES)


def _files(place: PlaceFacts, least: int, most: int) -> Values:
    if place.room is None or place.room.files_free is None or not least <= place.room.files_free < most:
        return None
    return {"free": f"{place.room.files_free:,}", "total": f"{place.room.files_total:,}"}


def strangers_write(place: PlaceFacts, facts: Facts) -> Values:
    """A store that is refused because of who can write it; its owner is another matter."""
    if foreign_owner(place, facts) is not None or not place.store or not place.store.strangers:
        return None
    return {"who": place.store.strangers, "command": place.store.remedy}


def foreign_owner(place: PlaceFacts, _facts: Facts) -> Values:
    """A store that is refused because it is somebody else's."""
    if place.store is None or not place.store.remedy.startswith("chown"):
        return None
    return {"who": place.store.strangers, "command": place.store.remedy}


def refused(*codes: str) -> Condition:
    """A store that is refused with one of these codes."""

    def condition(place: PlaceFacts, _facts: Facts) -> Values:
        return {"message": place.store.message} if place.store and place.store.problem in codes else None

    return condition


def no_seed(place: PlaceFacts, _facts: Facts) -> Values:
    """There is no store where a seed should be, or none that can be used."""
    if place.store is None or (place.store.present and not place.store.problem):
        return None
    return {"reason": place.store.message or "nothing is there"}


def missing_folders(place: PlaceFacts, _facts: Facts) -> Values:
    """Folders of a store are not there."""
    if place.store is None or not place.store.missing_count:
        return None
    return _first_few(place.store.missing, place.store.missing_count)


def closed_to_group(place: PlaceFacts, _facts: Facts) -> Values:
    """Folders of a group's store do not let the group in."""
    if place.store is None or not place.store.closed_count:
        return None
    return _first_few(place.store.closed, place.store.closed_count)


def sticky(place: PlaceFacts, _facts: Facts) -> Values:
    """A group's store in which only owners can replace things."""
    return {} if place.store and place.store.sticky else None


def foreign_entries(place: PlaceFacts, _facts: Facts) -> Values:
    """Parts of a private store belong to other users."""
    if place.store is None or not place.store.foreign_count:
        return None
    owner = place.rights.owner if place.rights else ""
    return {**_first_few(place.store.foreign, place.store.foreign_count), "owner": owner}


def empty_files(place: PlaceFacts, _facts: Facts) -> Values:
    """Entries without content."""
    if place.store is None or not place.store.empty_count:
        return None
    return _first_few(place.store.empty, place.store.empty_count)


def _first_few(names: tuple[str, ...], count: int) -> Mapping[str, object]:
    more = f" and {count - len(names):,} more" if count > len(names) else ""
    return {"count": f"{count:,}", "names": ", ".join(names) + more}


def is_link(place: PlaceFacts, _facts: Facts) -> Values:
    """The place is a link."""
    return {"target": place.where.link} if place.where and place.where.link else None


def open_above(place: PlaceFacts, _facts: Facts) -> Values:
    """Everybody can replace a folder on the way to it."""
    if place.rights is None or not place.rights.open_above:
        return None
    return {"folder": place.rights.open_above[0], "shell": shlex.quote(place.rights.open_above[0])}


def first_come(place: PlaceFacts, _facts: Facts) -> Values:
    """It will be made where everybody can make it first."""
    if not place.rights or not place.where or place.where.exists or not place.rights.shared_above:
        return None
    return {"folder": place.where.there}


def acl_writers(place: PlaceFacts, _facts: Facts) -> Values:
    """An access list lets others write."""
    return {"who": ", ".join(place.rights.acl_writers)} if place.rights and place.rights.acl_writers else None


def acl_default(place: PlaceFacts, _facts: Facts) -> Values:
    """An access list is handed down."""
    return {} if place.rights and place.rights.acl_default else None


def mapped_owner(place: PlaceFacts, facts: Facts) -> Values:
    """What is made there belongs to somebody else than the one who made it."""
    if place.abilities is None or facts.machine.user < 0 or place.abilities.owner_of_new == facts.machine.user:
        return None
    return {"owner": place.abilities.owner_of_new, "user": facts.machine.user}


def on_network(place: PlaceFacts, _facts: Facts) -> Values:
    """It is on a network file system."""
    if place.mount is None or not place.mount.network:
        return None
    return {"type": place.mount.type or "a network file system", "source": place.mount.source or place.mount.point}


def is_soft(place: PlaceFacts, _facts: Facts) -> Values:
    """An NFS mount that gives up."""
    if place.mount is None or not place.mount.type.startswith("nfs"):
        return None
    return {"point": place.mount.point} if "soft" in place.mount.options else None


def in_memory(place: PlaceFacts, _facts: Facts) -> Values:
    """It is in memory."""
    return {"type": place.mount.type} if place.mount and place.mount.type in _MEMORY else None


def in_container_layer(place: PlaceFacts, facts: Facts) -> Values:
    """It goes away with its container."""
    if not facts.machine.container or place.mount is None or place.mount.type not in _CONTAINER_LAYERS:
        return None
    return {"container": facts.machine.container, "type": place.mount.type}


def made_twice(place: PlaceFacts, _facts: Facts) -> Values:
    """Exclusive creation does not exclude."""
    return {"count": place.exclusion.wrong} if place.exclusion and place.exclusion.wrong else None


def locks_by_links(place: PlaceFacts, _facts: Facts) -> Values:
    """Locks of the second kind are used."""
    kind, reason = lock_kind(place)
    return {"reason": reason} if kind is LockKind.CLAIM and place.hung != "native_lock" else None


def no_lock_works(place: PlaceFacts, _facts: Facts) -> Values:
    """Neither kind of lock works."""
    kind, reason = lock_kind(place)
    return {"reason": reason} if kind is LockKind.NONE else None


def lock_kind(place: PlaceFacts) -> tuple[LockKind | None, str]:
    """Which kind of lock works there, and why not a better one; None where nobody could try.

    As `locks.kinds` comes to it when a lock is needed.
    """
    if place.claim_lock is None:
        return None, ""
    claim = place.claim_lock.problem
    native = place.native_lock.problem if place.native_lock else "trying one did not come to an end"
    if place.mount and place.mount.network and keeps_locks_to_itself(",".join(place.mount.options)):
        native = native or "its mount keeps locks on this host"
    if not native:
        return LockKind.NATIVE, ""
    return (LockKind.NONE, f"{native}; {claim}") if claim else (LockKind.CLAIM, native)


def cannot_execute(place: PlaceFacts, _facts: Facts) -> Values:
    """No program in it can be started."""
    return {} if place.abilities and place.abilities.executes is False else None


def no_modes(place: PlaceFacts, _facts: Facts) -> Values:
    """Files do not keep their modes."""
    return {} if place.abilities and not place.abilities.keeps_modes else None


def cannot(ability: str) -> Condition:
    """The file system refuses something (a field of `facts.Abilities`)."""

    def condition(place: PlaceFacts, _facts: Facts) -> Values:
        reason = getattr(place.abilities, ability) if place.abilities else ""
        return {"reason": reason} if reason else None

    return condition


def case_blind(place: PlaceFacts, _facts: Facts) -> Values:
    """Names that differ in case are one."""
    return {} if place.abilities and not place.abilities.case_sensitive else None


def skewed(place: PlaceFacts, _facts: Facts) -> Values:
    """Its clock is some seconds off."""
    return _skew(place, _SKEW, _GREAT_SKEW)


def far_skewed(place: PlaceFacts, _facts: Facts) -> Values:
    """Its clock is hours off."""
    return _skew(place, _GREAT_SKEW, float("inf"))


def _skew(place: PlaceFacts, least: float, most: float) -> Values:
    if place.clock is None or not least <= abs(place.clock.ahead) < most:
        return None
    return {"seconds": f"{abs(place.clock.ahead):,.0f}", "way": "ahead of" if place.clock.ahead > 0 else "behind"}


def path_long(place: PlaceFacts, _facts: Facts) -> Values:
    """There is little room for what lies below it."""
    return _depth(place, _LEAST_DEPTH, _USUAL_DEPTH)


def path_too_long(place: PlaceFacts, _facts: Facts) -> Values:
    """There is no room for what lies below it."""
    return _depth(place, -(1 << 20), _LEAST_DEPTH)


def _depth(place: PlaceFacts, least: int, most: int) -> Values:
    if place.names is None:
        return None
    left = place.names.path_limit - place.names.length
    if not least <= left < most:
        return None
    return {"length": place.names.length, "limit": place.names.path_limit, "left": left}


def names_short(place: PlaceFacts, _facts: Facts) -> Values:
    """Names are shorter than elsewhere."""
    return {"limit": place.names.name_limit} if place.names and place.names.name_limit < _LONG_NAME else None


def socket_path(place: PlaceFacts, facts: Facts) -> Values:
    """Sockets cannot be made there."""
    if facts.machine.system == "win32" or place.names is None or place.names.length <= _SOCKET_PATH:
        return None
    return {"length": place.names.length}


def left_overs(place: PlaceFacts, _facts: Facts) -> Values:
    """Earlier probes left something."""
    if place.left_overs is None or not place.left_overs.paths:
        return None
    return {
        "count": len(place.left_overs.paths),
        "names": ", ".join(place.left_overs.paths),
        "shell": " ".join(map(shlex.quote, place.left_overs.paths)),
    }


def link_fails(place: PlaceFacts, facts: Facts) -> Values:
    """Files cannot be brought into the environment as was asked."""
    trial = link_of(place, facts)
    return {"mode": facts.wanted.link_mode.value, "reason": trial.problem} if trial and trial.problem else None


def copies(place: PlaceFacts, facts: Facts) -> Values:
    """Files are copied where that was not asked for."""
    trial = link_of(place, facts)
    if trial is None or trial.mode != LinkMode.COPY.value or facts.wanted.link_mode is LinkMode.COPY:
        return None
    return {"reason": trial.reason or "no other way works here"}


def link_of(place: PlaceFacts, facts: Facts) -> LinkTrial | None:
    """What was found out about the way from a layer into the environment."""
    return next((trial for trial in facts.links if trial.layer == place.path), None)


def untrusted_writes(facts: Facts) -> Values:
    """An untrusted job acts as a user who can write what trusted jobs read."""
    if facts.wanted.trust is not Trust.UNTRUSTED:
        return None
    shared = {Role.RUNNER, Role.SEED}
    found = [
        each.path
        for each in facts.places
        if each.roles & shared and each.where and each.where.exists and each.rights and each.rights.writable
    ]
    return {"places": ", ".join(found), "user": _me(facts), "place": found[0]} if found else None


def one_user(facts: Facts) -> Values:
    """A trusted job of a CI system shares a store with all jobs of its user."""
    store = facts.place(Role.STORE)
    if not facts.machine.ci or facts.wanted.trust is not Trust.TRUSTED or facts.wanted.scope is not Scope.RUNNER:
        return None
    return {"ci": facts.machine.ci, "user": _me(facts), "place": store.path} if store else None


def _me(facts: Facts) -> str:
    number = f" (uid {facts.machine.user})" if facts.machine.user >= 0 else ""
    return f"{facts.machine.user_name}{number}"


def scanned(facts: Facts) -> Values:
    """Something looks into every new file."""
    return {"names": ", ".join(facts.machine.scanners)} if facts.machine.scanners else None


def not_scanned(facts: Facts) -> Values:
    """Nothing is known to look into files."""
    return None if facts.machine.scanners else {}


def remains(facts: Facts) -> Values:
    """Something of the probes could not be removed."""
    if not facts.left:
        return None
    return {"names": ", ".join(facts.left), "shell": " ".join(map(shlex.quote, facts.left))}


def machine(facts: Facts) -> Values:
    """Always: what this runs on."""
    surroundings = " in ".join(filter(None, (facts.machine.ci, facts.machine.container)))
    return {"user": _me(facts), "host": facts.machine.host, "kind": surroundings or "no CI system, no container"}


def fine(place: PlaceFacts, facts: Facts) -> Values:
    """Everything that had to be found out about it was; what is wrong say other rules."""
    if place.hung or place.mount is None or place.room is None or place.where is None:
        return None
    kind, _ = lock_kind(place)
    trial = link_of(place, facts)
    parts = [
        f"{place.mount.type or 'unknown file system'} at {place.mount.point or place.where.there}",
        f"{place.room.free / 1e9:,.1f} GB free",
    ]
    if kind is not None:
        parts.append(f"{kind.value} locks")
    if place.abilities is not None:
        ways = [name for name in ("reflinks", "hard_links", "symlinks") if not getattr(place.abilities, name)]
        parts.append(", ".join(ways).replace("_", " ") or "no links")
    if trial is not None and trial.mode:
        parts.append(f"{trial.mode} into the environment")
    if STORES & place.roles and place.store and place.store.present:
        parts.append(f"a {place.store.sharing} store")
    return {"facts": "; ".join(parts)}
