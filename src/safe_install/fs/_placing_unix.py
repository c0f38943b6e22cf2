"""Place the files of one folder in another as Unix can; `_placing_windows` offers the same names."""

from __future__ import annotations

import errno
import fcntl
import os
import sys
from typing import TYPE_CHECKING

from . import _unix

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

assert sys.platform != "win32"

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC

# _IOW(0x94, 9, int) of linux/fs.h. Other Unixes clone by other calls, and get no reflinks here.
_FICLONE = 0x40049409
_COPY_STEP = 1 << 30
_READ_STEP = 1 << 20
# Bytes of one block of `os.stat_result.st_blocks`, whatever the file system's own are (stat(3type)).
_BLOCK = 512
# Holes are looked for in files of this size at least, piece by piece: many times the block of any file system.
_HOLE = 1 << 16

_NOT_SUPPORTED = frozenset({errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL, errno.ENOTTY})
# EPERM: a foreign file under fs.protected_hardlinks, or a file system without links. EACCES: some NFS servers say so.
_NOT_LINKABLE = _NOT_SUPPORTED | {errno.EXDEV, errno.EPERM, errno.EACCES, errno.EMLINK}


def cannot_link(error: OSError) -> bool:
    """Whether *error* says that this hard link can never be made."""
    return error.errno in _NOT_LINKABLE


def cannot_clone(error: OSError) -> bool:
    """Whether *error* says that these two places share no blocks."""
    return error.errno in _NOT_LINKABLE


def has_no_more_names(error: OSError) -> bool:
    """Whether *error* says that one file has as many names as it may have; others can still get some.

    That is 65,000 on ext4 and 65,535 on btrfs (measured).
    """
    return error.errno == errno.EMLINK


def reflinks() -> bool:
    """Whether trying to clone blocks makes sense on this system."""
    return sys.platform == "linux"


class FolderPair:
    """Two open folders between which files are placed by name. A context manager.

    Every placing call makes a new file and fails with `FileExistsError` where the name is taken; after any other
    failure nothing is left at the name. A file that is not a hard link belongs to this process's user, and has the
    rights that any new file gets in its folder: owner, access lists and extended attributes stay behind.
    """

    def __init__(self, source: str, target: str) -> None:
        self._source = os.open(source, _FOLDER)
        try:
            self._target = os.open(target, _FOLDER)
        except BaseException:
            os.close(self._source)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._source)
        os.close(self._target)

    def key(self) -> tuple[int, int, int]:
        """What decides whether links work between the two: both devices, and the owner of the source."""
        source, target = os.fstat(self._source), os.fstat(self._target)
        return source.st_dev, target.st_dev, source.st_uid

    def mounts(self) -> tuple[str, str]:
        """Which mounts the two were opened through: no link leads from one to another, even on one device.

        Where the system does not tell, all are the same.
        """
        return _mount_of(self._source), _mount_of(self._target)

    def is_foreign(self, name: str) -> bool:
        """Whether a file of the source belongs to another user."""
        return not _unix.is_ours(os.stat(name, dir_fd=self._source, follow_symlinks=False))

    def unlink(self, name: str) -> None:
        """Remove *name* from the target folder."""
        os.unlink(name, dir_fd=self._target)

    def hardlink(self, name: str, executable: bool) -> None:  # noqa: ARG002 - one signature for the three
        """Give the source's file a second name."""
        os.link(name, name, src_dir_fd=self._source, dst_dir_fd=self._target, follow_symlinks=False)

    def reflink(self, name: str, executable: bool) -> None:
        """Make a new file that shares the blocks of the source until one of them is written.

        By FICLONE, which either shares them or fails. `copy` may well do the same by copy_file_range, but that call
        does not say so: where FICLONE is refused (ext4, tmpfs, xfs without reflinks, NFS before 4.2), it has been seen
        to succeed and to double the bytes. So it never counts as a reflink.
        """
        self._make(name, executable, _clone)

    def copy(self, name: str, executable: bool) -> None:
        """Make a new file with the same bytes.

        By copy_file_range where that works: the bytes never come to this process, over NFS 4.2 not even to this host,
        and a file system that can share blocks does. Holes of large files stay holes.
        """
        self._make(name, executable, _copy)

    def _make(self, name: str, executable: bool, fill: Callable[[int, int, os.stat_result], None]) -> None:
        source = os.open(name, _READ, dir_fd=self._source)
        try:
            found = os.fstat(source)
            # The kernel takes the umask off, as it does for pip's files.
            target = os.open(name, _unix.CREATE, 0o777 if executable else 0o666, dir_fd=self._target)
            try:
                fill(source, target, found)
                os.utime(target, ns=(found.st_mtime_ns, found.st_mtime_ns))
            except BaseException:
                os.unlink(name, dir_fd=self._target)
                raise
            finally:
                os.close(target)
        finally:
            os.close(source)


def _mount_of(descriptor: int) -> str:
    try:
        with open(f"/proc/self/fdinfo/{descriptor}", encoding="ascii") as file:
            # proc_pid_fdinfo(5)
            return next((line for line in file if line.startswith("mnt_id:")), "")
    except OSError:
        return ""


def _clone(source: int, target: int, found: os.stat_result) -> None:  # noqa: ARG001 - the signature of a fill
    fcntl.ioctl(target, _FICLONE, source)


def _copy(source: int, target: int, found: os.stat_result) -> None:
    if found.st_size >= _HOLE and found.st_blocks * _BLOCK < found.st_size:
        done = _copy_with_holes(source, target)
    else:
        done = _copy_in_kernel(source, target, found.st_size)
        if done < found.st_size:
            done += _copy_by_reading(source, target)
    if done != found.st_size:
        raise OSError(errno.EIO, f"copied {done} of {found.st_size} bytes")


def _copy_in_kernel(source: int, target: int, size: int) -> int:
    """Copy what the kernel copies by itself; return how much that was: nothing between some file systems."""
    done = 0
    while done < size:
        try:
            step = os.copy_file_range(source, target, min(size - done, _COPY_STEP))
        except OSError as error:
            if done or error.errno not in _NOT_LINKABLE:
                raise
            break
        if step == 0:
            break
        done += step
    return done


def _copy_by_reading(source: int, target: int) -> int:
    """Copy the rest, where the kernel cannot: between some file systems, and some network ones."""
    done = 0
    while chunk := os.read(source, _READ_STEP):
        _write(target, memoryview(chunk))
        done += len(chunk)
    return done


def _copy_with_holes(source: int, target: int) -> int:
    """Copy a file that takes less room than it has bytes, and leave out what is nothing but zeros.

    All of it is read: some file systems have told of holes where the last writes were (SEEK_HOLE on ZFS).
    """
    done = 0
    while chunk := os.read(source, _HOLE):
        if any(chunk):
            _write(target, memoryview(chunk))
        else:
            os.lseek(target, len(chunk), os.SEEK_CUR)
        done += len(chunk)
    os.ftruncate(target, done)
    return done


def _write(target: int, view: memoryview) -> None:
    while view:
        view = view[os.write(target, view) :]
