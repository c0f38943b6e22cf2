"""What this system and this user can do, found by doing it; tests skip by these answers."""

from __future__ import annotations

import errno
import functools
import os
import sys
import tempfile
from pathlib import Path

import pytest

from safe_install.errors import StoreError
from safe_install.fs.link import LinkEntry, Linker
from safe_install.models import LinkMode

unix_only = pytest.mark.skipif(os.name == "nt", reason="rights and owners of files as Unix has them")
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads the tables of Linux's /proc")


@functools.cache
def rights_bind_us() -> bool:
    """Whether a folder without write permission stops this process: not for root, and not on Windows."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o500)
        try:
            Path(folder, "x").touch()
        except PermissionError:
            return True
        finally:
            os.chmod(folder, 0o700)
    return False


def is_wine() -> bool:
    """Whether Wine runs this: the laboratory of ``--lab windows``."""
    if sys.platform != "win32":
        return False
    import ctypes

    return hasattr(ctypes.WinDLL("ntdll"), "wine_get_version")


@functools.cache
def can_symlink() -> bool:
    """Whether this user may make symbolic links; a privilege on Windows."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            os.symlink("nowhere", os.path.join(folder, "link"))
        except (OSError, NotImplementedError):
            return False
    return True


def can_reflink(folder: Path) -> bool:
    """Whether files in *folder* can share blocks."""
    source, target = folder / "reflink-source", folder / "reflink-target"
    source.mkdir()
    target.mkdir()
    (source / "x").write_bytes(b"x" * 8192)
    try:
        Linker(LinkMode.REFLINK, sink=lambda event: None).link_files(
            str(source), str(target), [LinkEntry("x", executable=False)]
        )
    except StoreError:
        return False
    return True


def other_device(folder: Path) -> Path | None:
    """A new folder on another file system than *folder*, or None. The caller removes it."""
    for candidate in (Path("/dev/shm"), Path("/var/tmp"), Path.home()):
        try:
            if candidate.is_dir() and candidate.stat().st_dev != folder.stat().st_dev:
                return Path(tempfile.mkdtemp(dir=candidate))
        except OSError as error:
            if error.errno not in {errno.EACCES, errno.EROFS, errno.EPERM}:
                raise
    return None


def link_to_folder(link: Path, folder: Path) -> None:
    """Make *link* lead to *folder*: a symbolic link, and on Windows a junction, which needs no privilege."""
    if sys.platform == "win32":
        import _winapi

        _winapi.CreateJunction(str(folder), str(link))
    else:
        link.symlink_to(folder, target_is_directory=True)


@functools.cache
def can_link_folders() -> bool:
    """Whether `link_to_folder` works; Wine has no junctions."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            link_to_folder(Path(folder, "link"), Path(folder))
        except OSError:
            return False
        Path(folder, "link").unlink()
    return True


needs_rights = pytest.mark.skipif(not rights_bind_us(), reason="missing rights do not stop this user (root, Windows)")
needs_symlinks = pytest.mark.skipif(not can_symlink(), reason="this user may not make symbolic links")
needs_folder_links = pytest.mark.skipif(
    not can_link_folders(), reason="there are no links to folders (Wine: no junctions)"
)
