"""Signs of life: one thread that does something small every few seconds, for as long as work goes on."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Pulse:
    """Calls what was registered again and again, in one thread that lives as long as anything is registered."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew, as after a fork: the child has none of its parent's threads, but inherits their locks."""
        self._changed = threading.Condition()
        self._hearts: set[_Heart] = set()
        self._running = False

    @contextlib.contextmanager
    def beating(self, beat: Callable[[], None], *, interval: float) -> Iterator[None]:
        """Call *beat* every *interval* seconds, the first time after one of them, while the body runs.

        It is not called any more when the body has ended. What fails with an `OSError` is tried again next time.

        :param beat: quick; one that hangs holds up all others.
        """
        heart = _Heart(beat, interval)
        with self._changed:
            self._hearts.add(heart)
            if not self._running:
                self._running = True
                threading.Thread(target=self._run, name="safe-install-pulse", daemon=True).start()
            self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                self._hearts.discard(heart)
                self._changed.notify()
            heart.stop()

    def _run(self) -> None:
        while True:
            with self._changed:
                while self._hearts and (pause := min(heart.due for heart in self._hearts) - time.monotonic()) > 0:
                    self._changed.wait(pause)
                if not self._hearts:
                    self._running = False
                    return
                now = time.monotonic()
                due = [heart for heart in self._hearts if heart.due <= now]
            for heart in due:
                heart.beat()


class _Heart:
    def __init__(self, beat: Callable[[], None], interval: float) -> None:
        self._beat = beat
        self._interval = interval
        self._lock = threading.Lock()
        self._stopped = False
        self.due = time.monotonic() + interval

    def beat(self) -> None:
        with self._lock:
            if not self._stopped:
                with contextlib.suppress(OSError):
                    self._beat()
        self.due = time.monotonic() + self._interval

    def stop(self) -> None:
        """Return when no call is under way, and none will follow."""
        with self._lock:
            self._stopped = True


PULSE = Pulse()
"""That of this process."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=PULSE.forget)
