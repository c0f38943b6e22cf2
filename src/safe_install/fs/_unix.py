"""System calls as Unix has them; `_windows` offers the same names."""

from __future__ import annotations

import errno
import os
import secrets
import stat
import sys

assert sys.platform != "win32"

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
"""Flags that make a new file and never open an existing one."""

# 524 is ENOTSUPP, which the NFS client of Linux lets slip for a moment during a server's grace period.
PASSING_ERRORS = frozenset({errno.ESTALE, errno.EBUSY, errno.EAGAIN, errno.EINTR, errno.ETXTBSY, 524})
# A folder whose last name is `.nfsXXXX` (an open file that was unlinked, measured) is not empty until that file closes.
_REMOVAL_PASSING = PASSING_ERRORS | {errno.ENOTEMPTY, errno.EEXIST}
# What file systems without modes say to one, vfat and some shares.
_NO_MODES = frozenset({errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL, errno.EPERM, errno.EACCES})
# The disk cannot give the bytes back, or the file system found its own checksums wrong (EUCLEAN, not on every Unix).
_UNREADABLE = frozenset({errno.EIO, errno.EBADMSG, getattr(errno, "EUCLEAN", errno.EIO)})


def system_path(path: str | os.PathLike[str]) -> str:
    """Return *path* in the form that system calls take; only Windows has a second one."""
    return os.fspath(path)


def longest_path() -> int | None:
    """None: every program may use paths as long as the system allows."""
    return None


def is_passing(error: OSError) -> bool:
    """Whether the same call may succeed in a moment."""
    return error.errno in PASSING_ERRORS


def is_removal_passing(error: OSError) -> bool:
    """Whether removing may succeed in a moment."""
    return error.errno in _REMOVAL_PASSING


def meaning(error: OSError) -> int | None:
    """Return its `errno`."""
    return error.errno


def is_exists(error: OSError, target: str) -> bool:
    """Whether *error* of a rename or link means that *target* is there already.

    A folder in the place of a folder is ENOTEMPTY on ext4 and EEXIST on xfs (measured), a file ENOTDIR.
    """
    if error.errno in {errno.EEXIST, errno.ENOTEMPTY}:
        return True
    return error.errno in {errno.ENOTDIR, errno.EISDIR} and os.path.lexists(target)


def is_damage(error: OSError) -> bool:
    """Whether *error* of reading says that the content is lost, and not only that it cannot be had now."""
    return error.errno in _UNREADABLE


def seal(descriptor: int, path: str, *, executable: bool, time: int) -> None:  # noqa: ARG001 - the signature of Windows
    """Make the open file *descriptor* read-only and give it its time, in nanoseconds.

    A file system without modes (vfat, some shares) goes without.
    """
    set_mode(descriptor, 0o555 if executable else 0o444)
    os.utime(descriptor, ns=(time, time))


def is_sealed(state: os.stat_result, *, executable: bool) -> bool:
    """Whether a file still has the mode that `seal` gave it."""
    return stat.S_IMODE(state.st_mode) == (0o555 if executable else 0o444)


def revalidate(path: str) -> None:
    """Make names that another host created in the folder *path* visible here.

    An NFS client goes on denying a name that it looked up too early for up to 29 seconds; opening and closing the
    folder ends that at once (measured). A folder that cannot be opened is left for the next call to complain about.
    """
    try:
        os.close(os.open(path, _FOLDER))
    except OSError:
        pass


def host_name() -> str:
    """The name of this machine, or container."""
    return os.uname().nodename


def machine_name() -> str:
    """What tells whether process numbers mean the same here and there: this boot of this kernel, this container.

    Host names do not: containers with the host's network have its name, and machines are cloned with theirs.
    """
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return f"{file.read().strip()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return host_name()


