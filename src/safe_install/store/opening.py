"""Open a store: make it when there is none, refuse it when it is not ours, not safe or not usable."""

from __future__ import annotations

import dataclasses
import errno
import functools
import json
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import PolicyError, StoreError
from ..fs._system import (
    CREATE,
    cannot_link,
    everybody_writes,
    is_ours,
    is_sealed,
    revalidate,
    seal,
    set_mode,
    strangers_who_write,
    system_path,
)
from ..fs.atomic import write_atomically
from ..fs.failures import explain
from ..fs.filesystem import is_network
from ..fs.remove import remove_file
from ..fs.retry import is_passing, retry
from ..models import Sharing
from .layout import BUCKETS, PROBE_PREFIX
from .sharing import INNER_MODES, ROOT_MODES, is_for_group

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from ..events import EventSink
    from .layout import Layout

FORMAT = 1
"""Of the store as a whole. Buckets have their own versions, so this one changes only when they cannot share a root."""

_OTHERS_BUDGET = 2.0  # seconds
_CHOOSE = "choose another folder with --cache-dir"


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """What ``store.json`` says.

    :param sharing: who else may use it.
    :param modes: whether files there keep the modes that they are given.
    :param links: whether a file there can have two names. Where not, files are seen while they are written.
    :param buckets: those whose folders were made, by any release.
    """

    sharing: Sharing = Sharing.PRIVATE
    modes: bool = True
    links: bool = True
    buckets: frozenset[str] = frozenset()


def open_layout(layout: Layout, *, budget: float, sink: EventSink, sharing: Sharing | None = None) -> Marker:
    """Make sure that a usable store is at ``layout.root``, and return what is known of it.

    :param sharing: what the modes of the folder say now, when ``store.json`` may say something else or nothing.

    Any number of processes may do this at once. One that is killed leaves a part, which the next one completes.

    :raises StoreError: ``store-not-a-folder``, ``store-not-ours``, ``store-newer-format``, ``store-read-only``,
        ``disk-full``.
    :raises PolicyError: ``store-unsafe``: others can write it.
    """
    root = system_path(layout.root)
    try:
        made = _make_root(layout, adopt=sharing is None)
        marker = read_marker(layout)
        if not made:
            _refuse_unsafe(layout.root, sharing or (marker.sharing if marker else _meant(layout.root)))
        if not os.access(root, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), root)
        if marker is None or not marker.buckets.issuperset(BUCKETS):
            return _fill(layout, marker or Marker(sharing=sharing or _meant(layout.root)), budget=budget, sink=sink)
        return marker
    except (NotADirectoryError, FileExistsError) as error:
        raise StoreError(
            f"the store cannot be at {layout.root}: that, or a folder above it, is a file",
            code="store-not-a-folder",
            hint=_CHOOSE,
        ) from error
    except OSError as error:
        raise _unusable(error, layout.root) from error


def recognise_layout(layout: Layout) -> Marker:
    """Return what is known of the store at ``layout.root``; nothing is written, and no right to write is needed.

    :raises StoreError: ``store-missing``, ``store-not-a-folder``, ``store-not-ours``, ``store-newer-format``.
    :raises PolicyError: ``store-unsafe``: everybody can write it.
    """
    root = system_path(layout.root)
    revalidate(os.path.dirname(root))
    try:
        if not stat.S_ISDIR(os.stat(root).st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), root)
        if everybody_writes(root):
            raise PolicyError(
                f"the store at {layout.root} is not used: everybody can change what is installed from it",
                code="store-unsafe",
                hint="take the right to write away from others if you trust what is in it now",
            )
        marker = read_marker(layout)
    except FileNotFoundError as error:
        raise StoreError(f"there is no store at {layout.root}", code="store-missing") from error
    except NotADirectoryError as error:
        raise StoreError(
            f"there is no store at {layout.root}: that, or a folder above it, is a file", code="store-not-a-folder"
        ) from error
    except OSError as error:
        raise explain(error, doing="read the store", path=layout.root) from error
    if marker is None:
        raise StoreError(f"the folder {layout.root} is not a store of safe-install", code="store-not-ours")
    return marker


def _make_root(layout: Layout, *, adopt: bool) -> bool:
    """Make the root, private; return False when it is there already, in which case *adopt* makes an empty one ours."""
    root = system_path(layout.root)
    revalidate(os.path.dirname(root))
    try:
        if not stat.S_ISDIR(os.stat(root).st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), root)
        if adopt:
            _adopt(layout)
        return False
    except FileNotFoundError:
        pass
    os.makedirs(os.path.dirname(root), exist_ok=True)
    try:
        os.mkdir(root, 0o700)
    except FileExistsError:
        return False
    return True


def _adopt(layout: Layout) -> None:
    """Make an empty folder of ours private, unless it was prepared for a group: a volume, or a cache folder."""
    root = system_path(layout.root)
    found = os.stat(root)
    open_to_others = os.name != "nt" and found.st_mode & 0o077 and not is_for_group(found)
    if open_to_others and is_ours(found) and all(name.startswith(PROBE_PREFIX) for name in os.listdir(root)):
        os.chmod(root, ROOT_MODES[Sharing.PRIVATE])


def _meant(root: Path) -> Sharing:
    """How a folder without a store in it is meant to be shared."""
    return Sharing.GROUP if is_for_group(os.stat(system_path(root))) else Sharing.PRIVATE


