r"""Runs at the start of every Python of the laboratory: what Wine does otherwise than Windows 10 with NTFS is put right.

Put right here, for Python code (other programs do not see it), each as measured against Windows' documentation:

- a conflict of `msvcrt.locking` raises (Wine leaves `errno` 0); LK_LOCK tries ten times, a second apart;
- `os.symlink` fails for lack of a privilege (Wine says it worked, and does nothing);
- `os.rename` of a folder with an open file below it fails with error 5; one that changes only case works;
- paths of 260 characters fail without ``\\?\``, as long as nobody switched that limit off (Windows' default);
- a file with the read-only attribute is not opened for writing (Wine's user is root).

Not put right, so that tests force it in other ways: regions that another process locked can be read and written (Windows:
error 33); no junctions, alternate streams and links; no deletion of open files; no names of more than 255 UTF-8 bytes.

Does nothing on a real Windows.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

assert sys.platform == "win32"

_READ_ONLY = 0x1
_FOLDER = 0x10
_NO_ATTRIBUTES = 0xFFFFFFFF
_INVALID_HANDLE = 2**64 - 1
_GENERIC_READ = 0x80000000
_OPEN_EXISTING = 3
_BACKUP_SEMANTICS = 0x02000080
_LONGEST_PATH = 260
_LONGEST_FOLDER = 248  # room for a name of 8.3 characters in it
# Audit events of calls that take paths: how many of their first arguments are some.
_PATHS_OF_EVENTS = {
    "open": 1,
    "os.mkdir": 1,
    "os.rename": 2,
    "os.remove": 1,
    "os.rmdir": 1,
    "os.listdir": 1,
    "os.scandir": 1,
    "os.link": 2,
    "os.truncate": 1,
    "os.utime": 1,
    "os.chmod": 1,
    "os.chdir": 1,
    "shutil.copyfile": 2,
}


def install() -> None:
    """Put it right, if this is Wine."""
    import ctypes

    if not hasattr(ctypes.WinDLL("ntdll"), "wine_get_version"):
        return
    kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    kernel.CreateFileW.restype = ctypes.c_uint64
    kernel.CreateFileW.argtypes = [
        ctypes.c_wchar_p,
        *[ctypes.c_uint32] * 2,
        ctypes.c_void_p,
        *[ctypes.c_uint32] * 2,
        ctypes.c_void_p,
    ]
    kernel.CloseHandle.argtypes = [ctypes.c_uint64]
    kernel.GetFileAttributesW.argtypes = [ctypes.c_wchar_p]
    kernel.GetFileAttributesW.restype = ctypes.c_uint32

    def attributes(path: str) -> int:
        found = int(kernel.GetFileAttributesW(path))
        return 0 if found == _NO_ATTRIBUTES else found

    def is_open(path: str) -> bool:
        handle = kernel.CreateFileW(path, _GENERIC_READ, 0, None, _OPEN_EXISTING, _BACKUP_SEMANTICS, None)
        if handle == _INVALID_HANDLE:
            return ctypes.get_last_error() == 32
        kernel.CloseHandle(handle)
        return False

    _mend_locking()
    os.symlink = _symlink
    os.rename = _renaming(os.rename, attributes, is_open)
    os.replace = _renaming(os.replace, attributes, is_open)
    sys.addaudithook(_auditor(attributes, limited=not _are_long_paths_enabled()))


def _are_long_paths_enabled() -> bool:
    import winreg

    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"SYSTEM\CurrentControlSet\Control\FileSystem") as key:
            return bool(winreg.QueryValueEx(key, "LongPathsEnabled")[0])
    except OSError:
        return False


def _mend_locking() -> None:
    import errno
    import msvcrt
    import time

    real = msvcrt.locking

    def locking(descriptor: int, mode: int, count: int) -> None:
        waits = mode in {msvcrt.LK_LOCK, msvcrt.LK_RLCK}
        for _ in range(10):
            try:
                return real(descriptor, msvcrt.LK_NBLCK if waits else mode, count)
            except OSError as error:
                if error.errno not in {0, errno.EACCES}:
                    raise
                if not waits:
                    raise PermissionError(errno.EACCES, "Permission denied") from None
                time.sleep(1)
        raise OSError(errno.EDEADLK, "Resource deadlock avoided")

    msvcrt.locking = locking


def _symlink(source: Any, target: Any, target_is_directory: bool = False, *, dir_fd: int | None = None) -> None:
    raise OSError(22, "A required privilege is not held by the client", os.fspath(source), 1314, os.fspath(target))


def _renaming(
    real: Callable[..., None], attributes: Callable[[str], int], is_open: Callable[[str], bool]
) -> Callable[..., None]:
    def rename(source: Any, target: Any, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None) -> None:
        old, new = os.fsdecode(source), os.fsdecode(target)
        if attributes(old) & _FOLDER:
            for folder, _, files in os.walk(old):
                if any(is_open(os.path.join(folder, name)) for name in files):
                    raise PermissionError(13, "Access is denied", old, 5, new)
        if old != new and os.path.abspath(old).lower() == os.path.abspath(new).lower() and attributes(old):
            between = f"{old}.case{os.getpid()}"
            real(old, between)
            return real(between, new)
        return real(source, target)

    rename.__name__ = real.__name__
    return rename


def _auditor(attributes: Callable[[str], int], *, limited: bool) -> Callable[[str, tuple[Any, ...]], None]:
    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        for path in arguments[: _PATHS_OF_EVENTS.get(event, 0)]:
            if limited and isinstance(path, (str, bytes)):
                _refuse_long(event, os.fsdecode(path))
        if (
            event == "open"
            and isinstance(arguments[0], (str, bytes))
            and isinstance(arguments[2], int)
            and arguments[2] & 3
        ):
            path = os.fsdecode(arguments[0])
            if attributes(path) & _READ_ONLY:
                raise PermissionError(13, "Permission denied", path)

    return audit


def _refuse_long(event: str, path: str) -> None:
    if len(path) < 60 or path.startswith(("\\\\?\\", "\\\\.\\")):
        return
    is_absolute = path[1:3] in {":\\", ":/"} or path.startswith("\\\\")
    length = len(path) if is_absolute else len(os.getcwd()) + 1 + len(path)
    if length < (_LONGEST_FOLDER if event == "os.mkdir" else _LONGEST_PATH):
        return
    if event == "open":
        raise FileNotFoundError(2, "No such file or directory", path)
    raise OSError(2, "The filename or extension is too long", path, 206 if event == "os.mkdir" else 3)


install()
