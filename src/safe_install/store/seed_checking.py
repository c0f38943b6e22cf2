"""Check a seed's entries to the last byte."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from ..events import PhaseAdvanced, ignore, telling
from ..fs.hashing import hash_file
from .layout import MANIFEST

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..events import EventSink
    from ..models import Digest
    from .generations import Generation, ListedTree
    from .store import Store

_THREADS = 8


def check_generation(store: Store, generation: Generation, *, sink: EventSink = ignore) -> list[str]:
    """Hash everything that *generation* lists; return what is missing or damaged, as sentences."""
    trees = sorted(generation.all_trees(), key=lambda each: (each[2].filename, each[0]))
    checks = [partial(_check_tree, store, *tree) for tree in trees]
    checks += [partial(_check_file, store, digest) for digest in sorted(generation.all_files)]
    key = str(store.root)

    def run(check: Callable[[], Iterable[str]]) -> list[str]:
        problems = list(check())
        sink(PhaseAdvanced(phase="verify", key=key, amount=1))
        return problems

    with telling(sink, "verify", key=key, label=key, total=len(checks)), ThreadPoolExecutor(_THREADS) as pool:
        return [problem for found in pool.map(run, checks) for problem in found]


def _check_tree(store: Store, bucket: str, digest: Digest, listed: ListedTree) -> Iterable[str]:
    tree = store.tree(bucket, digest)
    if tree is None:
        yield f"{listed.filename} is missing or damaged"
        return
    try:
        if hash_file(tree.folder / MANIFEST)["sha256"] != listed.manifest:
            yield f"{listed.filename}: its manifest is not the one that the generation lists"
        for entry in tree.manifest.files:
            if hash_file(tree.tree / entry.path)["sha256"] != entry.sha256:
                yield f"{listed.filename}: the content of {entry.path} was changed"
    except OSError as error:
        yield f"{listed.filename} cannot be read: {error.strerror}"


def _check_file(store: Store, digest: Digest) -> Iterable[str]:
    path = store.file(digest)
    if path is None:
        yield f"the file {digest} is missing or damaged"
        return
    try:
        if hash_file(path)["sha256"] != digest:
            yield f"the content of {path} was changed"
    except OSError as error:
        yield f"{path} cannot be read: {error.strerror}"
