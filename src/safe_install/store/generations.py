"""The two small formats of a seed: a generation, which lists entries, and the pointer to the current one.

::

    generations/<digest>.json   {"documents": {"built-1": {<name>: <digest of a file>, …}, …},
                                 "files": [<digest>, …],
                                 "format": 1,
                                 "pages": {<name>: <digest of a file>, …},
                                 "trees": {"wheels-1": {<digest>: [<digest of its manifest>, <name of the wheel file>],
                                                        …}, …}}
    current                     {"sha256": …, "document": {"format": 1, "history": [[<digest>, <since>], …]}}

A generation is named by the SHA-256 of its own bytes, and everything in it by digests of content: a wheel, or what was
made of one, by its manifest too, which has the digest of each file. Documents and pages, which a store may replace, are
kept as files here, and found by the names that they have in a store. So the name of a generation stands for every byte
that a job can get through it, and the same entries have the same name.

The last item of the history is the current generation. Times are those of the seed's file system, in seconds since
1970.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from ..errors import IntegrityError, StoreError
from ..models import Digest
from .documents import decode_document, encode_document
from .layout import WHEELS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

FORMAT = 1
K = TypeVar("K")
V = TypeVar("V")
_DIGEST = re.compile("[0-9a-f]{64}")
# What was current long ago helps nobody.
_LONGEST_HISTORY = 200


class ListedTree(NamedTuple):
    """A wheel of a generation, or what was made of one.

    :param manifest: the SHA-256 of its manifest.
    :param filename: of the wheel file.
    """

    manifest: Digest
    filename: str


@dataclass(frozen=True, kw_only=True)
class Generation:
    """A list of entries.

    :param trees: by bucket and digest.
    :param documents: by bucket and name (`layout.name_of` their key), as *pages* by name: the file that holds it.
    """

    trees: Mapping[str, Mapping[Digest, ListedTree]] = field(default_factory=dict)
    files: frozenset[Digest] = frozenset()
    documents: Mapping[str, Mapping[str, Digest]] = field(default_factory=dict)
    pages: Mapping[str, Digest] = field(default_factory=dict)

    def encode(self) -> bytes:
        """Return its bytes, the same for the same entries."""
        document = {
            "format": FORMAT,
            "trees": {bucket: trees for bucket, trees in self.trees.items() if trees},
            "files": sorted(self.files),
            "documents": {bucket: names for bucket, names in self.documents.items() if names},
            "pages": self.pages,
        }
        return json.dumps(document, sort_keys=True, indent=0, ensure_ascii=False).encode() + b"\n"

    @property
    def digest(self) -> Digest:
        """Its name."""
        return Digest(hashlib.sha256(self.encode()).hexdigest())

    def __bool__(self) -> bool:
        return bool(self.trees or self.files or self.documents or self.pages)

    @property
    def wheels(self) -> Mapping[Digest, ListedTree]:
        """Its wheels."""
        return self.trees.get(WHEELS, {})

    def all_trees(self) -> Iterator[tuple[str, Digest, ListedTree]]:
        """Yield bucket, digest and what is said of it, for each."""
        for bucket, listed in self.trees.items():
            for digest, tree in listed.items():
                yield bucket, digest, tree

    @property
    def entries(self) -> int:
        """How many there are, of all kinds."""
        return sum(map(len, self.trees.values())) + len(self.all_files)

    @property
    def all_files(self) -> frozenset[Digest]:
        """Its files, and those that hold its documents and pages."""
        kept = (digest for names in self.documents.values() for digest in names.values())
        return frozenset((*self.files, *kept, *self.pages.values()))

    def __or__(self, other: Generation) -> Generation:
        """The entries of both; where both answer one question, those of *other*."""
        return Generation(
            trees=_joined(self.trees, other.trees),
            files=self.files | other.files,
            documents=_joined(self.documents, other.documents),
            pages={**self.pages, **other.pages},
        )


class Switch(NamedTuple):
    """When a generation became the current one. :param since: seconds since 1970."""

    generation: Digest
    since: float


@dataclass(frozen=True)
class Pointer:
    """The pointer of a seed. :param history: never empty; the last one is current."""

    history: tuple[Switch, ...]

    @property
    def current(self) -> Digest:
        """The generation that readers see."""
        return self.history[-1].generation

    def then(self, generation: Digest, since: float) -> Pointer:
        """Return the pointer after a switch; itself when nothing changes."""
        if generation == self.current:
            return self
        return Pointer((*self.history, Switch(generation, since))[-_LONGEST_HISTORY:])

    def before(self) -> Digest | None:
        """What was current before the current one first was: where a rollback leads."""
        first = next(index for index, each in enumerate(self.history) if each.generation == self.current)
        return self.history[first - 1].generation if first else None

    def replaced(self) -> dict[Digest, float]:
        """Since when each generation of the history has not been current any more, the latest last."""
        ended: dict[Digest, float] = {}
        for each, following in zip(self.history, self.history[1:], strict=False):
            ended.pop(each.generation, None)
            ended[each.generation] = following.since
        ended.pop(self.current, None)
        return ended

    def encode(self) -> bytes:
        """Return the bytes of the pointer file."""
        return encode_document({"format": FORMAT, "history": self.history})


def decode_generation(data: bytes, digest: Digest, path: Path) -> Generation:
    """Read the generation that is named *digest*. :param path: for messages.

    :raises IntegrityError: ``generation-damaged``: these are not its bytes.
    :raises StoreError: ``seed-newer-format``.
    """
    if hashlib.sha256(data).hexdigest() != digest:
        raise _damaged("generation", path, "its content does not have the digest that it is named by")
    try:
        document = json.loads(data)
        _refuse_newer(document["format"], path)
        found = Generation(
            trees={bucket: _trees(listed) for bucket, listed in document["trees"].items()},
            files=frozenset(map(_digest, document["files"])),
            documents={bucket: _answers(names) for bucket, names in document["documents"].items()},
            pages=_answers(document["pages"]),
        )
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise _damaged("generation", path, f"it cannot be read: {error}") from error
    return found


def decode_pointer(data: bytes, path: Path) -> Pointer:
    """Read a pointer file.

    :raises IntegrityError: ``seed-damaged``.
    :raises StoreError: ``seed-newer-format``.
    """
    document = decode_document(data)
    if document is None:
        raise _damaged("seed", path, "its checksum is wrong")
    try:
        _refuse_newer(document["format"], path)
        history = tuple(Switch(_digest(generation), float(since)) for generation, since in document["history"])
    except (ValueError, TypeError, KeyError) as error:
        raise _damaged("seed", path, f"it cannot be read: {error}") from error
    if not history:
        raise _damaged("seed", path, "it names no generation")
    return Pointer(history)


def _refuse_newer(version: object, path: Path) -> None:
    if not isinstance(version, int):
        raise ValueError(f"its format is {version!r}")
    if version > FORMAT:
        raise StoreError(
            f"{path} has format {version}, and this release knows formats up to {FORMAT}",
            code="seed-newer-format",
            hint="update safe-install",
        )


def _joined(ours: Mapping[str, Mapping[K, V]], theirs: Mapping[str, Mapping[K, V]]) -> dict[str, Mapping[K, V]]:
    return {bucket: {**ours.get(bucket, {}), **theirs.get(bucket, {})} for bucket in {*ours, *theirs}}


def _trees(listed: Any) -> dict[Digest, ListedTree]:  # noqa: ANN401 - whatever stands in the file
    return {_digest(key): ListedTree(_digest(manifest), str(name)) for key, (manifest, name) in listed.items()}


def _answers(names: Any) -> dict[str, Digest]:  # noqa: ANN401 - whatever stands in the file
    return {str(name): _digest(value) for name, value in names.items()}


def _digest(value: object) -> Digest:
    # These become paths.
    if not isinstance(value, str) or not _DIGEST.fullmatch(value):
        raise ValueError(f"{value!r} is no digest")
    return Digest(value)


def _damaged(what: str, path: Path, reason: str) -> IntegrityError:
    return IntegrityError(
        f"{path} is not used: {reason}",
        code=f"{what}-damaged",
        hint="choose another generation with `ci-install seed rollback`, or publish again",
    )
