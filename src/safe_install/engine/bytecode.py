"""Have the bytecode of wheels in the store: compiled once for each kind of interpreter, by one of all jobs.

Python takes bytecode for that of a source file whose time and size it names, and the time of a file that is installed
follows from its content (design section 5). So what was compiled beside one copy is right beside all, and stops being
used as soon as a job edits the source. Which path a traceback shows is set when a module is imported.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..install.bytecode import Compiling, Source, bytecode_path, compile_sources
from ..models import Digest
from ..store.layout import BYTECODE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..install.placement import PreparedWheel
    from ..models import Interpreter
    from ..store.trees import TreeWriter, WheelTree
    from .session import Session

_FORMAT = 1
_OPTIMIZATION = 0
# Each has a lock while its sources are compiled, and each lock is an open file.
_MOST_AT_ONCE = 64
# What compiling makes of a source, at most; usually less than the source.
_GROWTH = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """Bytecode that is wanted. :param sources: the Python files of the wheel, relative to its tree."""

    tree: WheelTree
    key: Digest
    sources: Sequence[str]

    @property
    def what(self) -> str:
        """For those who wait for it."""
        return f"the bytecode of {self.tree.manifest.filename}"


def bytecode_key(wheel: Digest, interpreter: Interpreter) -> Digest:
    """Return the name of the bytecode of the wheel file with the SHA-256 *wheel*."""
    facts = [_FORMAT, wheel, interpreter.cache_tag, interpreter.magic_number, _OPTIMIZATION]
    return Digest(hashlib.sha256(json.dumps(facts).encode()).hexdigest())


class Bytecode:
    """That of one kind of interpreter."""

    def __init__(self, session: Session, interpreter: Interpreter) -> None:
        self._session = session
        self._interpreter = interpreter

    def prepare(self, wheels: Sequence[PreparedWheel]) -> list[PreparedWheel]:
        """Return *wheels* with their bytecode, which is compiled where it is missing; those without Python as they are.

        :raises TargetError: ``interpreter-broken``.
        :raises StoreError: it could not be written.
        """
        wanted = [self._wanted(each.tree) for each in wheels]
        found = [self._find(each) if each.sources else None for each in wanted]
        missing = [number for number, each in enumerate(wanted) if each.sources and found[number] is None]
        for start in range(0, len(missing), _MOST_AT_ONCE):
            numbers = missing[start : start + _MOST_AT_ONCE]
            for number, tree in zip(numbers, self._make([wanted[number] for number in numbers]), strict=True):
                found[number] = tree
        self._session.lease.use(tree.folder for tree in found if tree is not None)
        return [replace(wheel, bytecode=tree) for wheel, tree in zip(wheels, found, strict=True)]

    def _wanted(self, tree: WheelTree) -> _Wanted:
        sources = [file.path for file in tree.manifest.files if file.path.endswith(".py")]
        return _Wanted(tree=tree, key=bytecode_key(tree.digest, self._interpreter), sources=sources)

    def _find(self, wanted: _Wanted) -> WheelTree | None:
        return self._session.store.tree(BYTECODE, wanted.key)

    def _make(self, missing: Sequence[_Wanted]) -> list[WheelTree]:
        """Compile what nobody else compiles, in one go, then wait for the others."""
        made: dict[Digest, WheelTree] = {}
        with ExitStack() as stack:
            ours = []
            for each in missing:
                if stack.enter_context(self._session.flights.claim("bytecode", each.key, what=each.what)):
                    found = self._find(each)
                    if found is None:
                        ours.append(each)
                    else:
                        made[each.key] = found
            made |= self._compile(ours)
        return [made[each.key] if each.key in made else self._wait_for(each) for each in missing]

    def _wait_for(self, wanted: _Wanted) -> WheelTree:
        return self._session.flights.get(
            "bytecode",
            wanted.key,
            what=wanted.what,
            look=lambda: self._find(wanted),
            make=lambda _: self._compile([wanted])[wanted.key],
        ).value

    def _compile(self, wanted: Sequence[_Wanted]) -> dict[Digest, WheelTree]:
        """Compile and publish; return what is in the store afterwards, by key."""

        def room() -> int:
            files = (file for each in wanted for file in each.tree.manifest.files)
            return _GROWTH * sum(file.size for file in files if file.path.endswith(".py"))

        return self._session.store.with_room(lambda: self._compile_once(wanted), room) if wanted else {}

    def _compile_once(self, wanted: Sequence[_Wanted]) -> dict[Digest, WheelTree]:
        store = self._session.store
        with ExitStack() as stack:
            writers = [stack.enter_context(store.stage_tree()) for _ in wanted]
            sources: list[Source] = []
            owners: list[tuple[TreeWriter, str]] = []
            for each, writer in zip(wanted, writers, strict=True):
                sizes = {file.path: file.size for file in each.tree.manifest.files}
                for path in each.sources:
                    target = bytecode_path(path, self._interpreter)
                    place = str(each.tree.tree / path)
                    sources.append(Source(place, path, sizes[path], writer.reserve(target)))
                    owners.append((writer, target))
            done = compile_sources(
                Compiling(executable=self._interpreter.base_executable), sources, sink=self._session.sink
            )
            for number in sorted(done):
                writer, target = owners[number]
                writer.take(target)
            return {
                each.key: store.publish_tree(
                    BYTECODE, writer.folder, writer.finish(digest=each.key, filename=each.tree.manifest.filename)
                )
                for each, writer in zip(wanted, writers, strict=True)
            }
