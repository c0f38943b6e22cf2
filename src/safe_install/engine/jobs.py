"""Run pieces of work side by side: bounded workers, the first error wins, the rest stop cleanly.

A piece of work may itself run pieces side by side (a build fetches its requirements). When one of those fails,
everything is stopped, and who was stopped fails as well, perhaps sooner; such errors never hide the one that caused
them.
"""

from __future__ import annotations

import threading
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, TypeVar, cast

from ..errors import SafeInstallError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")
R = TypeVar("R")

# How long the main thread sleeps before it can see Ctrl-C: on Windows an unlimited wait cannot be interrupted.
_LOOK_UP_SECONDS = 0.5
# Codes of those who were stopped by `Session.stop`.
_STOPPED = frozenset({"stopped", "build-cancelled"})


class Cancellation:
    """Tells workers to stop. A worker that finds it set raises `CancelledError`."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        """Ask every worker to stop at its next check."""
        self._event.set()

    @property
    def is_asked_for(self) -> bool:
        """Whether `cancel` was called."""
        return self._event.is_set()

    def check(self) -> None:
        """:raises CancelledError: `cancel` was called."""
        if self.is_asked_for:
            raise CancelledError


class CancelledError(Exception):
    """Somebody else failed first; this worker's result is no longer wanted."""


def run_all(
    work: Callable[[T], R], items: Sequence[T], *, workers: int, cancellation: Cancellation, stop: Callable[[], None]
) -> list[R]:
    """Return ``[work(item) for item in items]``, computed by up to *workers* threads.

    :param stop: called once when something failed, to end what blocks the workers (open connections, builds).
    :raises BaseException: the first error of any item, or KeyboardInterrupt. By then every worker has ended.
    """
    if len(items) <= 1 or workers == 1:
        return [work(item) for item in items]
    failed: list[BaseException] = []

    def note(future: Future[R]) -> None:
        if not future.cancelled() and (error := future.exception()) is not None:
            failed.append(error)

    futures: list[Future[R]] = []
    with ThreadPoolExecutor(max_workers=min(workers, len(items)), thread_name_prefix="safe-install") as pool:
        succeeded = False
        try:
            for item in items:
                futures.append(pool.submit(work, item))
                futures[-1].add_done_callback(note)
            succeeded = _wait_for(futures)
        finally:
            if not succeeded:
                cancellation.cancel()
                for future in futures:
                    future.cancel()
                stop()
    if failed:
        raise next((error for error in failed if not _was_stopped(error)), failed[0])
    return [future.result() for future in futures]


def _wait_for(futures: Sequence[Future[R]]) -> bool:
    """Return whether all succeeded, as soon as that is known."""
    pending = set(futures)
    while pending:
        done, pending = wait(pending, timeout=_LOOK_UP_SECONDS, return_when=FIRST_EXCEPTION)
        if any(future.exception() is not None for future in done):
            return False
    return True


def _was_stopped(error: BaseException) -> bool:
    return isinstance(error, CancelledError) or (isinstance(error, SafeInstallError) and error.code in _STOPPED)


class KeyedOnce:
    """Computes each key's value once; threads that ask meanwhile wait for it. Errors are not remembered."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._locks: dict[object, threading.Lock] = {}
        self._values: dict[object, object] = {}

    def get(self, key: object, compute: Callable[[], T], *, is_valid: Callable[[T], bool] | None = None) -> T:
        """Return the value of *key*, computing it when nobody did, or when what they got is not valid any more."""
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            if key not in self._values or (is_valid and not is_valid(cast("T", self._values[key]))):
                self._values[key] = compute()
            return cast("T", self._values[key])
