"""Place the files of one folder in another as Windows can; `_placing_unix` offers the same names."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from typing import TYPE_CHECKING

from . import _windows

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

assert sys.platform == "win32"

# Invalid function, not the same device, not supported, invalid parameter.
_NOT_LINKABLE = frozenset({1, 17, 50, 87})
# More than 1,023 names of a file of NTFS, and too many references to a block of ReFS.
_NO_MORE_NAMES = frozenset({1142, 347})

# winioctl.h: CTL_CODE(FILE_DEVICE_FILE_SYSTEM, 209, METHOD_BUFFERED, FILE_WRITE_DATA).
_DUPLICATE_EXTENTS = 0x98344
# Bytes of one call: fewer than 4 GiB, and whole clusters of any size.
_CLONE_STEP = 1 << 30


def cannot_link(error: OSError) -> bool:
    """Whether *error* says that this hard link can never be made."""
    return error.winerror in _NOT_LINKABLE or error.errno == errno.EXDEV or has_no_more_names(error)


def cannot_clone(error: OSError) -> bool:
    """Whether *error* says that these two places share no blocks."""
    return cannot_link(error) or error.errno in {errno.EOPNOTSUPP, errno.ENOSYS}


def has_no_more_names(error: OSError) -> bool:
    """Whether *error* says that one file has as many names, or blocks as many users, as they may have."""
    return error.winerror in _NO_MORE_NAMES or error.errno == errno.EMLINK


def reflinks() -> bool:
    """Whether trying to clone blocks makes sense on this system."""
    return True


class FolderPair:
    """Two folders between which files are placed by name. A context manager.

    Every placing call makes a new file and fails with `FileExistsError` where the name is taken; after any other
    failure nothing is left at the name. A file that is not a hard link has the rights that any new file gets in its
    folder: its source's owner and access list stay behind.
    """

    def __init__(self, source: str, target: str) -> None:
        self._source = source
        self._target = target
        self._key = (os.stat(source).st_dev, os.stat(target).st_dev, 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def key(self) -> tuple[int, int, int]:
        """What decides whether links work between the two: both devices."""
        return self._key

    def mounts(self) -> tuple[str, str]:
        """Two empty texts: each volume is one device here, however many letters and folders lead to it."""
        return "", ""

    def is_foreign(self, name: str) -> bool:  # noqa: ARG002 - the signature of Unix
        """False: whose a file is decides nothing here."""
        return False

    def unlink(self, name: str) -> None:
        """Remove *name* from the target folder."""
        _windows.unlink_name(f"{self._target}\\{name}")

    def hardlink(self, name: str, executable: bool) -> None:  # noqa: ARG002 - one signature for the three
        """Give the source's file a second name."""
        os.link(f"{self._source}\\{name}", f"{self._target}\\{name}")

    def reflink(self, name: str, executable: bool) -> None:  # noqa: ARG002 - as above
        """Make a new file that shares the blocks of the source until one is written: on ReFS, a Dev Drive too."""
        self._make(name, _clone)

    def copy(self, name: str, executable: bool) -> None:  # noqa: ARG002 - as above
        """Make a new file with the same bytes."""
        self._make(name, _copy)

    def _make(self, name: str, fill: Callable[[int, int, int], None]) -> None:
        place = f"{self._target}\\{name}"
        with open(f"{self._source}\\{name}", "rb", buffering=0) as source:
            found = os.fstat(source.fileno())
            target = os.open(place, _windows.CREATE, 0o666)
            try:
                try:
                    fill(source.fileno(), target, found.st_size)
                finally:
                    os.close(target)
                os.utime(place, ns=(found.st_mtime_ns, found.st_mtime_ns))
            except BaseException:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(place)
                raise


def _clone(source: int, target: int, size: int) -> None:
    """Let the empty file *target* share all blocks of *source*.

    The target has its size first, and each call names whole clusters, the last one beyond the end of the file
    ([MS-FSCC] 2.3.7.1).
    """
    import ctypes
    import msvcrt

    kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    os.ftruncate(target, size)
    cluster = _cluster_of(target)
    whole = -(-size // cluster) * cluster
    for start in range(0, whole, _CLONE_STEP):
        # DUPLICATE_EXTENTS_DATA: the source's handle, its offset, the target's, and how many bytes.
        length = min(_CLONE_STEP, whole - start)
        request = (ctypes.c_int64 * 4)(msvcrt.get_osfhandle(source), start, start, length)
        done = kernel.DeviceIoControl(
            ctypes.c_void_p(msvcrt.get_osfhandle(target)),
            ctypes.c_uint32(_DUPLICATE_EXTENTS),
            ctypes.byref(request),
            ctypes.c_uint32(ctypes.sizeof(request)),
            None,
            ctypes.c_uint32(0),
            ctypes.byref(ctypes.c_uint32()),
            None,
        )
        if not done:
            raise ctypes.WinError(ctypes.get_last_error())


def _cluster_of(descriptor: int) -> int:
    """Bytes of a cluster of the volume that holds an open file."""
    import ctypes
    import msvcrt

    # FileFsSizeInformation ([MS-FSCC] 2.5.8): clusters, free ones, sectors of a cluster, bytes of a sector.
    answer = (ctypes.c_uint32 * 6)()
    status = ctypes.WinDLL("ntdll").NtQueryVolumeInformationFile(
        ctypes.c_void_p(msvcrt.get_osfhandle(descriptor)),
        ctypes.byref((ctypes.c_void_p * 2)()),
        ctypes.byref(answer),
        ctypes.c_uint32(ctypes.sizeof(answer)),
        ctypes.c_int(3),
    )
    if status < 0 or not answer[4] * answer[5]:
        raise OSError(errno.EOPNOTSUPP, "the volume does not tell the size of its clusters")
    return answer[4] * answer[5]


def _copy(source: int, target: int, size: int) -> None:
    done = 0
    while chunk := os.read(source, 1 << 20):
        view = memoryview(chunk)
        while view:
            view = view[os.write(target, view) :]
        done += len(chunk)
    if done != size:
        raise OSError(errno.EIO, f"copied {done} of {size} bytes")
