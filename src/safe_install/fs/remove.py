"""Remove files and trees that others may still hold open for a moment.

Links are removed, never followed. What lacks rights gets them first. Only errors that pass are waited out: a file
open under NFS leaves a `.nfs` name in its folder, a scanner on Windows denies the deletion.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from ..events import ignore
from ..interruption import shielded
from ._system import empty_folder, system_path
from .retry import DEFAULT_BUDGET, is_removal_passing, retry

if TYPE_CHECKING:
    from ..events import EventSink


@shielded
def remove_file(path: str | os.PathLike[str], *, budget: float = DEFAULT_BUDGET, sink: EventSink = ignore) -> bool:
    """Remove a file or a link; return False when it was not there.

    :raises OSError: it is still there after *budget* seconds, or can never be removed.
    """
    place = system_path(path)

    def attempt() -> bool:
        try:
            os.unlink(place)
        except FileNotFoundError:
            return False
        except PermissionError:
            # Windows refuses to delete files with the read-only attribute; harmless elsewhere.
            if os.name != "nt" or os.stat(place, follow_symlinks=False).st_mode & stat.S_IWRITE:
                raise
            os.chmod(place, stat.S_IWRITE)
            os.unlink(place)
        return True

    return retry(attempt, what=f"remove {path}", budget=budget, sink=sink, passing=is_removal_passing)


@shielded
def remove_tree(path: str | os.PathLike[str], *, budget: float = DEFAULT_BUDGET, sink: EventSink = ignore) -> bool:
    """Remove a folder with all that is in it (or a file, or a link itself); return False when it was not there.

    :param budget: seconds to wait for names that somebody holds.
    :raises OSError: what is left could not be removed in time, or never can; the rest of the tree is gone.
    """
    place = system_path(path)
    try:
        mode = os.lstat(place).st_mode
    except FileNotFoundError:
        return False
    if not stat.S_ISDIR(mode):
        return remove_file(path, budget=budget, sink=sink)

    def attempt() -> None:
        if (failure := empty_folder(place)) is not None and not isinstance(failure, FileNotFoundError):
            raise failure

    retry(attempt, what=f"remove {path}", budget=budget, sink=sink, passing=is_removal_passing)
    return True