def boot_name() -> str | None:
    """What names this boot of the kernel, and no other one; None where the system does not tell."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip() or None
    except OSError:
        return None


def is_ours(state: os.stat_result) -> bool:
    """Whether a file belongs to the user that this process acts as."""
    return state.st_uid == os.geteuid()


def rights_below(folder: str) -> tuple[int, int]:
    """Return the modes that a new folder and a new file in *folder* have, so that its users can use them too.

    The group gets what it has in *folder*, and the set-group-id bit goes on; others can read at most. Where everybody
    can write, as in ``/tmp``, nobody is meant.
    """
    above = stat.S_IMODE(os.stat(folder).st_mode)
    if above & stat.S_IWOTH:
        above &= ~(stat.S_IWGRP | stat.S_ISGID)
    return stat.S_IRWXU | above & 0o2075, stat.S_IRUSR | stat.S_IWUSR | above & 0o064


def set_mode(target: int | str, mode: int) -> None:
    """Give a file, by descriptor or path, exactly *mode*. One without modes (vfat, some shares) goes without."""
    try:
        if isinstance(target, int):
            os.fchmod(target, mode)
        else:
            os.chmod(target, mode)
    except OSError as error:
        if error.errno not in _NO_MODES:
            raise


def birth_of(process: int) -> str | None:
    """When a process of this machine began, as a text that no later one with its number has; None when it is gone.

    An empty text where the system does not tell.
    """
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return None
    except OSError:
        pass  # it is somebody else's
    try:
        with open(f"/proc/{process}/stat", "rb") as file:
            # proc(5): after the name in parentheses, which may hold any character, come the state as field 3 and the
            # start in ticks since boot as field 22.
            fields = file.read().rpartition(b")")[2].split()
        return None if fields[0] in {b"Z", b"X"} else fields[19].decode()
    except (OSError, IndexError):
        return ""  # no such file system, or it hides the processes of others


def whoami() -> tuple[int, str]:
    """The user id that this process acts as, and its name."""
    number = os.geteuid()
    return number, user_name(number)


def user_name(number: int) -> str:
    """The name of a user id, or the number where it has none (containers)."""
    import pwd

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def strangers_who_write(path: str, *, by_group: bool) -> tuple[str, str] | None:
    """Return who else can write the folder *path*, as a phrase, and the command that mends it; None when nobody can.

    :param by_group: the members of its group are no strangers, and one of them owns it.

    Root always can and is not counted. Where the file system maps users (NFS with squashing, shares, user
    namespaces), the owner of a file that we make there tells who we are.
    """
    import shlex

    found = os.stat(path)
    if by_group:
        if not found.st_mode & stat.S_IWOTH:
            return None
        return f"everybody can write it (mode {stat.filemode(found.st_mode)})", f"chmod o-w {shlex.quote(path)}"
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        who = "everybody" if found.st_mode & stat.S_IWOTH else f"the group {found.st_gid}"
        return f"{who} can write it (mode {stat.filemode(found.st_mode)})", f"chmod go-w {shlex.quote(path)}"
    if found.st_uid in {0, os.geteuid()} or found.st_uid == _uid_of_a_new_file(path):
        return None
    owner = f"{user_name(found.st_uid)} (uid {found.st_uid})"
    return f"it belongs to another user, {owner}", f"chown -R {os.geteuid()} {shlex.quote(path)}"


def everybody_writes(path: str) -> bool:
    """Whether users of other groups can write the folder *path*. Nothing is tried there."""
    return bool(os.stat(path).st_mode & stat.S_IWOTH)


def group_number(name: str) -> int:
    """Return the number of a group, which may be given by number. :raises KeyError: there is none of that name."""
    import grp

    return int(name) if name.isdecimal() else grp.getgrnam(name).gr_gid


def give_to_group(path: str, group: int) -> None:
    """Give a file or folder, never what a link leads to, to a group. :raises OSError: only its owner, a member, can."""
    os.chown(path, -1, group, follow_symlinks=False)


def _uid_of_a_new_file(folder: str) -> int | None:
    place = os.path.join(folder, f".owner-{secrets.token_hex(8)}")
    try:
        descriptor = os.open(place, CREATE, 0o600)
    except OSError:
        return None
    try:
        return os.fstat(descriptor).st_uid
    finally:
        os.close(descriptor)
        os.unlink(place)


def mount_type(path: str) -> tuple[str, str]:
    """File system type and options of the mount that holds *path*; two empty texts where the system does not tell."""
    _, kind, _, _, options = _mount_of(path)
    return kind, options


def mount_of(path: str) -> tuple[str, str, str, str]:
    """Where the mount that holds *path* begins, its type, what is mounted, and all its options.

    Four empty texts where the system does not tell. The options are those of the file system and of this mount, which
    may be read-only alone.
    """
    point, kind, source, own, options = _mount_of(path)
    return point, kind, source, ",".join(dict.fromkeys([*own.split(","), *options.split(",")]))


def _mount_of(path: str) -> tuple[str, str, str, str, str]:
    """Mount point, type, source, options of the mount, options of the file system."""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as table:
            lines = table.read().splitlines()
    except OSError:
        return "", "", "", "", ""
    place = os.path.realpath(path)
    best, found = -1, ("", "", "", "", "")
    for line in lines:
        # proc(5): ID parent major:minor root MOUNT-POINT options [tags] - TYPE source SUPER-OPTIONS
        left, _, right = line.partition(" - ")
        _, _, _, _, escaped, own, *_ = left.split(" ")
        point = _unescape(escaped)
        if place == point or place.startswith(point.rstrip("/") + "/"):
            kind, source, options = (*right.split(" "), "", "")[:3]
            # The last of equally long ones lies on top.
            if len(point) >= best:
                best, found = len(point), (point, kind, _unescape(source), own, options)
    return found


def _unescape(text: str) -> str:
    r"""Undo the octal escapes of mountinfo: ``\040`` is a space."""
    if "\\" not in text:
        return text
    for code in ("040", "011", "012", "134"):
        text = text.replace("\\" + code, chr(int(code, 8)))
    return text


def empty_folder(path: str) -> OSError | None:
    """Remove the folder *path* and all that is in it, as far as it goes; return what stopped it first.

    Nothing outside is touched: everything is reached through descriptors that follow no link. Folders without the
    needed rights get them first.
    """
    try:
        _remove_below(path, None)
    except OSError as error:
        return error
    return None


def _remove_below(name: str, parent: int | None) -> None:
    failure: OSError | None = None
    descriptor = _open_for_removal(name, parent)
    try:
        with os.scandir(descriptor) as found:
            entries = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in found]
        for child, is_folder in entries:
            try:
                if is_folder:
                    _remove_below(child, descriptor)
                else:
                    _unlink(child, descriptor)
            except FileNotFoundError:
                pass  # somebody else is removing too
            except OSError as error:
                failure = failure or error
    finally:
        os.close(descriptor)
    if failure is not None:
        raise failure
    try:
        os.rmdir(name, dir_fd=parent)
    except FileNotFoundError:
        pass


def _open_for_removal(name: str, parent: int | None) -> int:
    flags = _FOLDER | os.O_NOFOLLOW
    try:
        descriptor = os.open(name, flags, dir_fd=parent)
    except PermissionError:
        _grant(name, parent)
        return os.open(name, flags, dir_fd=parent)
    # Without write and search rights nothing in it can be unlinked; only the owner can change that.
    if (os.fstat(descriptor).st_mode & stat.S_IRWXU) != stat.S_IRWXU:
        try:
            os.fchmod(descriptor, stat.S_IRWXU)
        except OSError:
            pass
    return descriptor


def _grant(name: str, parent: int | None) -> None:
    """Give the owner all rights to a folder that cannot be opened, without following a link that took its place."""
    if not hasattr(os, "O_PATH"):
        os.chmod(name, stat.S_IRWXU, dir_fd=parent)
        return
    place = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=parent)
    try:
        os.chmod(f"/proc/self/fd/{place}", stat.S_IRWXU)
    finally:
        os.close(place)


def _unlink(name: str, parent: int) -> None:
    os.unlink(name, dir_fd=parent)
