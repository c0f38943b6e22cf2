"""What probes find, as plain values that can be written as JSON and read back.

A text that tells how something went is empty where it went well, and says what happened where it did not.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")


class Role(Enum):
    """What a place is for."""

    STORE = "store"
    RUNNER = "runner"
    SEED = "seed"
    ENVIRONMENT = "environment"
    SCRATCH = "scratch"
    HOME = "home"
    TEMP = "temp"
    PATH = "path"


STORES = frozenset({Role.STORE, Role.RUNNER, Role.SEED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """:param there: the place, or the nearest folder above it that exists.

    :param resolved: that, without links.
    :param link: what the place leads to, when it is a link.
    :param exists: whether the place itself is there, as a folder.
    :param in_the_way: what stands where it, or a folder above it, should be, and is no folder.
    """

    there: str
    resolved: str
    link: str
    exists: bool
    in_the_way: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """The mount that holds the place. All texts are empty where the system does not tell."""

    point: str
    type: str
    source: str
    options: tuple[str, ...]
    network: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Rights:
    """Who may do what in the folder that is there.

    :param writable: what the system says when it is asked, without trying.
    :param acl_writers: who else may write, by the access list: ``user 1000``.
    :param acl_default: whether an access list is handed down to what is made in it.
    :param open_above: folders above in which everybody can replace what leads here.
    :param shared_above: whether the folder directly above is everybody's, with the sticky bit, as ``/tmp``.
    """

    owner: int
    owner_name: str
    group: int
    mode: int
    ours: bool
    writable: bool
    acl_writers: tuple[str, ...]
    acl_default: bool
    open_above: tuple[str, ...]
    shared_above: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Bytes and files (inodes) that this user can still have; None where the file system sets no limit for files."""

    free: int
    total: int
    files_free: int | None
    files_total: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """Lengths in the unit that the system counts: bytes, on Windows characters.

    :param length: of the place's own path.
    :param path_limit: of a whole path; *name_limit*: of one name in it.
    """

    length: int
    name_limit: int
    path_limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreState:
    """What is in a folder that is, or shall become, a store.

    :param problem: the code of the error with which it is refused; empty for a store, and for a folder that can become
        one.
    :param message: that error.
    :param present: whether a store is there.
    :param sharing: as ``store.json`` says.
    :param strangers: who else can write it, as a phrase; *remedy*: the command against that.
    :param missing: folders of a store that are not there, and *missing_count*: how many.
    :param closed: folders of a group's store that its members cannot use; *foreign*: what other users own in one that
        is not shared; *empty*: files without content that never are so. Each the first few, and their number.
    :param sticky: whether members of a group cannot replace what others of it made.
    :param sample: a file of an entry, to try links with.
    """

    problem: str = ""
    message: str = ""
    present: bool = False
    sharing: str = "private"
    strangers: str = ""
    remedy: str = ""
    missing: tuple[str, ...] = ()
    missing_count: int = 0
    closed: tuple[str, ...] = ()
    closed_count: int = 0
    foreign: tuple[str, ...] = ()
    foreign_count: int = 0
    empty: tuple[str, ...] = ()
    empty_count: int = 0
    sticky: bool = False
    sample: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOvers:
    """What probes left that ended too early."""

    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """Whether something can be made there. :param kind: ``read-only``, ``full``, ``denied``, ``other`` or empty."""

    kind: str
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    """What the file system can do for us, each by doing it with own files.

    :param executes: whether a program in it can be started; None where that could not be tried.
    :param owner_of_new: the user id that a file made there gets.
    :param unlink_open: empty; the name that stays for an open file that is removed (NFS); or why it cannot be removed.
    """

    hard_links: str
    reflinks: str
    symlinks: str
    rename_over_open: str
    rename_folder: str
    unlink_open: str
    keeps_modes: bool
    case_sensitive: bool
    executes: bool | None
    owner_of_new: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """:param ahead: seconds by which the file system's clock is ahead of this machine's."""

    ahead: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusion:
    """Of names that two processes made at once, with exclusive creation: how many both, or neither, got."""

    wrong: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LockTrial:
    """What is wrong with one kind of lock between two processes; nothing, where the text is empty."""

    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceFacts:
    """All about one place. A part is None where its probe did not come to its end, or was not needed.

    :param hung: the step that did not end within the deadline.
    :param failed: steps that failed, each with its reason: ``room: Input/output error``.
    """

    path: str
    roles: frozenset[Role]
    where: Where | None = None
    mount: Mount | None = None
    rights: Rights | None = None
    room: Room | None = None
    names: Names | None = None
    store: StoreState | None = None
    left_overs: LeftOvers | None = None
    writing: Writing | None = None
    abilities: Abilities | None = None
    clock: Clock | None = None
    exclusion: Exclusion | None = None
    claim_lock: LockTrial | None = None
    native_lock: LockTrial | None = None
    hung: str = ""
    failed: tuple[str, ...] = ()


STEPS: Mapping[str, type] = {
    "where": Where,
    "mount": Mount,
    "rights": Rights,
    "room": Room,
    "names": Names,
    "store": StoreState,
    "left_overs": LeftOvers,
    "writing": Writing,
    "abilities": Abilities,
    "clock": Clock,
    "exclusion": Exclusion,
    "claim_lock": LockTrial,
    "native_lock": LockTrial,
}
"""The probes in their order, by the field of `PlaceFacts` that each fills. Those that may hang come last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkTrial:
    """How files get from a layer into the environment.

    :param layer: its path.
    :param mode: the link mode that `auto` comes to, or the one that was asked for; empty where none was found.
    :param reason: why not a better one.
    :param problem: why none.
    :param foreign: whether it was tried with a file of an entry, and not with one of our own.
    """

    layer: str
    mode: str
    reason: str
    problem: str
    foreign: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What this process runs on.

    :param container: its kind, such as ``docker``; empty for none that could be seen. *ci*: likewise.
    :param scanners: antivirus filters of the file system that could be seen; None where they cannot be seen.
    """

    system: str
    host: str
    user: int
    user_name: str
    container: str
    ci: str
    scanners: tuple[str, ...] | None = field(default=None)


def read_facts(kind: type[T], document: Mapping[str, Any]) -> T:
    """Make facts of what `write_facts` made of them. :raises TypeError: a field is missing or unknown."""
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in document.items()})


def write_facts(facts: object) -> dict[str, Any]:
    """Return a document of values that JSON knows."""
    return {name.name: _plain(getattr(facts, name.name)) for name in dataclasses.fields(facts)}  # type: ignore[arg-type]  # a dataclass of this module


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever a field holds
    if isinstance(value, frozenset):
        return sorted(each.value for each in value)
    if dataclasses.is_dataclass(value):
        return write_facts(value)
    return list(value) if isinstance(value, tuple) else value
