"""A clean-up in which one system call goes wrong: it fails, or is the last one of the process.

As a module: ``python -m helpers.broken_gc STORE N`` removes everything that is not in use, and kills itself at the N-th
call that concerns what it removes; its exit code is 0 when there are fewer.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from safe_install.events import ignore
from safe_install.store.gc import Collection, Limits, collect
from safe_install.store.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CALLS = ("chmod", "listdir", "lstat", "mkdir", "open", "rename", "rmdir", "scandir", "stat", "unlink")
# The folders of the buckets are listed and looked at a thousand times, which tells nothing new.
PLACES = ("/trash", "/staging", "/leases", "/jobs", "/wheels-1/", "/logs")


class Counter:
    """How many calls were seen. :param position: of the one at which *action* is called; the first is 0."""

    def __init__(self, position: int, action: Callable[[], None]) -> None:
        self.seen = 0
        self._position = position
        self._action = action

    def note(self, arguments: tuple[Any, ...]) -> None:
        place = " ".join(os.fspath(each) for each in arguments if isinstance(each, (str, Path)))
        if any(each in place for each in PLACES) and not place.endswith(tuple(f"/{n:02x}" for n in range(256))):
            self.seen += 1
            if self.seen == self._position + 1:
                self._action()


@contextlib.contextmanager
def counted(position: int, action: Callable[[], None], calls: tuple[str, ...] = CALLS) -> Iterator[Counter]:
    """Call *action* just before the call at *position*; it may raise, and then that call is not made."""
    counter = Counter(position, action)
    with contextlib.ExitStack() as stack:
        for name in calls:
            real = getattr(os, name)

            def replacement(*arguments: Any, _real: Any = real, **keywords: Any) -> Any:
                counter.note(arguments)
                return _real(*arguments, **keywords)

            stack.enter_context(mock.patch.object(os, name, replacement))
        yield counter


def collect_all(root: Path) -> Collection:
    return collect(Layout(root), Limits(max_size=0), lock_timeout=0, sink=ignore)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    with counted(int(sys.argv[2]), _die):
        collect_all(Path(sys.argv[1]))
