"""Export what a store holds to a file, and import it elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import InputError
from ..store.archive_reading import read_archive
from ..store.archive_writing import write_archive
from ..store.projects import subject_of
from ..store.store import Store
from .inputs import is_lock, open_lock

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ..events import EventSink
    from ..settings import Settings
    from ..store.archive import Carried
    from ..store.entries import Entry
    from .session import Surroundings


def export_store(
    store: Store, surroundings: Surroundings, sink: EventSink, target: Path, *, locks: Sequence[str]
) -> Carried:
    """Write the entries of *store* to *target*.

    :param locks: only what belongs to projects and versions that these name, for whatever interpreter; all when empty.
    :raises InputError: a lock is missing or malformed.
    :raises StoreError: as `write_archive`.
    """
    from packaging.utils import canonicalize_version

    named: set[tuple[str, str | None]] = set()
    for lock in locks:
        named |= _projects_of(lock, surroundings, sink)

    def is_wanted(entry: Entry) -> bool:
        if not locks:
            return True
        subject = subject_of(entry)
        if subject.project is None:
            return False
        return (subject.project, canonicalize_version(subject.version or "")) in named or (
            subject.project,
            None,
        ) in named

    return write_archive(store, target, is_wanted)


def import_store(settings: Settings, root: Path, sink: EventSink, source: Path, *, sha256: str | None) -> Carried:
    """Bring what the archive *source* holds into the store at *root*. Errors as `Store.open` and `read_archive`."""
    store = Store.open(root, retry_budget=settings.retry_budget, sink=sink)
    return read_archive(store, source, sha256=sha256)


def _projects_of(name: str, surroundings: Surroundings, sink: EventSink) -> set[tuple[str, str | None]]:
    """The projects and versions that a lock or a pinned requirements file names; no version where it tells none."""
    from packaging.utils import canonicalize_version

    if is_lock(name):
        packages = open_lock(surroundings.folder / name).content.packages
        return {(each.name, None if each.version is None else canonicalize_version(each.version)) for each in packages}
    from ..resolve.requirements_file import parse_requirements_file

    parsed = parse_requirements_file(name, cwd=surroundings.folder, environ=surroundings.variables, sink=sink)
    found: set[tuple[str, str | None]] = set()
    for each in parsed.requirements:
        if each.name is None:
            raise InputError(f"{each} does not tell its name", code="requirement-unnamed", hint="write NAME @ URL")
        versions = [clause.version for clause in each.specifier if clause.operator in {"==", "==="}]
        found |= {(each.name, canonicalize_version(version)) for version in versions} or {(each.name, None)}
    return found
