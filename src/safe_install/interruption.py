"""Let Ctrl-C wait while something is put back.

Python raises `KeyboardInterrupt` between any two instructions of the main thread, the first ones of an ``__exit__``
or a ``finally`` block included; whoever cleans up then leaves things behind. `interrupt`, as the handler of a signal,
looks where the main thread is: inside a function marked with `shielded` the interrupt is put off until that returns.
The same idea protects trio's internals (https://vorpus.org/blog/control-c-handling-in-python-and-trio).

A second signal within `_DEAF_SECONDS` is taken for the same one: a terminal sends Ctrl-C to a whole process group, and
many a wrapper passes it on once more.

A function that is shielded must be short. Entering is not shielded but written so that it can be interrupted anywhere:
what makes something notes first how to remove it. This module imports nothing of safe-install.
"""

from __future__ import annotations

import functools
import sys
import threading
import time
from typing import TYPE_CHECKING, NoReturn, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

P = ParamSpec("P")
R = TypeVar("R")

_DEAF_SECONDS = 2.0

_put_off = threading.Event()
_raised_at = -_DEAF_SECONDS


def shielded(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate *function* so that no interrupt is raised inside it or what it calls; it comes afterwards."""

    @functools.wraps(function)
    def shield(*arguments: P.args, **keywords: P.kwargs) -> R:
        try:
            return function(*arguments, **keywords)
        finally:
            if _put_off.is_set() and threading.current_thread() is threading.main_thread():
                _deliver(sys._getframe(1))  # noqa: SLF001 - documented, and the only way to the caller's frame

    return shield


# All shields are closures over one piece of code, by which their frames are known.
_SHIELD = shielded(lambda: None).__code__


def interrupt(_number: int, frame: FrameType | None) -> None:
    """Raise `KeyboardInterrupt` now or, inside a shielded function, when that returns. A handler of signals."""
    if time.monotonic() - _raised_at < _DEAF_SECONDS:
        return
    if _is_shielded(frame):
        _put_off.set()
    else:
        _raise()


def _deliver(caller: FrameType) -> None:
    if not _is_shielded(caller):
        _put_off.clear()
        _raise()


def _raise() -> NoReturn:
    global _raised_at  # noqa: PLW0603 - a process has one main thread
    _raised_at = time.monotonic()
    raise KeyboardInterrupt


def _is_shielded(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code is _SHIELD:
            return True
        frame = frame.f_back
    return False
