"""List what a store holds, entry by entry, for people: project, size, last use, where it came from, who uses it."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..fs.failures import explain
from .entries import Entry, document_of, leads_to, size_of, survey
from .layout import BUILT, BYTECODE, IMAGES, INTERPRETERS, WHEELS
from .leases import read_leases
from .projects import subject_of, subject_of_document

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .layout import Layout


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One entry.

    :param key: such as ``wheels-1/ab/abcdef…``.
    :param kind: as `projects.Subject.kind`.
    :param source: ``built`` or ``fetched``.
    :param used: last use, in seconds since 1970.
    :param users: the live leases that name it: job or process.
    """

    key: str
    project: str | None
    version: str | None
    kind: str
    bytes: int
    used: float
    source: str
    users: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectInfo:
    """All entries of one project. :param versions: of its wheels and sdists, sorted as texts."""

    name: str
    versions: tuple[str, ...]
    entries: int
    bytes: int


def list_store(layout: Layout) -> list[Listed]:
    """Return every entry, sorted by project, version and kind.

    :raises StoreError: the store cannot be read.
    """
    try:
        entries = [each for each in survey(layout) if isinstance(each, Entry)]
    except OSError as error:
        raise explain(error, doing="list the store", path=error.filename or layout.root) from error
    documents = {entry.key: document_of(entry) for entry in entries}
    built = {
        key
        for entry in entries
        if entry.bucket == BUILT
        for key in leads_to(entry, documents[entry.key])
        if key.startswith(WHEELS)
    }
    users = _users(layout)
    found = []
    for entry in entries:
        document = documents[entry.key]
        kind, project, version = subject_of(entry) if document is None else subject_of_document(document)
        ours = entry.key in built or entry.bucket in {BUILT, BYTECODE, IMAGES, INTERPRETERS}
        found.append(
            Listed(
                key=entry.key,
                project=project,
                version=version,
                kind=kind,
                bytes=size_of(entry),
                used=entry.used,
                source="built" if ours else "fetched",
                users=tuple(users.get(entry.key, ())),
            )
        )
    return sorted(found, key=lambda each: (each.project or "", each.version or "", each.kind, each.key))


def by_project(listed: Iterable[Listed]) -> list[ProjectInfo]:
    """Sum up, the largest project first; what is of no project is left out."""
    groups: dict[str, list[Listed]] = defaultdict(list)
    for each in listed:
        if each.project is not None:
            groups[each.project].append(each)
    found = [
        ProjectInfo(
            name=name,
            versions=tuple(
                sorted({each.version for each in group if each.version and each.kind in {"wheel", "sdist"}})
            ),
            entries=len(group),
            bytes=sum(each.bytes for each in group),
        )
        for name, group in groups.items()
    ]
    return sorted(found, key=lambda each: (-each.bytes, each.name))


def _users(layout: Layout) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    # Nothing is written here, so the clock is that of this host.
    now = time.time()
    for lease in read_leases(layout):
        if lease.is_live(now):
            for key in lease.entries:
                found[key].append(lease.job or str(lease.process or "an unknown process"))
    return found
