"""What one call shares: store, scratch, index client, target interpreter. Each is opened when it is first needed.

A warm `sync` therefore opens no index client and imports no HTTP library.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import tempfile
import threading
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..fs.scratch import Scratch
from ..interruption import shielded
from ..models import Digest
from ..store.layout import TREE_BUCKETS, Layout
from ..store.leases import OwnLease, OwnLeases, keep_for_environment
from ..store.room import Room
from .indexes import FileOptions, IndexDefaults, index_settings
from .interpreters import InterpreterCache
from .jobs import Cancellation
from .layers import Layers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from ..events import EventSink
    from ..index.client import IndexClient
    from ..install.skeleton import Skeleton
    from ..models import FormatControl, Interpreter
    from ..resolve.requirement import WantedRequirement
    from ..settings import Settings
    from ..store.chain import Chain
    from ..store.flight import Flights


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What the process was started in. The command line reads it; nothing below looks for itself.

    :param folder: the working folder, absolute.
    :param python: the interpreter that runs us.
    :param cache_dir: the store when no setting names one.
    :param index_defaults: what pip is configured for.
    :param job: the URL of this job, told to those who wait for it.
    """

    variables: Mapping[str, str] = field(repr=False)
    folder: Path
    python: str
    cache_dir: Path
    index_defaults: IndexDefaults = field(default_factory=IndexDefaults)
    job: str | None = None


