"""Make one system call fail, for one path, once; or do something just before it.

The call itself is the real one before and afterwards, so a fault test stays true when the code is rearranged.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from unittest import mock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType


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

    :param action: may raise, and then the call is not made. :param times: None for every call.
    """
    real = getattr(module, call)
    fault = Fault()

    def replacement(*arguments: Any, **keywords: Any) -> Any:
        place = _paths(arguments, keywords)
        if path in place and (times is None or len(fault.hits) < times):
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
    """All paths of a call in one text; descriptors are turned back into paths where the system can tell."""
    found = []
    for value in (*arguments, *keywords.values()):
        if isinstance(value, (str, os.PathLike)):
            found.append(os.fspath(value))
        elif isinstance(value, int) and not isinstance(value, bool):
            with contextlib.suppress(OSError):
                found.append(os.readlink(f"/proc/self/fd/{value}"))
    return "\n".join(str(text) for text in found)
