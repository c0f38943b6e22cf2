"""Which process did something, and whether it still runs."""

from __future__ import annotations

import functools
import hashlib
import os
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from ..fs._system import birth_of, host_name, machine_name

if TYPE_CHECKING:
    from collections.abc import Mapping

# Larger numbers are no process anywhere, and some systems refuse to be asked.
_MOST_PROCESSES = 1 << 31
_TAG = re.compile(r"(?P<machine>[0-9a-f]{12})-(?P<pid>[0-9]+)-(?P<born>[0-9]*)")


class Process(NamedTuple):
    """A process of any host.

    :param machine: within which its number means something (`machine_name`).
    :param born: when it began (`birth_of`): numbers are used again.
    """

    host: str
    machine: str
    pid: int
    born: str

    @classmethod
    def this(cls) -> Process:
        """The process that runs this."""
        number = os.getpid()
        return cls(host_name(), machine_name(), number, birth_of(number) or "")

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Process:
        """Read what `to_json` wrote.

        :raises ValueError, KeyError, TypeError: it is something else.
        """
        return cls(str(document["host"]), str(document["machine"]), int(document["pid"]), str(document["born"]))

    def to_json(self) -> dict[str, object]:
        """Its parts for a JSON document."""
        return self._asdict()

    def is_gone(self) -> bool:
        """Whether it has ended for certain; False for one of another machine or container, of which we know nothing."""
        born = self._born_now()
        return born is None or bool(born and self.born and born != self.born)

    def has_left_its_number(self) -> bool:
        """Whether it has ended for certain, and no later process has its number."""
        return self._born_now() is None

    def _born_now(self) -> str | None:
        if self.machine != machine_name() or not 0 < self.pid < _MOST_PROCESSES:
            return ""
        return birth_of(self.pid)

    def __str__(self) -> str:
        return f"pid {self.pid} on {self.host}"


def own_tag() -> str:
    """Return what goes into names of files to tell that this process made them.

    Names need something random besides: containers share numbers.
    """
    return _own_tag(os.getpid())


@functools.lru_cache(maxsize=1)
def _own_tag(number: int) -> str:
    born = birth_of(number) or ""
    return f"{_machine_tag()}-{number}-{born if born.isascii() and born.isdigit() else ''}"


def is_tag_of_the_dead(tag: str) -> bool:
    """Whether *tag* is of a process of this machine that has ended for certain."""
    match = _TAG.fullmatch(tag)
    if match is None or match["machine"] != _machine_tag():
        return False
    return Process(host_name(), machine_name(), int(match["pid"]), match["born"]).is_gone()


def _machine_tag() -> str:
    return hashlib.sha256(machine_name().encode("utf-8", "surrogateescape")).hexdigest()[:12]
