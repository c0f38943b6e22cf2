"""A value that is computed at the first need, and once for all threads."""

from __future__ import annotations

import copy
import threading
from typing import TYPE_CHECKING, Generic, TypeVar

from ..errors import SafeInstallError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Once(Generic[T]):
    """Holds what *make* returns, or the named error that it raised.

    An error is kept too: what failed for its whole retry budget is not tried again for the next who asks.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._result: tuple[T] | None = None
        self._error: SafeInstallError | None = None

    def get(self) -> T:
        """Return the value; who asks while it is being made waits.

        :raises SafeInstallError: what *make* raised, as a new object for each caller.
        """
        with self._lock:
            if self._result is None and self._error is None:
                try:
                    self._result = (self._make(),)
                except SafeInstallError as error:
                    self._error = error
            if self._result is not None:
                return self._result[0]
            assert self._error is not None
            raise copy.copy(self._error) from self._error.__cause__

    def settle(self) -> None:
        """Make the value now; an error waits for who asks for it."""
        try:
            self.get()
        except SafeInstallError:
            pass  # remembered
