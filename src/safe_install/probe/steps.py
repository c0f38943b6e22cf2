"""The probes of one place that need no second process: each is one function from a trial to facts.

They run in a process of their own (`child`), in the order of `facts.STEPS`, and may hang. Everything is made in one
private folder, which that process removes.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import shutil
import stat
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import PolicyError, StoreError
from ..events import ignore
from ..fs._system import is_ours, mount_of, set_mode, strangers_who_write, system_path, user_name
from ..fs.failures import is_full
from ..fs.filesystem import is_network
from ..fs.link import LinkEntry, Linker
from ..locks.processes import is_tag_of_the_dead, own_tag
from ..models import LinkMode, Sharing
from ..store.layout import PROBE_PREFIX, Layout
from ..store.opening import read_marker, recognise_layout
from ..store.sharing import is_for_group
from ._system import acl_writers, free_files, has_default_acl, length, limits
from .facts import STORES, Abilities, Clock, LeftOvers, Mount, Names, Rights, Role, Room, StoreState, Where, Writing
from .survey import survey

if TYPE_CHECKING:
    from collections.abc import Iterable

_OURS = re.compile(re.escape(PROBE_PREFIX) + r"[0-9a-f]{16}\.(?P<tag>[0-9a-f-]*)")
_SCRIPT = b"#!/bin/sh\nexit 7\n"
_SCRIPT_ANSWER = 7


class Trial:
    """One place that is probed.

    :param folder: the private folder, absolute; None until it is chosen.
    """

    def __init__(self, path: str, roles: Iterable[Role]) -> None:
        self.path = path
        self.roles = frozenset(roles)
        self.where: Where | None = None
        self.folder: str | None = None

    @property
    def there(self) -> str:
        """The nearest folder that exists."""
        assert self.where is not None
        return self.where.there

    @property
    def private(self) -> str:
        """The private folder, which exists, for system calls."""
        assert self.folder is not None
        return system_path(self.folder)

    def file(self, name: str, content: bytes = b"x") -> str:
        """Make a file in the private folder; return its path."""
        place = os.path.join(self.private, name)
        with open(place, "xb") as file:
            file.write(content)
        return place

    def choose_folder(self) -> str:
        """Choose the private folder: where clean-ups of a store find it, else directly in the place."""
        layout = Layout(Path(self.path))
        is_store = os.path.isfile(system_path(layout.marker))
        if is_store and os.path.isdir(system_path(layout.root / "staging")):
            self.folder = str(layout.staging("probe"))
        else:
            self.folder = os.path.join(self.there, f"{PROBE_PREFIX}{secrets.token_hex(8)}.{own_tag()}")
        return self.folder


def where(trial: Trial) -> Where:
    """Where the place is, and what is there."""
    there = trial.path
    in_the_way = ""
    while not os.path.isdir(system_path(there)) and os.path.dirname(there) != there:
        if os.path.lexists(system_path(there)):
            in_the_way = there
        there = os.path.dirname(there)
    return Where(
        there=there,
        resolved=os.path.realpath(there),
        link=os.path.realpath(trial.path) if os.path.islink(trial.path) else "",
        exists=there == trial.path,
        in_the_way=in_the_way,
    )


def mount(trial: Trial) -> Mount:
    """What the mount table says of it."""
    point, kind, source, options = mount_of(trial.there)
    return Mount(
        point=point,
        type=kind,
        source=source,
        options=tuple(filter(None, options.split(","))),
        network=is_network(trial.there),
    )


def rights(trial: Trial) -> Rights:
    """Who may do what in it."""
    place = system_path(trial.there)
    found = os.stat(place)
    above = os.stat(os.path.dirname(place))
    return Rights(
        owner=found.st_uid,
        owner_name=user_name(found.st_uid),
        group=found.st_gid,
        mode=stat.S_IMODE(found.st_mode),
        ours=is_ours(found),
        writable=os.access(place, os.W_OK | os.X_OK),
        acl_writers=acl_writers(place),
        acl_default=has_default_acl(place),
        open_above=tuple(_open_above(trial.path)),
        shared_above=_is_everybodys(found if trial.there != trial.path else above, sticky=True),
    )


def _open_above(path: str) -> list[str]:
    """Folders above, along the path as it is written and as it leads, in which everybody can rename what is next."""
    found = []
    for start in dict.fromkeys((os.path.dirname(path), os.path.dirname(os.path.realpath(path)))):
        place = start
        while True:
            if os.path.isdir(place) and _is_everybodys(os.stat(place), sticky=False) and place not in found:
                found.append(place)
            if os.path.dirname(place) == place:
                break
            place = os.path.dirname(place)
    return found


def _is_everybodys(state: os.stat_result, *, sticky: bool) -> bool:
    return os.name != "nt" and bool(state.st_mode & stat.S_IWOTH) and bool(state.st_mode & stat.S_ISVTX) is sticky


def room(trial: Trial) -> Room:
    """What space is left."""
    usage = shutil.disk_usage(trial.there)
    files_free, files_total = free_files(trial.there)
    return Room(free=usage.free, total=usage.total, files_free=files_free, files_total=files_total)


def names(trial: Trial) -> Names:
    """How long paths may become."""
    name_limit, path_limit = limits(trial.there)
    rest = os.path.relpath(trial.path, trial.there)
    whole = trial.where.resolved if trial.where and rest == os.curdir else os.path.join(trial.there, rest)
    return Names(length=length(whole), name_limit=name_limit, path_limit=path_limit)


def store(trial: Trial) -> StoreState:
    """What of a store is there."""
    layout = Layout(Path(trial.path))
    if not STORES & trial.roles and not os.path.isfile(system_path(layout.marker)):
        return StoreState(problem="store-missing")
    if trial.where is not None and not trial.where.exists:
        return StoreState()
    root = system_path(trial.path)
    problem = message = remedy = strangers = ""
    marker = None
    try:
        recognise_layout(layout)
    except (StoreError, PolicyError) as error:
        problem, message = error.code, error.message
        if problem == "store-not-ours" and not _names_but_probes(root):
            problem = message = ""
    if not os.path.isdir(root):
        return StoreState(problem=problem, message=message)
    with contextlib.suppress(StoreError):
        marker = read_marker(layout)
    sharing = marker.sharing if marker else Sharing.GROUP if is_for_group(os.stat(root)) else Sharing.PRIVATE
    by_group = sharing is Sharing.GROUP and is_for_group(os.stat(root))
    # A seed that jobs only read may belong to whom it likes.
    if Role.SEED not in trial.roles and (found := strangers_who_write(root, by_group=by_group)) is not None:
        strangers, remedy = found
    present = os.path.isfile(system_path(layout.marker))
    if not present:
        return StoreState(problem=problem, message=message, sharing=sharing.value, strangers=strangers, remedy=remedy)
    return survey(layout, sharing, problem=problem, message=message, strangers=strangers, remedy=remedy)


def _names_but_probes(root: str) -> list[str]:
    return [name for name in os.listdir(root) if not name.startswith(PROBE_PREFIX)]


def left_overs(trial: Trial) -> LeftOvers:
    """What probes of dead processes left here."""
    found = []
    for name in sorted(os.listdir(system_path(trial.there))):
        match = _OURS.fullmatch(name)
        if match and is_tag_of_the_dead(match["tag"]):
            found.append(os.path.join(trial.there, name))
    return LeftOvers(paths=tuple(found))


def writing(trial: Trial) -> Writing:
    """Make the private folder, and a file in it."""
    try:
        os.mkdir(trial.private, 0o700)
        os.unlink(trial.file("first"))
    except OSError as error:
        kind = "other"
        if error.errno == errno.EROFS:
            kind = "read-only"
        elif is_full(error):
            kind = "full"
        elif isinstance(error, PermissionError):
            kind = "denied"
        return Writing(kind=kind, problem=error.strerror or str(error))
    return Writing(kind="", problem="")


def abilities(trial: Trial) -> Abilities:
    """What the file system can do."""
    source = trial.file("source", b"x" * 8192)
    return Abilities(
        hard_links=_attempt(lambda: os.link(source, f"{source}.link")),
        reflinks=_reflinks(trial),
        symlinks=_attempt(lambda: os.symlink("nowhere", f"{source}.symlink")),
        rename_over_open=_rename_over_open(trial),
        rename_folder=_rename_folder(trial),
        unlink_open=_unlink_open(trial),
        keeps_modes=_keeps_modes(source),
        case_sensitive=not os.path.lexists(os.path.join(trial.private, "SOURCE")),
        executes=_executes(trial),
        owner_of_new=os.stat(source).st_uid,
    )


def _attempt(action: object) -> str:
    assert callable(action)
    try:
        action()
    except (OSError, NotImplementedError) as error:
        return getattr(error, "strerror", None) or str(error)
    return ""


def _reflinks(trial: Trial) -> str:
    target = os.path.join(trial.private, "reflinks")
    os.mkdir(target, 0o700)
    try:
        Linker(LinkMode.REFLINK, sink=ignore, retry_budget=0).link_files(
            trial.private, target, [LinkEntry("source", executable=False)]
        )
    except StoreError as error:
        return error.context[0] if error.context else error.message
    return ""


def _rename_over_open(trial: Trial) -> str:
    """Replace a file that is open; whoever has it open must go on seeing the old one."""
    old, new = trial.file("old", b"old"), trial.file("new", b"new")
    with open(old, "rb") as file:
        try:
            os.replace(new, old)
        except OSError as error:
            return error.strerror or str(error)
        return "" if file.read() == b"old" else "whoever had it open does not see the old one any more"


def _rename_folder(trial: Trial) -> str:
    staged = os.path.join(trial.private, "staged")
    os.mkdir(staged)
    trial.file(os.path.join("staged", "x"))
    return _attempt(lambda: os.rename(staged, os.path.join(trial.private, "published")))


def _unlink_open(trial: Trial) -> str:
    folder = os.path.join(trial.private, "in-use")
    os.mkdir(folder)
    place = trial.file(os.path.join("in-use", "x"))
    with open(place, "rb"):
        if problem := _attempt(lambda: os.unlink(place)):
            return problem
        return " ".join(os.listdir(folder))


def _keeps_modes(place: str) -> bool:
    if os.name == "nt":
        return True  # there are none to be kept
    for mode in (0o444, 0o640):
        set_mode(place, mode)
        if stat.S_IMODE(os.stat(place).st_mode) != mode:
            return False
    return True


def _executes(trial: Trial) -> bool | None:
    if os.name == "nt":
        return None
    place = trial.file("program", _SCRIPT)
    os.chmod(place, 0o700)
    try:
        done = subprocess.run(
            [place], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
        )
    except PermissionError:
        return False
    except OSError:
        return None  # no shell here
    return done.returncode == _SCRIPT_ANSWER


def clock(trial: Trial) -> Clock:
    """Compare the time that a new file gets with this machine's."""
    before = time.time()
    stamp = os.stat(trial.file("clock")).st_mtime
    after = time.time()
    # A kernel gives files the time of its last tick; a file system may count in whole or in two seconds.
    ahead = stamp - after if stamp > after else min(0.0, stamp - before)
    return Clock(ahead=round(ahead, 1))
