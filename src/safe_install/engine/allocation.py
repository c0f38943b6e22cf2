"""Have the C library give memory back that threads freed, where it is glibc."""

from __future__ import annotations

import functools
import sys

# mallopt(3). A threshold that is set no longer grows with what is freed, up to 32 MiB a thread.
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8
_THRESHOLD = 128 * 1024
_ARENAS = 2


@functools.cache
def keep_little_freed_memory() -> None:
    """Bound what the allocator keeps of buffers that threads freed; to be called before there are threads.

    Eight threads that download and unpack leave 45 MiB behind them otherwise, for the rest of the process. Nothing
    happens where the C library is another one.
    """
    if sys.platform != "linux":
        return
    try:
        import ctypes

        adjust = ctypes.CDLL(None).mallopt
    except (ImportError, OSError, AttributeError):
        return
    adjust(_M_MMAP_THRESHOLD, _THRESHOLD)
    adjust(_M_ARENA_MAX, _ARENAS)
