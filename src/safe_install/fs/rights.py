"""Folders and files that whoever shares the folder above can use, whatever the umask of the process that makes them.

Nothing has to be told how a store is shared: what is new takes the group's rights from the folder it is made in.
"""

from __future__ import annotations

import os

from ._system import rights_below, set_mode, system_path


def make_folder(path: str | os.PathLike[str]) -> None:
    """Make a folder with the rights of the one above it.

    :raises FileExistsError: something has the name. :raises OSError: it could not be made, or not be given its rights;
        then it may be there.
    """
    place = system_path(path)
    mode, _ = rights_below(os.path.dirname(place))
    # Private until it has the right mode: never open for others by a careless umask.
    os.mkdir(place, 0o700)
    set_mode(place, mode)


def ensure_folder(path: str | os.PathLike[str]) -> None:
    """Make a folder as `make_folder` does, unless it is there. Those above it exist."""
    if os.path.isdir(system_path(path)):
        return
    try:
        make_folder(path)
    except FileExistsError:
        if not os.path.isdir(system_path(path)):
            raise


def file_mode(folder: str | os.PathLike[str]) -> int:
    """Return the mode of a file in *folder* that its users may read, and write where they may write the folder."""
    return rights_below(system_path(folder))[1]
