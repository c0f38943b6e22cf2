"""System calls as Windows has them; `_unix` offers the same names."""

from __future__ import annotations

import errno
import os
import stat
import sys

assert sys.platform == "win32"

CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_BINARY | os.O_NOINHERIT
"""Flags that make a new file and never open an existing one."""

# https://learn.microsoft.com/windows/win32/debug/system-error-codes--0-499- : access denied (a scanner, a pending
# deletion), sharing violation, lock violation, deletion pending, and a file that is mapped.
PASSING_ERRORS = frozenset({5, 32, 33, 303, 1224})
# 145: a folder is not empty while the deletion of a file in it is pending.
_REMOVAL_PASSING = PASSING_ERRORS | {145}
# A wrong checksum of the disk, an error of the device, and a damaged file system.
_UNREADABLE = frozenset({23, 1117, 1392})
# Codes that Python makes EACCES or EINVAL of: write-protected, in use (the file, a region of it, mapped), and full
# (a handle, the quota).
_MEANINGS = {
    19: errno.EROFS,
    32: errno.EBUSY,
    33: errno.EBUSY,
    39: errno.ENOSPC,
    1224: errno.EBUSY,
    1295: errno.ENOSPC,
}
_DRIVE_REMOTE = 4
_FILE_SYSTEM_KEY = r"SYSTEM\CurrentControlSet\Control\FileSystem"
_MAX_PATH = 260  # with the zero at the end
_READ_ONLY_VOLUME = 0x80000
_QUERY_LIMITED_INFORMATION = 0x1000
# FILETIME counts units of 100 ns since 1601.
_TICKS_BEFORE_1970 = 116444736000000000
_ACCESS_DENIED = 5
_INVALID_PARAMETER = 87  # what opening a process says when there is none with this number


def system_path(path: str | os.PathLike[str]) -> str:
    r"""Return *path* in the form without limits: absolute, with ``\\?\`` in front.

    Without it names of more than 260 characters fail, and trailing dots and spaces are dropped.
    """
    text = os.fspath(path)
    if text.startswith("\\\\?\\"):
        return text
    text = os.path.abspath(text)
    if text.startswith("\\\\.\\"):
        return text  # a device, such as NUL
    return "\\\\?\\UNC\\" + text[2:] if text.startswith("\\\\") else "\\\\?\\" + text


def longest_path() -> int | None:
    """How many characters the paths may have that other programs open, Python too; None when long paths are enabled.

    https://learn.microsoft.com/windows/win32/fileio/maximum-file-path-limitation
    """
    import winreg

    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, _FILE_SYSTEM_KEY) as key:
            if winreg.QueryValueEx(key, "LongPathsEnabled")[0]:
                return None
    except OSError:
        pass  # as old as Windows 8, where there is no such setting
    return _MAX_PATH - 1


def is_passing(error: OSError) -> bool:
    """Whether the same call may succeed in a moment."""
    return error.winerror in PASSING_ERRORS or _is_denied_open(error)


def is_removal_passing(error: OSError) -> bool:
    """Whether removing may succeed in a moment."""
    return error.winerror in _REMOVAL_PASSING or _is_denied_open(error)


def _is_denied_open(error: OSError) -> bool:
    """Whether `open` was denied: it tells no code of Windows. A file whose deletion is pending is denied, too."""
    return error.winerror is None and error.errno == errno.EACCES


def meaning(error: OSError) -> int | None:
    """Return the `errno` with which Unix says what *error* says."""
    return _MEANINGS.get(error.winerror, error.errno)


def is_exists(error: OSError, target: str) -> bool:
    """Whether *error* of a rename or link means that *target* is there already.

    Denied is also said of a name whose folder is in use (measured), so the target decides.
    """
    if isinstance(error, FileExistsError) or error.errno in {errno.EEXIST, errno.ENOTEMPTY}:
        return True
    return error.winerror == _ACCESS_DENIED and os.path.lexists(target)


def is_damage(error: OSError) -> bool:
    """Whether *error* of reading says that the content is lost, and not only that it cannot be had now."""
    return error.winerror in _UNREADABLE or error.errno == errno.EIO


