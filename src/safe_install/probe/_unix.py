"""What Unix tells of folders and machines; `_windows` offers the same names."""

from __future__ import annotations

import errno
import os
import struct
import sys

assert sys.platform != "win32"

# linux/posix_acl_xattr.h: a version, then entries of tag, rights and id.
_ACL_VERSION = 2
_USER, _GROUP, _MASK = 0x02, 0x08, 0x10
_WRITE = 0o2
_NO_ATTRIBUTE = frozenset({getattr(errno, "ENODATA", 0), errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS})


def acl_writers(path: str) -> tuple[str, ...]:
    """Users and groups that the access list of *path* lets write, beside those that its mode names; none elsewhere."""
    entries = _acl(path, "system.posix_acl_access")
    mask = next((rights for tag, rights, _ in entries if tag == _MASK), 0o7)
    kinds = {_USER: "user", _GROUP: "group"}
    return tuple(f"{kinds[tag]} {who}" for tag, rights, who in entries if tag in kinds and rights & mask & _WRITE)


def has_default_acl(path: str) -> bool:
    """Whether what is made in *path* takes its rights from an access list there."""
    return bool(_acl(path, "system.posix_acl_default"))


def _acl(path: str, name: str) -> list[tuple[int, int, int]]:
    if not hasattr(os, "getxattr"):
        return []
    try:
        data = os.getxattr(path, name)
    except OSError as error:
        if error.errno in _NO_ATTRIBUTE:
            return []
        raise
    if len(data) < 4 or struct.unpack_from("<I", data)[0] != _ACL_VERSION:
        return []
    return list(struct.iter_unpack("<HHI", data[4:]))


def free_files(path: str) -> tuple[int | None, int | None]:
    """How many files (inodes) can still be made on the file system of *path*, and how many there can be."""
    found = os.statvfs(path)
    return (found.f_favail, found.f_files) if found.f_files else (None, None)


def limits(path: str) -> tuple[int, int]:
    """How long one name in *path*, and a whole path, may be, in bytes."""
    return os.pathconf(path, "PC_NAME_MAX"), os.pathconf(path, "PC_PATH_MAX")


def length(path: str) -> int:
    """How long *path* is, in the unit of `limits`."""
    return len(os.fsencode(path))


def scanners() -> tuple[str, ...] | None:
    """None: nothing here tells what watches files."""
    return None


def leave_group() -> dict[str, object]:
    """Options of `subprocess.Popen` for a process that no Ctrl-C of a terminal reaches."""
    return {"start_new_session": True}
