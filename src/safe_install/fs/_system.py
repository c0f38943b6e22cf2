"""The system calls of this machine: the names of `_unix` or `_windows`, whichever fits."""

from __future__ import annotations

import sys

if sys.platform == "win32":
    from ._windows import (
        CREATE,
        FolderPair,
        cannot_clone,
        cannot_link,
        empty_folder,
        host_name,
        is_exists,
        is_passing,
        is_removal_passing,
        is_sealed,
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
        cannot_clone,
        cannot_link,
        empty_folder,
        host_name,
        is_exists,
        is_passing,
        is_removal_passing,
        is_sealed,
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
    "cannot_clone",
    "cannot_link",
    "empty_folder",
    "host_name",
    "is_exists",
    "is_passing",
    "is_removal_passing",
    "is_sealed",
    "mount_type",
    "reflinks",
    "revalidate",
    "seal",
    "strangers_who_write",
    "system_path",
    "user_name",
    "whoami",
]
