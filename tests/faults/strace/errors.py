"""Which errors a call may meet on a real disk, quota, network file system or busy machine."""

from __future__ import annotations

from typing import Final

_FULL: Final = ("ENOSPC", "EDQUOT")
_RIGHTS: Final = ("EACCES", "EPERM")

_CREATING = ("EIO", *_FULL, *_RIGHTS, "ESTALE", "EMFILE", "EINTR", "EROFS")
_READING = ("EIO", "ESTALE", "EINTR")
_LOOKING = ("EIO", "EACCES", "ESTALE")
_REMOVING = ("EIO", "EBUSY", *_RIGHTS, "ESTALE", "EROFS")
_WRITING = ("EIO", *_FULL, "EINTR", "ESTALE")
_MOVING = ("EIO", *_FULL, "EXDEV", "EBUSY", *_RIGHTS, "ESTALE")
_MARKING = ("EIO", *_RIGHTS, "EROFS", "ESTALE")

FITTING: Final[dict[str, tuple[str, ...]]] = {
    **dict.fromkeys(("open", "openat", "openat2", "creat"), _CREATING),
    **dict.fromkeys(("mkdir", "mkdirat", "symlink", "symlinkat"), ("EIO", *_FULL, *_RIGHTS, "ESTALE", "EROFS")),
    **dict.fromkeys(("link", "linkat"), (*_MOVING, "EMLINK")),
    **dict.fromkeys(("rename", "renameat", "renameat2"), _MOVING),
    **dict.fromkeys(("unlink", "unlinkat", "rmdir"), _REMOVING),
    **dict.fromkeys(("write", "pwrite64", "writev", "sendfile", "copy_file_range", "ftruncate", "truncate"), _WRITING),
    **dict.fromkeys(("fsync", "fdatasync"), ("EIO", *_FULL, "EINTR")),
    # A server reports at the close what it could not write.
    "close": ("EIO", *_FULL, "EINTR"),
    **dict.fromkeys(("read", "pread64", "readv", "getdents64", "lseek", "mmap"), _READING),
    **dict.fromkeys(("stat", "lstat", "fstat", "newfstatat", "statx", "statfs", "fstatfs"), _LOOKING),
    **dict.fromkeys(
        ("access", "faccessat", "faccessat2", "readlink", "readlinkat", "chdir", "fchdir", "getcwd"), _LOOKING
    ),
    **dict.fromkeys(("chmod", "fchmod", "fchmodat", "fchmodat2", "utimensat", "chown", "fchown", "fchownat"), _MARKING),
    **dict.fromkeys(
        ("getxattr", "lgetxattr", "fgetxattr", "listxattr", "llistxattr", "flistxattr"), ("EIO", "EOPNOTSUPP")
    ),
    "flock": ("EIO", "ENOLCK", "EINTR", "EAGAIN"),
    "fcntl": ("EIO", "EMFILE", "EINTR"),
    **dict.fromkeys(("dup", "dup2", "dup3"), ("EMFILE", "EIO")),
    "ioctl": ("EIO", "EOPNOTSUPP"),
    "execve": ("EIO", "EACCES", "ENOMEM"),
    "fadvise64": ("EIO",),
}
"""Errors by call. What is not a key here must not happen in a traced run: nothing is left out in silence."""