def seal(descriptor: int, path: str, *, executable: bool, time: int) -> None:  # noqa: ARG001 - the signature of Unix
    """Give a file its time, in nanoseconds. Read-only files cannot be deleted here, so nothing is made read-only.

    Through the descriptor, where it may write: closing one that has written sets the time of its last write, unless
    the time was set through that very one.
    """
    import ctypes
    import msvcrt

    kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    stamp = ctypes.c_uint64(time // 100 + _TICKS_BEFORE_1970)
    handle = ctypes.c_void_p(msvcrt.get_osfhandle(descriptor))
    if kernel.SetFileTime(handle, None, ctypes.byref(stamp), ctypes.byref(stamp)):
        return
    if (code := ctypes.get_last_error()) != _ACCESS_DENIED:
        raise ctypes.WinError(code)
    os.utime(path, ns=(time, time))


def is_sealed(state: os.stat_result, *, executable: bool) -> bool:  # noqa: ARG001 - the signature of Unix
    """Whether a file still has the mode that `seal` gave it: none, here."""
    return True


def revalidate(path: str) -> None:
    """Make names that another host created in the folder *path* visible here, by listing it."""
    try:
        with os.scandir(path) as found:
            next(found, None)
    except OSError:
        pass


def host_name() -> str:
    """The name of this machine, or container."""
    import socket

    return socket.gethostname()


def machine_name() -> str:
    """What tells whether process numbers mean the same here and there: the name of the machine, or container."""
    return host_name()


def boot_name() -> str | None:
    """What names this boot of the system: the minute in which it began.

    A clock that is set, or a boot at the end of a minute, gives another name, which costs a check; no two boots share
    one.
    """
    import ctypes
    import time

    kernel = ctypes.WinDLL("kernel32")
    kernel.GetTickCount64.restype = ctypes.c_uint64
    return f"{(time.time() - kernel.GetTickCount64() / 1000) // 60:.0f}"


def is_ours(state: os.stat_result) -> bool:  # noqa: ARG001 - the signature of Unix
    """True: owners are no part of what `os.stat` tells here."""
    return True


def rights_below(folder: str) -> tuple[int, int]:  # noqa: ARG001 - the signature of Unix
    """Return modes without meaning: access lists go on by themselves here."""
    return 0o777, 0o666


def set_mode(target: int | str, mode: int) -> None:
    """Do nothing: there are no modes."""


def birth_of(process: int) -> str | None:
    """When a process of this machine began, as a text that no later one with its number has; None when it is gone.

    An empty text where the system does not tell.
    """
    import ctypes

    kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    kernel.OpenProcess.restype = ctypes.c_void_p
    handle = kernel.OpenProcess(_QUERY_LIMITED_INFORMATION, False, process)
    if not handle:
        return None if ctypes.get_last_error() == _INVALID_PARAMETER else ""
    try:
        times = (ctypes.c_uint64 * 4)()
        places = [ctypes.byref(times, 8 * number) for number in range(4)]
        if not kernel.GetProcessTimes(ctypes.c_void_p(handle), *places):
            return ""
        # A process that has ended keeps its number as long as somebody has it open; then it has a time of exit.
        return None if times[1] else str(times[0])
    finally:
        kernel.CloseHandle(ctypes.c_void_p(handle))


def whoami() -> tuple[int, str]:
    """-1, since users have no numbers here, and the name of the user that this process acts as."""
    import getpass

    try:
        return -1, getpass.getuser()
    except (OSError, KeyError, ImportError):
        return -1, "unknown"


def user_name(number: int) -> str:
    """The number: owners are not numbers here."""
    return str(number)


def strangers_who_write(path: str, *, by_group: bool) -> tuple[str, str] | None:  # noqa: ARG001 - as on Unix
    """None: a new folder below a user's own is that user's, and access lists are not looked at."""
    return None


def everybody_writes(path: str) -> bool:  # noqa: ARG001 - the signature of Unix
    """False: as for `strangers_who_write`."""
    return False


def group_number(name: str) -> int:
    """Refuse: sharing is a matter of access lists here. :raises KeyError: always."""
    raise KeyError(name)


def give_to_group(path: str, group: int) -> None:
    """Do nothing: groups are a matter of access lists here."""


def mount_type(path: str) -> tuple[str, str]:
    """``cifs`` for a share and a drive that is one, else an empty text; no options."""
    import ctypes

    place = os.path.abspath(path)
    if place.startswith("\\\\?\\UNC\\") or (place.startswith("\\\\") and not place.startswith("\\\\?\\")):
        return "cifs", ""
    drive = os.path.splitdrive(place.removeprefix("\\\\?\\"))[0] + "\\"
    return ("cifs" if ctypes.windll.kernel32.GetDriveTypeW(drive) == _DRIVE_REMOTE else ""), ""


def mount_of(path: str) -> tuple[str, str, str, str]:
    """Root of the volume that holds *path*, its file system, its label, and ``ro`` where it can only be read."""
    import ctypes

    root, label, kind = (ctypes.create_unicode_buffer(261) for _ in range(3))
    flags = ctypes.c_ulong()
    kernel = ctypes.windll.kernel32
    if not kernel.GetVolumePathNameW(os.path.abspath(path), root, 261):
        return "", "", "", ""
    if not kernel.GetVolumeInformationW(root, label, 261, None, None, ctypes.byref(flags), kind, 261):
        return root.value, "", "", ""
    return root.value, kind.value.lower(), label.value, "ro" if flags.value & _READ_ONLY_VOLUME else "rw"


def empty_folder(path: str) -> OSError | None:
    """Remove the folder *path* and all that is in it, as far as it goes; return what stopped it first.

    Links and junctions are removed themselves. The read-only attribute is taken off.
    """
    failure: OSError | None = None
    try:
        with os.scandir(path) as found:
            entries = [(entry.path, _is_real_folder(entry)) for entry in found]
    except OSError as error:
        return error
    for child, is_folder in entries:
        if is_folder:
            # Whatever stopped the one before.
            failure = empty_folder(child) or failure
            continue
        try:
            unlink_name(child)
        except FileNotFoundError:
            pass  # somebody else is removing too
        except OSError as error:
            failure = failure or error
    if failure is None:
        try:
            os.rmdir(path)
        except FileNotFoundError:
            pass
        except OSError as error:
            return error
    return failure


def _is_real_folder(entry: os.DirEntry[str]) -> bool:
    if not entry.is_dir(follow_symlinks=False):
        return False
    return not entry.stat(follow_symlinks=False).st_file_attributes & stat.FILE_ATTRIBUTE_REPARSE_POINT


def unlink_name(path: str) -> None:
    """Remove a file, or a link or junction itself, the read-only attribute notwithstanding."""
    found = os.lstat(path)
    if found.st_file_attributes & stat.FILE_ATTRIBUTE_READONLY:
        os.chmod(path, stat.S_IWRITE)
    if found.st_file_attributes & stat.FILE_ATTRIBUTE_DIRECTORY:
        os.rmdir(path)  # a junction or a link to a folder
    else:
        os.unlink(path)
