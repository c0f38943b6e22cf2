"""Seeds: a store whose readers see exactly what one generation lists, and a pointer that says which (design section 4).

Reading needs no lock, no right to write and no database: the pointer is read once, then its generation. Changing a seed
needs its lock, which is never passed by: two who move the pointer at once would undo one another, and who collects
would remove what the other is about to list.

A generation is written and flushed before the pointer moves, and the pointer moves in one step. Whoever is killed
anywhere leaves the old generation current, and at most a list that nobody points to.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from typing import TYPE_CHECKING, TypeVar

from ..errors import InputError, StoreError
from ..events import ignore
from ..fs._system import system_path
from ..fs.atomic import write_atomically
from ..fs.failures import explain
from ..fs.retry import DEFAULT_BUDGET
from ..fs.rights import ensure_folder
from ..locks import hold
from ..models import Digest, Sharing
from .creation import create_store
from .generations import Pointer, Switch, decode_generation, decode_pointer
from .leases import file_system_time
from .looking import look
from .store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ..events import EventSink
    from .generations import Generation
    from .layout import Layout
    from .verify import Checks

T = TypeVar("T")

_GENERATION_FILE = re.compile(r"([0-9a-f]{64})\.json")


class Seed:
    """The generations of a seed, for whoever reads them. :param store: the pool, opened for reading or for writing."""

    def __init__(self, store: Store, *, retry_budget: float, sink: EventSink) -> None:
        self.store = store
        self._budget = retry_budget
        self._sink = sink

    @classmethod
    def open_for_reading(
        cls,
        root: Path,
        *,
        checks: Checks | None = None,
        retry_budget: float = DEFAULT_BUDGET,
        sink: EventSink = ignore,
    ) -> Seed:
        """Open a seed; nothing is written. Errors as `Store.open_for_reading`."""
        store = Store.open_for_reading(root, checks=checks, retry_budget=retry_budget, sink=sink)
        return cls(store, retry_budget=retry_budget, sink=sink)

    @property
    def root(self) -> Path:
        """Where it is, absolute."""
        return self.store.root

    @property
    def layout(self) -> Layout:
        """Where everything in it lies."""
        return self.store.layout

    def pointer(self) -> Pointer:
        """Return what the pointer says now.

        :raises StoreError: ``not-a-seed``: nothing was ever published there; ``seed-newer-format``.
        :raises IntegrityError: ``seed-damaged``.
        """
        pointer = self.pointer_if_any()
        if pointer is None:
            raise StoreError(
                f"the store at {self.root} is no seed: no generation was published there",
                code="not-a-seed",
                hint=f"publish one with `ci-install seed publish {self.root} FILE…`",
            )
        return pointer

    def pointer_if_any(self) -> Pointer | None:
        """Return what the pointer says now; None when nothing was ever published. Errors as `pointer`."""
        path = self.layout.current
        data = look(path, _read_bytes, budget=self._budget, sink=self._sink)
        return None if data is None else decode_pointer(data, path)

    def generation(self, digest: Digest) -> Generation:
        """Return one generation.

        :raises StoreError: ``generation-missing``, or see `decode_generation`.
        :raises IntegrityError: ``generation-damaged``.
        """
        path = self.layout.generation(digest)
        data = look(path, _read_bytes, budget=self._budget, sink=self._sink)
        if data is None:
            raise StoreError(
                f"the seed at {self.root} has no generation {digest}",
                code="generation-missing",
                hint=f"`ci-install seed list {self.root}` lists those that it has",
            )
        return decode_generation(data, digest, path)

    def current(self) -> Generation:
        """Return the current generation. Errors as `pointer` and `generation`."""
        digest = self.pointer().current
        while True:
            try:
                return self.generation(digest)
            except StoreError as error:
                # Replaced and collected between the two looks?
                if error.code != "generation-missing" or (now := self.pointer().current) == digest:
                    raise
                digest = now

    def generations(self) -> list[Digest]:
        """Return the names of all generations that are there, sorted."""
        try:
            names = os.listdir(system_path(self.layout.generations))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise explain(error, doing="list the generations of a seed", path=self.layout.generations) from error
        return sorted(Digest(match[1]) for match in map(_GENERATION_FILE.fullmatch, names) if match)

    def named(self, beginning: str) -> Digest:
        """Return the generation whose digest begins like this.

        :raises InputError: ``generation-missing`` or ``generation-ambiguous``.
        """
        found = [digest for digest in self.generations() if digest.startswith(beginning)]
        if len(found) == 1:
            return found[0]
        if not found:
            raise InputError(
                f"the seed at {self.root} has no generation {beginning}",
                code="generation-missing",
                hint=f"`ci-install seed list {self.root}` lists those that it has",
            )
        raise InputError(
            f"{len(found)} generations of the seed at {self.root} begin with {beginning}",
            code="generation-ambiguous",
            context=tuple(found),
            hint="give more characters",
        )

    def chosen(self, beginning: str | None) -> Digest:
        """Return the generation that is named, or the current one. Errors as `named` and `pointer`."""
        return self.pointer().current if beginning is None else self.named(beginning)


class WritableSeed(Seed):
    """A seed to be changed. What it needs is made when it is missing."""

    @classmethod
    def open(cls, root: Path, *, retry_budget: float = DEFAULT_BUDGET, sink: EventSink = ignore) -> WritableSeed:
        """Open or make a seed: one that everybody can read, where its folder is missing, or empty and open to all.

        Errors as `Store.open`.
        """
        if _is_open_to_all(root):
            create_store(root.absolute(), Sharing.PUBLIC, None, budget=retry_budget, sink=sink)
        return cls(Store.open(root, retry_budget=retry_budget, sink=sink), retry_budget=retry_budget, sink=sink)

    @contextlib.contextmanager
    def held(self, *, timeout: float) -> Iterator[None]:
        """Hold the seed's lock in the body: only there may `publish` and `point_to` be called.

        :param timeout: seconds after the holder's last sign of life.
        :raises LockTimeoutError: somebody else changes the seed.
        """
        place = self.layout.lock("seed")
        with hold(place, timeout=timeout, what=f"the seed {self.root}", sink=self._sink):
            yield

    def publish(self, generation: Generation) -> Digest:
        """Write *generation*, make it current and return its name. Its entries are in the store already.

        :raises StoreError: the old one is still current.
        """
        digest, path = generation.digest, self.layout.generation(generation.digest)
        try:
            ensure_folder(path.parent)
            # Also over one of this name: it may be damaged.
            write_atomically(
                path, generation.encode(), mode=0o444, exact=True, flush=True, budget=self._budget, sink=self._sink
            )
        except OSError as error:
            raise explain(error, doing="write a generation of the seed", path=path) from error
        self.point_to(digest)
        return digest

    def point_to(self, digest: Digest) -> None:
        """Make a generation that is there the current one, in one step. Errors as `publish`."""
        self.generation(digest)
        path = self.layout.current
        before = self.pointer_if_any()
        try:
            since = file_system_time(self.layout)
            after = before.then(digest, since) if before else Pointer((Switch(digest, since),))
            if after != before:
                write_atomically(
                    path, after.encode(), mode=0o444, exact=True, flush=True, budget=self._budget, sink=self._sink
                )
        except OSError as error:
            raise explain(error, doing="switch the generation of the seed", path=path) from error


def _is_open_to_all(root: Path) -> bool:
    """Whether a new seed at *root* is for everybody; its owner may have prepared a folder for fewer."""
    try:
        with os.scandir(system_path(root)) as found:
            return not any(found) and bool(os.stat(system_path(root)).st_mode & stat.S_IROTH)
    except FileNotFoundError:
        return True
    except OSError:
        return False


def _read_bytes(path: Path) -> bytes:
    with open(system_path(path), "rb") as file:
        return file.read()
