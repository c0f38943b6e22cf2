"""Entries that vanish from the store while they are used: found or made again, once (design promise 9).

Between finding an entry and linking its files somebody may clean the store up, with a release that knows no leases, by
hand, or because our lease could not be written. Where that is noticed, `entry_vanished` is raised, with everything as
it was before; whoever can get the entry again does so with `survive_vanishing`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from ..errors import StoreError
from ..events import SteppedDown

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ..events import EventSink

T = TypeVar("T")

# The second one: a file of the entry is missing or cannot be read. Checking it again tells what is the matter.
_CODES = frozenset({"entry-vanished", "entry-damaged"})


def entry_vanished(path: Path) -> StoreError:
    """Return the error for an entry that was there a moment ago."""
    return StoreError(
        f"{path} is gone from the store, where it was a moment ago",
        code="entry-vanished",
        hint="run the command again; somebody may have cleaned the store",
    )


def is_vanishing(error: StoreError) -> bool:
    """Whether *error* says that an entry vanished, or was damaged, while it was used."""
    return error.code in _CODES


def survive_vanishing(work: Callable[[], T], sink: EventSink) -> T:
    """Return ``work()``, called a second time when the first found that an entry vanished.

    :param work: looks everything up anew each time.
    """
    try:
        return work()
    except StoreError as error:
        if not is_vanishing(error):
            raise
        sink(SteppedDown(kind="entry-vanished", message=f"{error.message}; it is got again"))
    return work()
