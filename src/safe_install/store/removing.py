"""Remove from a store: never what a live lease names, never through a link, moved aside before it is deleted.

No job is waited for, and none waits. Instead both sides look after they have written (as in Dekker's algorithm): a job
writes its lease and then looks for the entry; a clean-up moves the entry aside and then looks at the leases::

    the lease is written before the clean-up looks     the entry is put back, or was never moved
    the lease is written after it looked               the job looks later still, and finds the entry missing

What is left is a job that finds the entry between these moments, and opens a file of it before it is back: it gets it
again, as every entry that vanishes (design promise 9).

A killed clean-up leaves what it moved in ``trash/``, where nobody looks but the next one. Where something cannot be
moved (the bucket is a mount of its own, the disk has not even a block for a name), its manifest is removed first: then
it is no entry any more.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, Literal, TypeAlias

from ..errors import StoreError
from ..events import Noticed
from ..fs import atomic
from ..fs._system import system_path
from ..fs.failures import explain
from ..fs.remove import remove_file, remove_tree
from ..fs.retry import is_passing
from ..fs.rights import ensure_folder
from .entries import is_real_folder
from .layout import MANIFEST
from .uses import last_use

if TYPE_CHECKING:
    from pathlib import Path

    from ..events import EventSink
    from .entries import Entry
    from .layout import Layout
    from .lease_watch import LeaseWatch

Outcome: TypeAlias = Literal["removed", "in use", "gone", "failed"]

_BUDGET = 1.0
"""Seconds for a name that somebody holds. What stays is found by the next clean-up."""
_NO_MOVING = frozenset({errno.EXDEV, errno.EACCES, errno.EPERM, errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})


class Remover:
    """Removes from one store.

    :param leases: what is in use.
    :raises StoreError: ``store-unsafe-link``: ``trash/`` leads somewhere else.
    """

    def __init__(self, layout: Layout, leases: LeaseWatch, *, sink: EventSink) -> None:
        self._layout = layout
        self._leases = leases
        self._sink = sink
        self.failures: list[str] = []
        _require_trash(layout)

    def entry(self, entry: Entry, needed_by: tuple[str, ...] = ()) -> Outcome:
        """Remove an entry unless it is in use, or was used since it was listed.

        :param needed_by: keys of further entries, any of which keeps this one when it is in use.
        :raises StoreError: the store is read-only.
        """
        keys = (entry.key, *needed_by)
        if self._leases.is_used(*keys):
            return "in use"
        try:
            state = os.lstat(system_path(entry.path))
        except FileNotFoundError:
            return "gone"
        if last_use(entry.bucket, state) > entry.used:
            return "in use"
        return self._remove(entry.path, keys)

    def left_over(self, path: Path) -> Outcome:
        """Remove what nobody uses any more. Errors as `entry`."""
        return self._remove(path, ())

    def _remove(self, path: Path, keys: tuple[str, ...]) -> Outcome:
        moved = self._layout.trash()
        try:
            if not _move(path, moved):
                self._delete_in_place(path)
                return "removed"
        except FileNotFoundError:
            return "gone"
        except OSError as error:
            return self._failed(error, path)
        if keys and self._leases.is_used(*keys) and _put_back(moved, path):
            return "in use"
        try:
            remove_tree(moved, budget=_BUDGET, sink=self._sink)
        except OSError as error:
            # It is out of the way; the next clean-up tries again.
            self._sink(Noticed(message=f"{moved} could not be deleted yet: {error.strerror}", detail=True))
        return "removed"

    def _delete_in_place(self, path: Path) -> None:
        if is_real_folder(os.lstat(system_path(path))):
            _give_rights(system_path(path))
            remove_file(path / MANIFEST, budget=_BUDGET, sink=self._sink)
        remove_tree(path, budget=_BUDGET, sink=self._sink)

    def _failed(self, error: OSError, path: Path) -> Outcome:
        if error.errno == errno.EROFS:
            raise explain(error, doing="remove an entry of the store", path=path) from error
        self.failures.append(f"{path}: {error.strerror or error}")
        return "failed"


def _require_trash(layout: Layout) -> None:
    trash = layout.trash().parent
    try:
        state = os.lstat(system_path(trash))
    except FileNotFoundError:
        return
    except OSError as error:
        raise explain(error, doing="clean the store up", path=trash) from error
    if not is_real_folder(state):
        raise StoreError(
            f"the store at {layout.root} is not cleaned up: {trash} is a link or no folder, and leads out of the store",
            code="store-unsafe-link",
            hint=f"remove {trash} yourself; the next command makes a folder in its place",
        )


def _move(path: Path, moved: Path) -> bool:
    """Rename *path* to *moved*; return False when it can never be renamed."""
    place, target = system_path(path), system_path(moved)
    for again in (True, False):
        try:
            os.rename(place, target)
        except FileNotFoundError:
            if not again or os.path.lexists(os.path.dirname(target)):
                raise
            ensure_folder(os.path.dirname(target))
        except PermissionError as error:
            # A folder without rights cannot be moved to another parent (uv#3515: builds leave such ones).
            if not again or not is_real_folder(os.lstat(place)):
                return _cannot_move(error)
            _give_rights(place)
        except OSError as error:
            return _cannot_move(error)
        else:
            return True
    return False


def _cannot_move(error: OSError) -> bool:
    # What is only in use cannot be moved on Windows, now; it is no reason to take it apart where it is.
    if error.errno in _NO_MOVING and not is_passing(error):
        return False
    raise error


def _give_rights(place: str) -> None:
    try:
        os.chmod(place, stat.S_IMODE(os.lstat(place).st_mode) | stat.S_IRWXU)
    except PermissionError:
        pass  # it is somebody else's; what comes next tells


def _put_back(moved: Path, path: Path) -> bool:
    """Return what was moved to its place; False when there is something else by now, or it cannot be."""
    put = atomic.publish_folder if os.path.isdir(system_path(moved)) else atomic.publish_file
    try:
        return put(moved, path, budget=_BUDGET)
    except OSError:
        return False
