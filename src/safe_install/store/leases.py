"""Leases: which process uses which entries of a store, so that a clean-up leaves them (design promise 9).

::

    leases/<random>.jsonl     {"format": 1, "host": …, "machine": …, "pid": …, "born": …, "job": …, "expiry": 900}
                              {"entries": ["wheels-1/ab/abcdef…", …]}
                              {"environment": "/ci/.venv"}
    leases/env-<digest>.jsonl {"format": 1, "machine": …, "environment": "/ci/.venv", "expiry": 2592000, "entries": […]}

One file per process: a line for who it is, then one for each batch of entries that it begins to use. Its
modification time is its last sign of life, given by the clock of the file system and compared with the same clock
(`file_system_time`), so that the clocks of hosts may differ. It is removed when the process has done its work; of one
that was killed it stays until somebody who cleans up finds it dead. The last kind is that of an environment that refers
to entries: it is live as long as the environment exists, or where only another machine could tell, until it expires.

Nothing is right or wrong because of a lease: an entry that vanishes while it is used is found missing, and made again.
So a lease that cannot be written is no error, and one that cannot be read keeps nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..events import Noticed
from ..fs._system import CREATE, machine_name, revalidate, set_mode, system_path
from ..fs.atomic import write_atomically
from ..fs.filesystem import is_network
from ..fs.remove import remove_file
from ..fs.rights import ensure_folder, file_mode
from ..locks.processes import Process
from ..locks.pulse import PULSE
from .uses import record_uses

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ..events import EventSink
    from .layout import Layout

_FORMAT = 1
_ENDING = ".jsonl"
_BEAT_SECONDS = 60.0
_EXPIRY = 900.0
_ENVIRONMENT_EXPIRY = 30 * 86400.0
_REMOVAL_BUDGET = 1.0  # seconds that somebody may read it on Windows
"""Seconds after the last sign of life: many beats, since a host that is short of memory may stand still for minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A lease that was found.

    :param process: None when the file does not tell: it is damaged, or of another release.
    :param job: URL of the job.
    :param environment: what is made from the entries, when that is known.
    :param machine: of an environment that refers to its entries.
    :param entries: paths of entries relative to the store, with forward slashes.
    :param beaten: last sign of life, in seconds of the file system's clock.
    :param expiry: seconds after it.
    """

    path: Path
    process: Process | None
    job: str | None
    environment: str | None
    machine: str | None
    entries: frozenset[str]
    beaten: float
    expiry: float

    def is_live(self, now: float) -> bool:
        """Whether its entries should be left alone. :param now: from `file_system_time` of the same store."""
        if self.process is not None and self.process.is_gone():
            return False
        if self.machine is not None and self.machine == machine_name() and self.environment is not None:
            return os.path.lexists(system_path(self.environment))
        return now < self.beaten + self.expiry


class OwnLease:
    """The lease of this process on one store; safe to use from many threads.

    Nothing is written before `use` is called, and nothing raised when it cannot be.
    """

    def __init__(self, layout: Layout, *, job: str | None, sink: EventSink) -> None:
        self._layout = layout
        self._job = job
        self._sink = sink
        self._path = layout.leases / f"{secrets.token_hex(16)}{_ENDING}"
        self._lock = threading.Lock()
        self._known: set[str] = set()
        self._descriptor: int | None = None
        self._shared = False
        self._pulse = contextlib.ExitStack()
        self._closed = False

    def use(self, entries: Iterable[Path]) -> None:
        """Tell others that these entries are in use from now on, and note when. Those of other stores are left out."""
        with self._lock:
            names = {each.relative_to(self._layout.root).as_posix() for each in entries if self._is_ours(each)}
            new = sorted(names - self._known)
            if new:
                self._known.update(new)
                self._tell({"entries": new})
                record_uses(self._layout.root / name for name in new)

    def name_environment(self, root: str) -> None:
        """Tell for which environment the entries are used."""
        with self._lock:
            self._tell({"environment": root})

    def close(self) -> None:
        """Give the lease back; afterwards nothing is written any more."""
        with self._lock:
            self._closed = True
            self._pulse.close()
            if self._descriptor is not None:
                descriptor, self._descriptor = self._descriptor, None
                with contextlib.suppress(OSError):
                    os.close(descriptor)
                with contextlib.suppress(OSError):
                    remove_file(self._path, budget=_REMOVAL_BUDGET)

    def _is_ours(self, entry: Path) -> bool:
        return entry.is_relative_to(self._layout.root)

    def _tell(self, document: dict[str, object]) -> None:
        if self._closed:
            return
        try:
            if self._descriptor is None:
                self._descriptor = self._begin()
                self._shared = is_network(self._layout.leases)
            _write_line(self._descriptor, document)
            if self._shared:
                # Other hosts see what was written to an open file only once it was sent to the server.
                os.fsync(self._descriptor)
        except OSError as error:
            # A store that is read-only, or a full disk. The work needs no lease.
            self._closed = True
            self._sink(Noticed(message=f"no lease in {self._layout.root}: {error.strerror}", detail=True))

    def _begin(self) -> int:
        place = system_path(self._path)
        try:
            descriptor = os.open(place, CREATE, 0o600)
        except FileNotFoundError:
            # The store is of a release without leases.
            ensure_folder(self._layout.leases)
            descriptor = os.open(place, CREATE, 0o600)
        try:
            # Who cleans up is somebody else of those who share the store.
            set_mode(descriptor, file_mode(self._layout.leases))
            header = {"format": _FORMAT, **Process.this().to_json(), "job": self._job, "expiry": _EXPIRY}
            _write_line(descriptor, header)
        except BaseException:
            with contextlib.suppress(OSError):  # the error that is told is the first one
                os.close(descriptor)
            remove_file(place, budget=_REMOVAL_BUDGET)
            raise
        self._pulse.enter_context(PULSE.beating(self._beat, interval=_BEAT_SECONDS))
        return descriptor

    def _beat(self) -> None:
        # Without a time of ours: the server of a network file system puts its own.
        os.utime(system_path(self._path))


class OwnLeases:
    """The leases of this process on every store that it may write; each is told of its own entries alone."""

    def __init__(self, leases: Iterable[OwnLease]) -> None:
        self._leases = tuple(leases)

    def use(self, entries: Iterable[Path]) -> None:
        """As `OwnLease.use`."""
        folders = tuple(entries)
        for each in self._leases:
            each.use(folders)

    def close(self) -> None:
        """As `OwnLease.close`."""
        for each in self._leases:
            each.close()


def keep_for_environment(layout: Layout, entries: Iterable[Path], root: str) -> None:
    """Have *entries* kept as long as the environment at *root* exists. What cannot be written is left."""
    machine = machine_name()
    name = hashlib.sha256(f"{machine}\n{root}".encode("utf-8", "surrogateescape")).hexdigest()[:32]
    document = {
        "format": _FORMAT,
        "machine": machine,
        "environment": root,
        "expiry": _ENVIRONMENT_EXPIRY,
        "entries": sorted(each.relative_to(layout.root).as_posix() for each in entries),
    }
    data = json.dumps(document, separators=(",", ":")).encode() + b"\n"
    with contextlib.suppress(OSError):
        write_atomically(layout.leases / f"env-{name}{_ENDING}", data, mode=file_mode(layout.leases), exact=True)


def _write_line(descriptor: int, document: dict[str, object]) -> None:
    view = memoryview(json.dumps(document, separators=(",", ":")).encode() + b"\n")
    while view:
        view = view[os.write(descriptor, view) :]


def read_leases(layout: Layout) -> list[Lease]:
    """Return every lease of a store, live or not. One that vanishes meanwhile is left out."""
    folder = system_path(layout.leases)
    revalidate(folder)
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(_ENDING))
    except OSError:
        return []
    found = (read_lease(layout.leases / name) for name in names)
    return [lease for lease in found if lease is not None]


def file_system_time(layout: Layout) -> float:
    """Return the time, in seconds, that the store's file system gives to a file written now.

    :raises OSError: nothing can be written there.
    """
    place = system_path(layout.leases / f".{secrets.token_hex(8)}.now")
    ensure_folder(layout.leases)
    descriptor = os.open(place, CREATE, 0o600)
    try:
        try:
            os.write(descriptor, b"\n")
            return os.fstat(descriptor).st_mtime
        finally:
            os.close(descriptor)  # a server may tell only here that its disk is full
    finally:
        remove_file(place, budget=_REMOVAL_BUDGET)


def read_lease(path: Path) -> Lease | None:
    """Return one lease; None when it is gone or cannot be read."""
    try:
        with open(system_path(path), "rb") as file:
            beaten = os.fstat(file.fileno()).st_mtime
            lines = file.read().split(b"\n")[:-1]
    except OSError:
        return None
    process: Process | None = None
    facts: dict[str, object] = {}
    entries: set[str] = set()
    # What is after the last line end is half written, or was when its process was killed.
    for line in lines:
        try:
            document = json.loads(line)
            if "pid" in document:
                process = Process.of(document)
            entries.update(map(str, document.get("entries", ())))
            # The machine of a process is part of it.
            names = ("job", "environment", "expiry", *(() if "pid" in document else ("machine",)))
            facts |= {name: document[name] for name in names if document.get(name)}
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
    expiry = facts.get("expiry")
    return Lease(
        path=path,
        process=process,
        job=_text(facts.get("job")),
        environment=_text(facts.get("environment")),
        machine=_text(facts.get("machine")),
        entries=frozenset(entries),
        beaten=beaten,
        expiry=float(expiry) if isinstance(expiry, int | float) else _EXPIRY,
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)
