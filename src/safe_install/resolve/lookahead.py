"""Read index pages and metadata ahead of the resolver, so that their requests overlap.

The resolver walks one step at a time and would wait for each answer. Here every project that comes into sight is
read at once: its page, the metadata of the version that will most likely be taken, and so on down the graph. What
was guessed wrongly costs a request and changes nothing: answers are the same whoever asked first. Nothing is ever
built on a guess.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence
    from types import TracebackType
    from typing import Self

    from packaging.utils import NormalizedName

    from ..models import CoreMetadata, DirectSource, RemoteFile
    from ..protocols import MetadataSource

_T = TypeVar("_T")
# Requests under way at a time. They wait for the network, not for the processor.
_WORKERS = 16


class _Once(Generic[_T]):
    """A call that is made by whoever needs it first; the others wait for its answer, or get its error."""

    def __init__(self, call: Callable[[], _T]) -> None:
        self._call = call
        self._lock = threading.Lock()
        self._answer: tuple[_T] | None = None
        self._error: Exception | None = None

    def __call__(self) -> _T:
        with self._lock:
            if self._error is not None:
                raise self._error
            if self._answer is None:
                try:
                    self._answer = (self._call(),)
                except Exception as error:
                    self._error = error
                    raise
            return self._answer[0]


class Lookahead:
    """A `MetadataSource` that answers each question once and reads ahead in threads. Use as a context manager.

    Leaving it drops guesses that have not begun, and after a normal end waits for those that have.
    """

    def __init__(self, source: MetadataSource) -> None:
        self._source = source
        self._answers: dict[Hashable, _Once[object]] = {}
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="lookahead")
        self._closing = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._closing = True
        # After an error nobody should have to wait for the slowest guess.
        self._pool.shutdown(wait=error is None, cancel_futures=True)

    def answer(self, key: Hashable, call: Callable[[], _T]) -> _T:
        """Return what *call* returned when *key* was first asked for; raise what it raised."""
        with self._lock:
            once = self._answers.setdefault(key, _Once(call))
        return once()  # type: ignore[return-value]  # one key, one type

    def knows(self, key: Hashable) -> bool:
        """Whether *key* was asked for, by whomever."""
        with self._lock:
            return key in self._answers

    def files(self, name: NormalizedName) -> Sequence[RemoteFile]:
        """The files that the indexes offer for a project."""
        return self.answer(("files", name), lambda: self._source.files(name))

    def metadata(self, name: NormalizedName, file: RemoteFile) -> CoreMetadata:
        """The metadata of a file; errors as `MetadataSource.metadata`."""
        return self.answer(("metadata", file.url), lambda: self._source.metadata(name, file))

    def direct(self, key: Hashable, source: DirectSource) -> tuple[DirectSource, CoreMetadata]:
        """The metadata of a direct source. :param key: what makes two direct sources the same."""
        return self.answer(("direct", key), lambda: self._source.direct_metadata(source))

    def prefetch(self, names: Iterable[NormalizedName]) -> None:
        """Let the source begin with pages that nobody asked for yet."""
        if fresh := [name for name in names if not self.knows(("files", name))]:
            self._source.prefetch(fresh)

    def in_background(self, task: Callable[[], object]) -> None:
        """Run *task* in a thread; its errors come up again, or not, when somebody needs the answer."""
        if not self._closing:
            try:
                self._pool.submit(self._run, task)
            except RuntimeError:
                return  # shut down between the two lines

    def _run(self, task: Callable[[], object]) -> None:
        if self._closing:
            return
        try:
            task()
        except Exception:  # noqa: BLE001 - a guess may fail in any way that the real question may
            return
