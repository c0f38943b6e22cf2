"""``ci-install`` with the same names of its own in every run, so that a call of one run is found again in the next.

Nothing else is different from the command: what is random comes from a fixed series, and names that tell whose they
are tell of a process that has ended, as it will have when somebody reads them. Each thread draws from a series of its own, since threads may take turns
in another order.
"""

from __future__ import annotations

import hashlib
import itertools
import runpy
import secrets
import tempfile
import threading
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from safe_install.locks import processes

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
    machine, _, _ = processes.own_tag().split("-")
    gone = Path("/proc/sys/kernel/pid_max").read_text(encoding="ascii").strip()
    vars(processes)["_own_tag"] = lambda _number: f"{machine}-{gone}-1"
    runpy.run_module("safe_install", run_name="__main__", alter_sys=True)