class Session:
    """A context manager; at its end the scratch folder is gone and every connection closed.

    :param store: the layers, when they are not those of the settings.
    """

    def __init__(
        self, settings: Settings, surroundings: Surroundings, sink: EventSink, *, store: Chain | None = None
    ) -> None:
        if store is not None:
            self._store = store
        self.settings = settings
        self.surroundings = surroundings
        self.sink = sink
        self.cancellation = Cancellation()
        self._file_options = FileOptions()
        self._stack = ExitStack()
        self._opening = threading.RLock()
        self._stops: list[Callable[[], None]] = []

    def __enter__(self) -> Self:
        self._stack.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            # Also after a failure: what was published is whole, and saves the next job the work.
            if error is None or isinstance(error, Exception):
                self._layers.promote()
            if error is None and self.settings.auto_gc:
                self._tidy()
        finally:
            self._close(kind, error, trace)

    def _tidy(self) -> None:
        from .cleanup import tidy_after_job

        for layout in self._layers.writable:
            tidy_after_job(self.settings, layout, self.sink, job=self.job)

    @shielded
    def _close(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.cancellation.cancel()
        self._stack.__exit__(kind, error, trace)

    @property
    def store(self) -> Chain:
        """The layers. Errors as `Layers.open`."""
        with self._opening:
            return self._store

    @functools.cached_property
    def _store(self) -> Chain:
        self._stack.callback(self._layers.close)
        chain = self._layers.open()
        chain.claim = self._claim
        chain.room = Room(chain.first.layout, job=self.job, sink=self.sink)
        return chain

    def _claim(self, bucket: str, digest: Digest) -> None:
        """Lease an entry in every store that it may be in."""
        layouts = self._layers.writable
        is_tree = bucket in TREE_BUCKETS
        self.lease.use(each.tree(bucket, digest) if is_tree else each.file(digest) for each in layouts)

    @functools.cached_property
    def _layers(self) -> Layers:
        return Layers(self.settings, self.surroundings.cache_dir, job=self.job, sink=self.sink)

    @property
    def lease(self) -> OwnLeases:
        """Where this process tells which entries it uses."""
        with self._opening:
            return self._lease

    @functools.cached_property
    def _lease(self) -> OwnLeases:
        layouts = {Layout(self.store.root), *self._layers.writable}
        lease = OwnLeases(OwnLease(each, job=self.job, sink=self.sink) for each in layouts)
        self._stack.callback(lease.close)
        return lease

    def keep_for(self, environment: str, entry: Path) -> None:
        """Have *entry* kept as long as *environment* exists, where that can be written."""
        for layout in {Layout(self.store.root), *self._layers.writable}:
            if entry.is_relative_to(layout.root):
                keep_for_environment(layout, [entry], environment)

    @functools.cached_property
    def flights(self) -> Flights:
        """Single flights in the store that is written to."""
        from ..store.flight import Flights

        return Flights(
            Layout(self.store.root),
            timeout=self.settings.lock_timeout,
            job=self.job,
            sink=self.sink,
            check=self.cancellation.check,
        )

    @property
    def job(self) -> str | None:
        """The URL of this job."""
        return self.surroundings.job

    @property
    def scratch(self) -> Scratch:
        """This process's scratch folder; made at the first use."""
        with self._opening:
            return self._scratch

    @functools.cached_property
    def _scratch(self) -> Scratch:
        scratch = Scratch(self.settings.scratch, sink=self.sink)
        # Registered first, so that Ctrl-C finds it from its first moment on.
        self._stack.push(scratch)
        scratch.__enter__()
        # What libraries make in the system's temporary folder and leave there, for Ctrl-C, goes with the rest.
        self._stack.callback(setattr, tempfile, "tempdir", tempfile.tempdir)
        tempfile.tempdir = str(scratch.root)
        return scratch

    @property
    def index(self) -> IndexClient:
        """The index client; imports the HTTP library."""
        with self._opening:
            return self._index

    @functools.cached_property
    def _index(self) -> IndexClient:
        from ..index.client import IndexClient

        values = index_settings(self.settings, self.surroundings, self._file_options)
        client = IndexClient(values, self.store, self.sink, flights=lambda: self.flights)
        self._stack.callback(client.close)
        return client

    @property
    def file_options(self) -> FileOptions:
        """The options of all requirements files that were read."""
        return self._file_options

    def add_file_options(self, options: FileOptions) -> None:
        """Let the options of a requirements file count; only before `index` is used for projects."""
        self._file_options = self._file_options.joined(options)

    def read_url(self, url: str) -> bytes:
        """Read a requirements file over HTTP, before it is known which indexes there are.

        :raises NetworkError: it could not be read.
        """
        from ..index.client import IndexClient

        client = IndexClient(index_settings(self.settings, self.surroundings, FileOptions()), None, self.sink)
        with contextlib.closing(client):
            return client.read_url(url)

    @property
    def format_control(self) -> FormatControl:
        """``--only-binary`` and ``--no-binary`` of settings and requirements files together."""
        both = dataclasses.replace(
            self.settings,
            only_binary=(*self._file_options.only_binary, *self.settings.only_binary),
            no_binary=(*self._file_options.no_binary, *self.settings.no_binary),
        )
        return both.format_control

    @functools.cached_property
    def interpreters(self) -> InterpreterCache:
        """Answers of interpreters, cached in the store."""
        return InterpreterCache(self.store, self.surroundings)

    def interpreter(self, request: str | None) -> Interpreter:
        """Return the interpreter that *request* means (see `InterpreterCache.find`)."""
        return self.interpreters.find(request)

    def skeleton(self, interpreter: Interpreter) -> Skeleton | None:
        """Return what a new environment of *interpreter* holds (see `InterpreterCache.skeleton`)."""
        return self.interpreters.skeleton(interpreter, lambda: self.scratch)

    @functools.cached_property
    def app_data(self) -> Path:
        """Where the virtualenv library may keep notes: in scratch."""
        with self._opening:
            return self._scratch.folder("virtualenv")

    @functools.cached_property
    def build_constraints(self) -> Sequence[WantedRequirement]:
        """What ``--build-constraint`` says. Errors as `read_build_constraints`."""
        from .inputs import read_build_constraints

        return tuple(read_build_constraints(self))

    @functools.cached_property
    def build_constraint_digests(self) -> tuple[Digest, ...]:
        """What narrows the choice of build requirements, for the build key."""
        texts = [str(each) for each in self.build_constraints]
        if self.settings.exclude_newer is not None:
            texts.append(f"exclude-newer {self.settings.exclude_newer.isoformat()}")
        return tuple(Digest(hashlib.sha256(text.encode()).hexdigest()) for text in texts)

    @contextlib.contextmanager
    def stoppable(self, stop: Callable[[], None]) -> Iterator[None]:
        """Let `stop` of this session call *stop* as long as the body runs; at once where it has come already."""
        with self._opening:
            self._stops.append(stop)
        if self.cancellation.is_asked_for:
            stop()
        try:
            yield
        finally:
            with self._opening:
                self._stops.remove(stop)

    def stop(self) -> None:
        """End what blocks worker threads: called when one of them failed."""
        self.cancellation.cancel()
        with self._opening:
            stops = list(self._stops)
        for stop in stops:
            stop()
        client = self.__dict__.get("_index")
        if client is not None:
            client.close()
