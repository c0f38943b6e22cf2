"""The system calls of this machine: the names of `_unix` or `_windows`, whichever fits."""

from __future__ import annotations

import sys

if sys.platform == "win32":
    from ._windows import (
        CREATE,
        FolderPair,
        birth_of,
        cannot_clone,
        cannot_link,
        empty_folder,
        everybody_writes,
        host_name,
        is_exists,
        is_passing,
        is_removal_passing,
        is_sealed,
        machine_name,
        mount_type,
        reflinks,
        revalidate,
        seal,
        strangers_who_write,
        system_path,
        user_name,
        whoami,
    )
else:
    from ._unix import (
        CREATE,
        FolderPair,
        birth_of,
        cannot_clone,
        cannot_link,
        empty_folder,
        everybody_writes,
        host_name,
        is_exists,
        is_passing,
        is_removal_passing,
        is_sealed,
        machine_name,
        mount_type,
        reflinks,
        revalidate,
        seal,
        strangers_who_write,
        system_path,
        user_name,
        whoami,
    )

__all__ = [
    "CREATE",
    "FolderPair",
    "birth_of",
    "cannot_clone",
    "cannot_link",
    "empty_folder",
    "everybody_writes",
    "host_name",
    "is_exists",
    "is_passing",
    "is_removal_passing",
    "is_sealed",
    "machine_name",
    "mount_type",
    "reflinks",
    "revalidate",
    "seal",
    "strangers_who_write",
    "system_path",
    "user_name",
    "whoami",
]
