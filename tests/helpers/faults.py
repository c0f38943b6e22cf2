"""Make one system call fail, for one path, once; or do something just before it.

The call itself is the real one before and afterwards, so a fault test stays true when the code is rearranged.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from unittest import mock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

NO_LINKS: int | OSError = errno.EPERM if os.name != "nt" else OSError(0, "The request is not supported", None, 50)
"""What a file system without hard links answers."""


@dataclass
class Fault:
    """What an injection did. :param hits: the paths of the calls that it touched."""

    hits: list[str] = field(default_factory=list)

    @property
    def happened(self) -> bool:
        return bool(self.hits)


@contextlib.contextmanager
def before(
    call: str, path: str, action: Callable[[], None], *, times: int | None = 1, module: ModuleType = os
) -> Iterator[Fault]:
    """Run *action* just before the first *times* calls of ``module.call`` that concern a path containing *path*.

    Both may be written with ``/`` everywhere.

    :param action: may raise, and then the call is not made. :param times: None for every call.
    """
    real = getattr(module, call)
    fault = Fault()

    def replacement(*arguments: Any, **keywords: Any) -> Any:
        place = _paths(arguments, keywords)
        if _plain(path) in place and (times is None or len(fault.hits) < times):
            fault.hits.append(place)
            action()
        return real(*arguments, **keywords)

    with mock.patch.object(module, call, replacement):
        yield fault


@contextlib.contextmanager
def failing(
    call: str, path: str, error: int | OSError, *, times: int | None = 1, module: ModuleType = os
) -> Iterator[Fault]:
    """Let the first *times* calls of ``module.call`` that concern a path containing *path* fail with *error*."""

    def fail() -> None:
        raise OSError(error, os.strerror(error)) if isinstance(error, int) else error

    with before(call, path, fail, times=times, module=module) as fault:
        yield fault


def _paths(arguments: tuple[Any, ...], keywords: dict[str, Any]) -> str:
    """All paths of a call in one text, with ``/``; descriptors are turned back into paths where the system can tell."""
    found = []
    for value in (*arguments, *keywords.values()):
        if isinstance(value, (str, os.PathLike)):
            found.append(os.fspath(value))
        elif isinstance(value, int) and not isinstance(value, bool):
            with contextlib.suppress(OSError):
                found.append(_path_of(value))
    return _plain("\n".join(map(os.fsdecode, found)))


def _plain(path: str) -> str:
    return path.replace(os.sep, "/")


def _path_of(descriptor: int) -> str:
    """The path of an open file. :raises OSError: the system does not tell, or nothing is open under this number."""
    if sys.platform != "win32":
        return os.readlink(f"/proc/self/fd/{descriptor}")
    import ctypes
    import msvcrt

    text = ctypes.create_unicode_buffer(32768)
    handle = ctypes.c_void_p(msvcrt.get_osfhandle(descriptor))
    if not ctypes.windll.kernel32.GetFinalPathNameByHandleW(handle, text, len(text), 0):
        raise ctypes.WinError()
    return text.value
