"""Put a merged tree into a folder: link, write, give it bytecode, write RECORD, and look whether all of it is there."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, overload

from ..events import PhaseAdvanced, PhaseEnded, PhaseStarted
from ..fs._system import system_path
from ..fs.link import LinkEntry
from ..models import LinkMode
from .bytecode import Compiling, Source, bytecode_path, compile_sources
from .contents import CACHE_FOLDER, below, check_failed, join, make_folder, write_file

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from ..events import EventSink
    from ..fs.link import Linker
    from .environment import Environment
    from .merging import Merged
    from .placement import Placement


class Filling:
    """Puts one tree into one folder. The caller undoes what an error leaves.

    :param place: the folder that is filled; it is *environment*'s root, or its staging folder.
    :param unchanged: files of the tree that are there already.
    """

    def __init__(
        self,
        place: str,
        environment: Environment,
        merged: Merged,
        linker: Linker,
        *,
        unchanged: Collection[str] = (),
        sink: EventSink,
    ) -> None:
        self.files = 0
        self.bytes = 0
        self.compiled = 0
        self.uncompiled = 0
        self._place = place
        self._environment = environment
        self._merged = merged
        self._linker = linker
        self._unchanged = unchanged
        self._sink = sink

    def place_files(self) -> None:
        """Make all folders, and place every file but the RECORDs. Tells a phase ``link`` for each wheel.

        :raises StoreError: as `Linker.link_files`.
        """
        for folder in self._merged.folders:
            make_folder(self._path(folder))
        for placement in self._merged.placements:
            self._place_wheel(placement)

    def compile(self, how: Compiling) -> set[str]:
        """Give the Python files that were placed bytecode; return the sources, relative to the root, that have it.

        What was compiled before is linked, the rest compiled. Errors as `place_files` and `compile_sources`.
        """
        linked: set[str] = set()
        paths: set[str] = set()
        for placement in self._merged.placements:
            known = self._link_bytecode(placement, linked) if placement.wheel.bytecode is not None else frozenset()
            paths.update(path for path in placement.sources if path not in known and path not in self._unchanged)
        self.compiled = len(linked)
        return linked | self._compile(sorted(paths), how)

    def _link_bytecode(self, placement: Placement, linked: set[str]) -> Collection[str]:
        """Link what was compiled of a wheel, and add its sources to *linked*; return all sources that were tried."""
        bytecode = placement.wheel.bytecode
        assert bytecode is not None
        tried = []
        for folder, compiled in placement.bytecode(self._environment.interpreter):
            tried += [join(folder.target, name) for name in folder.files if name.endswith(".py")]
            linked.update(join(folder.target, name) for name in compiled)
            if compiled:
                entries = [LinkEntry(entry.path.rpartition("/")[2], executable=False) for entry in compiled.values()]
                target = self._path(join(folder.target, CACHE_FOLDER))
                make_folder(target)
                self._linker.link_files(below(str(bytecode.tree), join(folder.source, CACHE_FOLDER)), target, entries)
        return frozenset(tried)

    def _compile(self, paths: list[str], how: Compiling) -> set[str]:
        if not paths:
            return set()
        sources = _Sources(paths, self._source)
        done = compile_sources(how, sources, sink=self._sink)
        self.compiled += len(done)
        self.uncompiled += len(sources) - len(done)
        return {paths[number] for number in done}

    def _source(self, path: str) -> Source:
        folder, _, name = path.rpartition("/")
        return Source(self._path(path), self._environment.path(path), self._merged.sizes[folder][name])

    def write_records(self, compiled: set[str]) -> None:
        """Write the RECORD of each wheel: the last of its files.

        :param compiled: sources with bytecode.
        """
        interpreter = self._environment.interpreter
        for placement in self._merged.placements:
            sources = [path for path in placement.sources if path in compiled]
            sources += [path for path in placement.sources if path in self._unchanged and self._has_bytecode(path)]
            bytecode = sorted(bytecode_path(path, interpreter) for path in sources)
            self._write(placement.record_path, placement.record(bytecode), executable=False)

    def check(self) -> None:
        """Compare what is there with what shall be: names, and sizes where a size can differ.

        A hard link is the very file that the store's check has just looked at, so its size is not asked again.

        :raises TargetError: ``environment-check-failed``.
        """
        linked_only = set(self._linker.used) <= {LinkMode.HARDLINK}
        records = {placement.record_path for placement in self._merged.placements}
        problems: list[str] = []
        for folder, sizes in self._merged.sizes.items():
            missing = set(sizes)
            for entry in _scan(self._path(folder)):
                if entry.name not in missing:
                    continue
                missing.discard(entry.name)
                # A wheel may bring bytecode, which ours replaces.
                if not linked_only and not entry.name.endswith(".pyc"):
                    size = entry.stat(follow_symlinks=False).st_size
                    if size != sizes[entry.name]:
                        problems.append(f"{join(folder, entry.name)} has {size} bytes, not {sizes[entry.name]}")
            problems += [f"{join(folder, name)} is missing" for name in sorted(missing)]
        problems += [f"{path} is missing" for path in sorted(records) if not os.path.lexists(self._path(path))]
        if problems:
            raise check_failed(self._environment.root, problems)

    def _place_wheel(self, placement: Placement) -> None:
        key = placement.wheel.name
        count = sum(len(folder.files) for folder in placement.linked) + len(placement.written) + 1
        begun = time.monotonic()
        self._sink(PhaseStarted(phase="link", key=key, label=str(placement.wheel.pin), total=count))
        try:
            tree = str(placement.wheel.tree.tree)
            for folder in placement.linked:
                if folder.files:
                    entries = [LinkEntry(name, entry.executable) for name, entry in folder.files.items()]
                    self._linker.link_files(below(tree, folder.source), self._path(folder.target), entries)
                    self.files += len(entries)
                    self.bytes += sum(entry.size for entry in folder.files.values())
            for file in placement.written:
                self._write(file.path, file.content, executable=file.executable)
            self._sink(PhaseAdvanced(phase="link", key=key, amount=count))
        finally:
            self._sink(PhaseEnded(phase="link", key=key, seconds=time.monotonic() - begun))

    def _write(self, path: str, content: bytes, *, executable: bool) -> None:
        write_file(self._path(path), content, executable=executable)
        self.files += 1
        self.bytes += len(content)

    def _has_bytecode(self, source: str) -> bool:
        return os.path.lexists(self._path(bytecode_path(source, self._environment.interpreter)))

    def _path(self, relative: str) -> str:
        return below(self._place, relative)


class _Sources(Sequence[Source]):
    """Made when they are asked for: the absolute paths of all files of a large environment take megabytes."""

    def __init__(self, paths: Sequence[str], make: Callable[[str], Source]) -> None:
        self._paths = paths
        self._make = make

    def __len__(self) -> int:
        return len(self._paths)

    @overload
    def __getitem__(self, index: int) -> Source: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Source]: ...

    def __getitem__(self, index: int | slice) -> Source | Sequence[Source]:
        if isinstance(index, slice):
            return _Sources(self._paths[index], self._make)
        return self._make(self._paths[index])


def _scan(path: str) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(system_path(path)) as found:
            yield from found
    except FileNotFoundError:
        return
