"""Check a seed's entries to the last byte."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from ..fs.hashing import hash_file
from .layout import MANIFEST

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..models import Digest
    from .generations import Generation, ListedWheel
    from .store import Store

_THREADS = 8


def check_generation(store: Store, generation: Generation) -> list[str]:
    """Hash everything that *generation* lists; return what is missing or damaged, as sentences."""
    wheels = sorted(generation.wheels.items(), key=lambda item: item[1].filename)
    files = sorted(generation.all_files)
    with ThreadPoolExecutor(_THREADS) as pool:
        of_wheels = pool.map(lambda item: list(_check_wheel(store, *item)), wheels)
        of_files = pool.map(lambda digest: list(_check_file(store, digest)), files)
        return [problem for found in (*of_wheels, *of_files) for problem in found]


def _check_wheel(store: Store, digest: Digest, listed: ListedWheel) -> Iterable[str]:
    tree = store.wheel(digest)
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
