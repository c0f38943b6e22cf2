"""Who may use a store: its owner, a group, or (reading) everybody. Said by the modes of its folders (design section 5).

::

                root   folders   files
    private     0700   0700      0444, executables 0555
    group       2770   2775      the same
    public      0755   0755      the same

A group shares a folder by the set-group-id bit and the group's right to write, which only its owner can give; what is
made in it later takes both from the folder above (`safe_install.fs.rights`), whatever the umask.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from ..errors import InputError
from ..fs._system import give_to_group, group_number, set_mode, system_path
from ..fs.failures import explain
from ..fs.rights import file_mode
from ..models import Sharing

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ROOT_MODES: Mapping[Sharing, int] = {Sharing.PRIVATE: 0o700, Sharing.GROUP: 0o2770, Sharing.PUBLIC: 0o755}
INNER_MODES: Mapping[Sharing, int] = {Sharing.PRIVATE: 0o700, Sharing.GROUP: 0o2775, Sharing.PUBLIC: 0o755}
# Their files are written again by whoever comes next.
_NOTES = frozenset({"locks", "leases", "jobs"})


def is_for_group(state: os.stat_result) -> bool:
    """Whether the owner of a folder shares it with its group."""
    return bool(state.st_mode & stat.S_ISGID and state.st_mode & stat.S_IWGRP)


def find_group(name: str) -> int:
    """Return the number of a group. :raises InputError: ``group-unknown``."""
    try:
        return group_number(name)
    except KeyError as error:
        raise InputError(f"there is no group `{name}` on this system", code="group-unknown") from error


def share_root(root: Path, sharing: Sharing, group: int | None) -> None:
    """Give the folder of a store the group and mode of *sharing*; only its owner and root can.

    :param group: None leaves it.
    :raises StoreError: ``permission-denied`` and the like.
    """
    try:
        _share(system_path(root), ROOT_MODES[sharing], group)
    except OSError as error:
        raise explain(error, doing="share the store", path=root) from error


def share_content(root: Path, sharing: Sharing, group: int | None) -> None:
    """Give everything in a store that is there already its group and mode. The files of entries have theirs.

    :raises StoreError: some of it belongs to another user; the rest is done.
    """
    failure: OSError | None = None
    for folder, folders, files in os.walk(system_path(root)):
        notes = os.path.basename(folder) in _NOTES
        try:
            for name in folders:
                _share(os.path.join(folder, name), INNER_MODES[sharing], group)
            for name in files:
                mode = file_mode(folder) if notes else None
                _share(os.path.join(folder, name), mode, group)
        except FileNotFoundError:
            continue  # somebody works there
        except OSError as error:
            failure = failure or error
    if failure is not None:
        raise explain(failure, doing="share what is in the store", path=failure.filename or root) from failure


def _share(place: str, mode: int | None, group: int | None) -> None:
    if stat.S_ISLNK(os.lstat(place).st_mode):
        return
    if group is not None:
        give_to_group(place, group)
    if mode is not None:
        set_mode(place, mode)
        # What may not be changed is no failure where modes are not kept; here it is one.
        found = stat.S_IMODE(os.lstat(place).st_mode)
        if os.name != "nt" and found & 0o077 != mode & 0o077:
            raise PermissionError(1, f"its mode is {found:o} and stays so", place)
