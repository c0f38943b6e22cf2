"""Look at a file or folder of a store that another process, or another host, may have made a moment ago."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from ..fs._system import revalidate, system_path
from ..fs.failures import explain
from ..fs.retry import retry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ..events import EventSink

T = TypeVar("T")


def look(path: Path, load: Callable[[Path], T | None], *, budget: float, sink: EventSink) -> T | None:
    """Load what is at *path*; once more, after the folders were opened, when it seems not to be there (NFS).

    :param budget: seconds for errors that pass.
    :raises StoreError: it is there, perhaps, but cannot be read.
    """

    def attempt() -> T | None:
        try:
            return load(path)
        except FileNotFoundError:
            revalidate(system_path(path.parent))
            revalidate(system_path(path))
        try:
            return load(path)
        except FileNotFoundError:
            return None

    try:
        return retry(attempt, what=f"read {path}", budget=budget, sink=sink)
    except OSError as error:
        raise explain(error, doing="read an entry of the store", path=path) from error
