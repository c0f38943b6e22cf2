"""Probe places, each in a process of its own with a deadline, and leave nothing behind.

A call on a file system whose server does not answer may hang for ever, in a way that no signal ends. So nothing here
touches a place itself: children do, are killed when they take too long, and others remove what they made. One that
cannot be killed is left to the kernel; it ends when the server answers.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from ..interruption import shielded
from ._system import leave_group
from .child import command
from .facts import STEPS, LinkTrial, PlaceFacts, read_facts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from ..models import LinkMode
    from .facts import Role

# Seconds for removing what a child made that was stopped.
_REMOVAL = 5.0


class Examination:
    """A context manager within which places are probed; at its end, however it comes, nothing of the probes is left.

    :param deadline: seconds that each call of `places` and `links` may take in all.
    """

    def __init__(self, *, deadline: float) -> None:
        self._deadline = deadline
        self._children: list[_Child] = []
        self.left: list[str] = []
        """What could not be removed, with its reason."""

    def __enter__(self) -> Self:
        return self

    @shielded
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def places(self, wanted: Mapping[str, frozenset[Role]], *, untouched: frozenset[Role]) -> list[PlaceFacts]:
        """Return what can be said of each place: an absolute path, and what it is for.

        :param untouched: in places that have these roles alone nothing is made, not for a moment.
        """
        children = [
            self._start(do="place", path=path, roles=sorted(role.value for role in roles), write=not roles <= untouched)
            for path, roles in wanted.items()
        ]
        self._wait()
        return [_place(path, wanted[path], child) for path, child in zip(wanted, children, strict=True)]

    def links(
        self, layers: Sequence[tuple[str, str]], environment: str, *, mode: LinkMode, own_files: bool
    ) -> list[LinkTrial]:
        """Return how files get from each layer, given with a file of an entry, into the environment.

        A layer for which that took too long is left out.

        :param own_files: as in `Linker`.
        """
        children = [
            self._start(
                do="links",
                layer=layer,
                sample=sample,
                environment=environment,
                mode=mode.value,
                own_files=own_files,
                budget=self._deadline / 4,
            )
            for layer, sample in layers
        ]
        self._wait()
        return [
            read_facts(LinkTrial, message["facts"])
            for child in children
            for message in child.messages
            if message.get("step") == "links"
        ]

    @shielded
    def _start(self, **request: object) -> _Child:
        child = _Child(request)
        self._children.append(child)
        return child

    def _wait(self) -> None:
        end = time.monotonic() + self._deadline
        for child in self._children:
            child.wait(end)
        self._end()

    @shielded
    def _end(self) -> None:
        """Stop whoever still runs, and remove what they have not removed themselves."""
        children, self._children = self._children, []
        for child in children:
            child.kill()
        removers = [_Child({"do": "remove", "path": path}) for child in children for path in child.leavings()]
        end = time.monotonic() + _REMOVAL
        for remover in removers:
            remover.wait(end)
            remover.kill()
            if not remover.has_removed():
                self.left.append(remover.request["path"])


class _Child:
    """One process of `child`, and what it has told so far."""

    def __init__(self, request: dict[str, Any]) -> None:
        self.request = request
        self.messages: list[dict[str, Any]] = []
        self.is_late = False
        """Whether it had to be stopped."""
        # A Ctrl-C of a terminal does not reach it: who started it decides when it ends.
        self._process = subprocess.Popen(
            command(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            **leave_group(),  # type: ignore[call-overload]  # options of one platform
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        assert self._process.stdin is not None
        with contextlib.suppress(OSError), self._process.stdin as pipe:
            pipe.write(json.dumps(request).encode() + b"\n")

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with contextlib.suppress(ValueError):  # a line that was cut off
                self.messages.append(json.loads(line))

    def wait(self, end: float) -> None:
        """Wait until it has told everything, or until *end* by the monotonic clock."""
        while self._reader.is_alive() and (left := end - time.monotonic()) > 0:
            # Windows lets nobody interrupt a longer wait.
            self._reader.join(min(left, 0.2))
        self.is_late = self._reader.is_alive()

    def kill(self) -> None:
        """End it, and the second process that it may have started; one that the kernel holds stays."""
        if sys.platform == "win32":
            self._process.kill()  # the second one ends when nobody tells it anything any more
        else:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=0.5)
        self._reader.join(timeout=0.5)
        if not self._reader.is_alive() and self._process.stdout is not None:
            self._process.stdout.close()

    def leavings(self) -> list[str]:
        """The folders that it made, or was about to make, and did not remove."""
        removed = {message.get("removed") for message in self.messages}
        return [message["folder"] for message in self.messages if message.get("folder") not in {None, *removed}]

    def has_removed(self) -> bool:
        """Whether it has told that what it was to remove is gone."""
        return any("removed" in message for message in self.messages)


def _place(path: str, roles: frozenset[Role], child: _Child) -> PlaceFacts:
    parts: dict[str, Any] = {}
    failed = []
    begun = "where"
    for message in child.messages:
        begun = message.get("begin", begun)
        if "facts" in message:
            parts[message["step"]] = read_facts(STEPS[message["step"]], message["facts"])
        elif "failed" in message:
            failed.append(f"{message['step']}: {message['failed']}")
    finished = any("removed" in message or "kept" in message or "done" in message for message in child.messages)
    if not finished and not child.is_late:
        failed.append(f"{begun}: its process ended too early")
    hung = begun if child.is_late and not finished else ""
    return PlaceFacts(path=path, roles=roles, **parts, hung=hung, failed=tuple(failed))
