"""Try again what fails in a way that passes; report at once what does not (promise 8).

Which errors pass is a list per system (`_unix`, `_windows`); how long to try is the caller's budget in seconds.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, TypeVar

from ..events import Retried
from ._system import is_passing, is_removal_passing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..events import EventSink

__all__ = ["DEFAULT_BUDGET", "is_passing", "is_removal_passing", "pauses", "retry"]

T = TypeVar("T")

DEFAULT_BUDGET = 30.0
"""Seconds. Scanners on Windows hold a new file for a few seconds; a `.nfs` name lasts as long as its reader."""

_FIRST_PAUSE = 0.002
_LONGEST_PAUSE = 1.0


def retry(
    operation: Callable[[], T],
    *,
    what: str,
    budget: float,
    sink: EventSink,
    passing: Callable[[OSError], bool] = is_passing,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """Call *operation* until it succeeds, and return its result.

    :param what: the operation and its path, for `Retried` events, such as ``rename /a to /b``.
    :param budget: seconds after which no further try begins; 0 means a single try.
    :param passing: whether an error may go away by itself.
    :raises OSError: one that does not pass, at once; or the last one when the budget is used up.
    """
    deadline = clock() + budget
    for pause in pauses():
        try:
            return operation()
        except OSError as error:
            left = deadline - clock()
            if left <= 0 or not passing(error):
                raise
            wait = min(pause, left)
            sink(Retried(operation=what, reason=error.strerror or str(error), pause=wait))
            sleep(wait)
    raise AssertionError("the pauses never end")


def pauses() -> Iterator[float]:
    """Yield waiting times in seconds without end, growing, and random so that waiters do not march in step."""
    pause = _FIRST_PAUSE
    while True:
        yield pause * random.uniform(0.5, 1.0)  # noqa: S311 - spreads waiters, keeps no secret
        pause = min(pause * 2, _LONGEST_PAUSE)
