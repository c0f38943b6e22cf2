"""What kind of file system a path lies on."""

from __future__ import annotations

import os

from ._system import mount_type, system_path

# Types whose files another host may change, or whose every call is a round trip.
_NETWORK = frozenset({
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "ncpfs", "afs", "ceph", "glusterfs", "lustre", "gpfs", "beegfs", "orangefs",
    "pvfs2", "coda", "9p", "panfs", "acfs", "ocfs2", "gfs2",
})  # fmt: skip
# Of the file systems in user space, those known to speak to a network.
_NETWORK_FUSE = ("sshfs", "s3fs", "gcsfuse", "blobfuse", "rclone", "glusterfs", "ceph", "juicefs", "goofys", "mount-s3")


def is_network(path: str | os.PathLike[str]) -> bool:
    """Whether *path*, or the nearest folder above it that exists, lies on a network file system.

    From the mount table on Linux and the drive type on Windows; False where the system does not tell.
    """
    kind, _ = mount_type(os.fspath(path))
    if kind.startswith("fuse."):
        return kind.removeprefix("fuse.").startswith(_NETWORK_FUSE)
    return kind in _NETWORK


def device_of(path: str | os.PathLike[str]) -> int:
    """Return the number of the device that holds *path*, or the nearest folder above it that exists."""
    place = os.path.abspath(path)
    while True:
        try:
            return os.stat(system_path(place)).st_dev
        except (FileNotFoundError, NotADirectoryError):
            above = os.path.dirname(place)
            if above == place:
                raise
            place = above


def folds_case(root: str) -> bool:
    """Whether the file system at *root*, or above where that does not exist, takes `A` and `a` for one name."""
    place = root
    while not os.path.lexists(system_path(place)) and os.path.dirname(place) != place:
        place = os.path.dirname(place)
    folder, name = os.path.split(place)
    other = name.swapcase()
    if other == name:
        return os.name == "nt"
    try:
        return os.path.samefile(system_path(place), system_path(os.path.join(folder, other)))
    except OSError:
        return False
