"""A virus scanner, as a process: opens every new file below a folder, and keeps it open for a moment. Windows only.

While it has a file open, nobody can delete, rename or replace that file, nor move a folder above it: it shares as CPython's
`open` does. Told to go on for ever, it ends with its standard input, and prints how many files it held.
"""

from __future__ import annotations

import collections
import os
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

_LIST_FOLDER = 0x1
_SHARE_ALL = 0x7
_OPEN_EXISTING = 3
_OPEN_FOLDER = 0x02000000
_NEW_NAMES = 0x1
_TOO_MANY = 1022  # more names than the buffer takes: some files are not looked at
# FILE_NOTIFY_INFORMATION: where the next one begins, what happened, and how many bytes its name has.
_HEADER = struct.Struct("<III")
_ADDED = frozenset({1, 5})  # made, and renamed to


class Scanner:
    """A context manager around the process. :param hold: seconds that it keeps each file open."""

    def __init__(self, folder: Path, *, hold: float = 0.05) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "helpers.scanner", str(folder), str(hold)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        )
        self.opened = 0
        """How many files it held; known at the end."""

    def __enter__(self) -> Self:
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "watching\n"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.opened = int(self._process.communicate(timeout=60)[0])
        finally:
            self._process.kill()
            self._process.wait()


def watch(folder: str, hold: float) -> None:
    if sys.platform != "win32":
        raise NotImplementedError
    import ctypes

    kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    kernel.CreateFileW.restype = ctypes.c_void_p
    handle = ctypes.c_void_p(
        kernel.CreateFileW(ctypes.c_wchar_p(folder), _LIST_FOLDER, _SHARE_ALL, None, _OPEN_EXISTING, _OPEN_FOLDER, None)
    )
    held: collections.deque[tuple[float, IO[bytes]]] = collections.deque()
    opened = [0]
    threading.Thread(target=_let_go, args=(held,), daemon=True).start()
    threading.Thread(target=_report_at_the_end, args=(opened,), daemon=True).start()
    buffer, length = ctypes.create_string_buffer(1 << 20), ctypes.c_uint32()
    print("watching", flush=True)  # noqa: T201 - for `Scanner`
    while True:
        done = kernel.ReadDirectoryChangesW(
            handle, buffer, len(buffer), True, _NEW_NAMES, ctypes.byref(length), None, None
        )
        if not done and ctypes.get_last_error() != _TOO_MANY:
            raise ctypes.WinError(ctypes.get_last_error())
        for name in _new_names(buffer.raw[: length.value if done else 0]):
            try:
                file = open(f"\\\\?\\{folder}\\{name}", "rb")  # noqa: SIM115 - `_let_go` closes it
            except OSError:
                continue  # a folder, gone already, or not shared
            opened[0] += 1
            held.append((time.monotonic() + hold, file))


def _new_names(changes: bytes) -> list[str]:
    names, start = [], 0
    while start < len(changes):
        following, action, size = _HEADER.unpack_from(changes, start)
        text = start + _HEADER.size
        if action in _ADDED:
            names.append(changes[text : text + size].decode("utf-16-le"))
        if not following:
            break
        start += following
    return names


def _let_go(held: collections.deque[tuple[float, IO[bytes]]]) -> None:
    while True:
        while held and held[0][0] <= time.monotonic():
            held.popleft()[1].close()
        time.sleep(0.005)


def _report_at_the_end(opened: list[int]) -> None:
    sys.stdin.read()
    print(opened[0], flush=True)  # noqa: T201 - for `Scanner`
    os._exit(0)


if __name__ == "__main__":
    watch(os.path.abspath(sys.argv[1]), float(sys.argv[2]))