def _refuse_unsafe(root: Path, sharing: Sharing) -> None:
    """Refuse a store that strangers can write or own. That a group shares it must be said by its owner: by the mode."""
    place = system_path(root)
    by_group = sharing is Sharing.GROUP and is_for_group(os.stat(place))
    if (found := strangers_who_write(place, by_group=by_group)) is None:
        return
    who, command = found
    raise PolicyError(
        f"the store at {root} is not used: {who}, and could change what is installed from it",
        code="store-unsafe",
        hint=f"run `{command}` if you trust what is in it now, or {_CHOOSE}",
    )


def read_marker(layout: Layout) -> Marker | None:
    """Return what ``store.json`` says; None when there is none, or only a part of a crash.

    :raises StoreError: ``store-not-ours``, ``store-newer-format``.
    """
    try:
        with open(system_path(layout.marker), "rb") as file:
            document = json.loads(file.read())
        version = int(document["format"])
        marker = Marker(
            sharing=Sharing(document.get("sharing", Sharing.PRIVATE.value)),
            modes=bool(document["modes"]),
            links=bool(document.get("links", True)),
            buckets=frozenset(document["buckets"]),
        )
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        _refuse_foreign(layout)
        return None
    if version > FORMAT:
        raise StoreError(
            f"the store at {layout.root} has format {version}, and this release knows formats up to {FORMAT}",
            code="store-newer-format",
            hint=f"update safe-install, or {_CHOOSE}",
        )
    return marker


def _refuse_foreign(layout: Layout) -> None:
    foreign = sorted(name for name in os.listdir(system_path(layout.root)) if not layout.is_known(name))
    if foreign:
        raise StoreError(
            f"the folder {layout.root} is not empty and not a store of safe-install",
            code="store-not-ours",
            context=(f"it holds {', '.join(foreign[:5])}{' …' if len(foreign) > 5 else ''}",),
            hint="choose an empty or a new folder with --cache-dir",
        )


def _fill(layout: Layout, found: Marker, *, budget: float, sink: EventSink) -> Marker:
    """Make every folder, and the marker last."""
    root = system_path(layout.root)
    mode = INNER_MODES[found.sharing]

    def may_pass(error: OSError) -> bool:
        # Somebody else of the group made the folder above a moment ago, and has not opened it to the group yet.
        return is_passing(error) or (found.sharing is Sharing.GROUP and isinstance(error, PermissionError))

    def make(folder: str) -> None:
        attempt = functools.partial(_make_folder, f"{root}{os.sep}{folder}", mode)
        retry(attempt, what=f"make {folder}", budget=min(budget, _OTHERS_BUDGET), sink=sink, passing=may_pass)

    _for_each(layout.folders(), make, at_once=is_network(root))
    modes, links = _try_out(system_path(layout.staging("trial")), budget, sink)
    marker = dataclasses.replace(found, modes=modes, links=links, buckets=found.buckets.union(BUCKETS))
    write_marker(layout, marker, budget=budget, sink=sink)
    return marker


def _for_each(folders: Sequence[str], make: Callable[[str], None], *, at_once: bool) -> None:
    """Make folders, those above first. :param at_once: each call is a round trip; calls in one folder wait in turn."""
    below: dict[str, list[str]] = {}
    for folder in folders:
        above = os.path.dirname(folder)
        if above and at_once:
            below.setdefault(above, []).append(folder)
        else:
            make(folder)
    if not below:
        return
    from concurrent.futures import ThreadPoolExecutor

    def make_all(names: list[str]) -> None:
        for name in names:
            make(name)

    with ThreadPoolExecutor(len(below)) as threads:
        for _ in threads.map(make_all, below.values()):
            pass  # what failed is raised here


def write_marker(layout: Layout, marker: Marker, *, budget: float, sink: EventSink) -> None:
    """Write ``store.json``, in one step. :raises OSError: the old one is intact."""
    document = {
        "format": FORMAT,
        "sharing": marker.sharing.value,
        "modes": marker.modes,
        "links": marker.links,
        "buckets": sorted(marker.buckets),
    }
    data = json.dumps(document).encode() + b"\n"
    write_atomically(layout.marker, data, mode=0o644, exact=True, flush=True, budget=budget, sink=sink)


def _make_folder(place: str, mode: int) -> None:
    try:
        os.mkdir(place, 0o700)
    except FileExistsError:
        return
    # On a network file system this asks nobody, and setting a mode does.
    if stat.S_IMODE(os.stat(place).st_mode) != mode:
        set_mode(place, mode)


def _try_out(place: str, budget: float, sink: EventSink) -> tuple[bool, bool]:
    """Whether a file keeps the mode that it is given, and can have a second name, found by doing it (promise 7).

    :param budget: seconds to wait for a scanner that looks at it (Windows).
    """
    descriptor = os.open(place, CREATE, 0o600)
    try:
        try:
            seal(descriptor, place, executable=False, time=0)
        finally:
            os.close(descriptor)
        # Closed: Windows removes no name of a file that is open.
        return is_sealed(os.stat(place), executable=False), _has_second_name(place, budget, sink)
    finally:
        remove_file(place, budget=budget, sink=sink)


def _has_second_name(place: str, budget: float, sink: EventSink) -> bool:
    second = f"{place}.link"
    try:
        os.link(place, second, follow_symlinks=False)
    except OSError as error:
        if not cannot_link(error):
            raise
        return False
    remove_file(second, budget=budget, sink=sink)
    return True


def _unusable(error: OSError, root: Path) -> StoreError:
    found = explain(error, doing="open the store", path=root)
    if found.code in {"permission-denied", "read-only"}:
        return StoreError(found.message, code="store-read-only", context=found.context, hint=found.hint)
    return found
