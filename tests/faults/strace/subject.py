"""``subject.py PROCESS ARGUMENT…``: ``ci-install`` with the same names of its own in every run, so that a call of one run is found again in the next.

Nothing else is different from the command: what is random comes from a fixed series, names that tell whose they are
tell of the process that makes the runs, and notes of what was hashed do without the inode. Each thread draws from a series of its own, since threads may take turns
in another order.
"""

from __future__ import annotations

import hashlib
import itertools
import runpy
import secrets
import sys
import tempfile
import threading
from collections import defaultdict
from typing import TYPE_CHECKING

from safe_install.locks import processes
from safe_install.store.boot_notes import Notes

if TYPE_CHECKING:
    from collections.abc import Iterator


class Series:
    """Texts that look random."""

    def __init__(self) -> None:
        self._counts: defaultdict[str, Iterator[int]] = defaultdict(itertools.count)

    def token_hex(self, nbytes: int | None = None) -> str:
        """What `secrets.token_hex` is replaced by."""
        thread = threading.current_thread().name
        text = f"{thread} {next(self._counts[thread])}"
        return hashlib.sha512(text.encode()).hexdigest()[: 2 * (nbytes or 32)]

    def __iter__(self) -> Series:
        return self

    def __next__(self) -> str:
        return self.token_hex(4)


if __name__ == "__main__":
    secrets.token_hex = Series().token_hex
    # What `tempfile` draws its names from; a module-wide variable since Python 2.3.
    tempfile._name_sequence = Series()  # type: ignore[attr-defined]  # private, as there is no public way
    tag = processes._own_tag(int(sys.argv.pop(1)))
    vars(processes)["_own_tag"] = lambda _number: tag
    add, has = Notes.add, Notes.has
    Notes.add = lambda self, name: add(self, name.partition("-")[0])  # type: ignore[method-assign]
    Notes.has = lambda self, name: has(self, name.partition("-")[0])  # type: ignore[method-assign]
    runpy.run_module("safe_install", run_name="__main__", alter_sys=True)
