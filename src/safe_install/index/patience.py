"""How long one network operation is tried again, and how long the pauses are."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

from ..errors import NetworkError
from ..events import Retried

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..events import EventSink

# Half a second lets a restarting proxy come back; ten is as long as a person at a log should see nothing.
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 10.0


class PassingError(Exception):
    """Something failed that may go away by itself.

    :param error: what to raise when it does not.
    :param reason: in a few words, for `Retried` events.
    :param retry_after: seconds that the server asks to wait, when it does.
    """

    def __init__(self, error: NetworkError, *, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.error = error
        self.reason = reason
        self.retry_after = retry_after


class Patience:
    """The pauses of one operation: growing, random, and within a budget.

    The budget counts from the first failure, so a long download that breaks near its end still has all of it, and
    starts anew when the operation got further (`progressed`).

    :param what: the operation, for events and errors.
    :param budget: seconds; 0 allows no second try.
    :param sleep: waits so many seconds; may raise to end the waiting.
    """

    def __init__(
        self,
        what: str,
        *,
        budget: float,
        sink: EventSink,
        sleep: Callable[[float], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._what = what
        self._budget = budget
        self._sink = sink
        self._sleep = sleep
        self._clock = clock
        self._tries = 1
        self._pause = _FIRST_PAUSE
        self._deadline: float | None = None

    def progressed(self) -> None:
        """Note that the last try was not in vain."""
        self._deadline = None
        self._pause = _FIRST_PAUSE

    def wait(self, failure: PassingError) -> None:
        """Pause before the next try.

        :raises NetworkError: there will be none: the budget is used up, or the server asks for a longer pause.
        """
        if self._deadline is None:
            self._deadline = self._clock() + self._budget
        left = self._deadline - self._clock()
        asked = failure.retry_after or 0.0
        if left <= 0 or asked > left:
            raise self._given_up(failure, asked if asked > left else 0.0)
        # Random, so that jobs that failed together do not come back together.
        pause = min(max(asked, self._pause * random.uniform(0.5, 1.0)), left)  # noqa: S311  # no secret
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)
        self._sink(Retried(operation=self._what, reason=failure.reason, pause=pause))
        self._tries += 1
        self._sleep(pause)

    def _given_up(self, failure: PassingError, asked: float) -> NetworkError:
        facts = list(failure.error.context)
        if self._tries > 1:
            facts.append(f"tried {self._tries} times, within a retry budget of {self._budget:g} s")
        if asked:
            facts.append(
                f"the server asks to wait {asked:.0f} s, longer than the retry budget of {self._budget:g} s allows"
            )
        return NetworkError(
            failure.error.message, code=failure.error.code, context=tuple(facts), hint=failure.error.hint
        )
