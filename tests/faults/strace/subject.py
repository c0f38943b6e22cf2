"""``subject.py PROCESS``: ``ci-install``, again and again, each time in a process of its own.

Starting Python and importing everything takes longer than most commands. So this process imports it once, and forks for each
request: a line of JSON on its standard input. The fork waits until it is told to go, so that a tracer can be attached first.
The answers are two lines, its number and how it ended.

In every run ``ci-install`` uses the same names of its own, so that a call of one run is found again in the next. Nothing else is
different from the command: what is random comes from a fixed series, names that tell whose they are tell of *PROCESS*, and
notes of what was hashed do without the inode. Each thread draws from a series of its own, since threads may take turns in
another order.
"""

from __future__ import annotations

import gc
import hashlib
import importlib
import itertools
import json
import os
import pkgutil
import runpy
import secrets
import sys
import tempfile
import threading
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import safe_install
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


def import_everything() -> None:
    """Import every module of ours, and with these what they use."""
    for module in pkgutil.walk_packages(safe_install.__path__, "safe_install."):
        if not module.name.endswith(("__main__", "windows")):
            importlib.import_module(module.name)
    importlib.import_module("virtualenv.run")


def use_fixed_names(process: int) -> None:
    """Replace what differs from run to run."""
    secrets.token_hex = Series().token_hex
    # What `tempfile` draws its names from; a module-wide variable since Python 2.3.
    tempfile._name_sequence = Series()  # type: ignore[attr-defined]  # private, as there is no public way
    tag = processes._own_tag(process)
    vars(processes)["_own_tag"] = lambda _number: tag
    add, has = Notes.add, Notes.has
    Notes.add = lambda self, name: add(self, name.partition("-")[0])  # type: ignore[method-assign]
    Notes.has = lambda self, name: has(self, name.partition("-")[0])  # type: ignore[method-assign]


def answer(number: int) -> None:
    """Send one line."""
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def serve() -> dict[str, Any] | None:
    """Answer requests until there are no more; return, in a fork, the request that it is for."""
    for line in sys.stdin:
        request: dict[str, Any] = json.loads(line)
        number = os.fork()
        if number == 0:
            return request
        answer(number)
        answer(os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]))
    return None


def become(request: dict[str, Any]) -> None:
    """Wait for the word, then be the process that was asked for."""
    # Opening waits for the other end to be opened, and reading for it to be closed.
    with open(request["go"], "rb") as go:
        go.read()
    for number, name, flags in ((0, "stdin", os.O_RDONLY), (1, "stdout", os.O_WRONLY), (2, "stderr", os.O_WRONLY)):
        descriptor = os.open(request[name], flags)
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115  # what was read ahead belongs to the server
    sys.argv[1:] = request["arguments"]


if __name__ == "__main__":
    import_everything()
    # What is never looked at again stays shared with the forks.
    gc.freeze()
    use_fixed_names(int(sys.argv.pop(1)))
    if (mine := serve()) is not None:
        become(mine)
        runpy.run_module("safe_install", run_name="__main__", alter_sys=True)
