"""Stores for tests of clean-ups: entries of any age and size, leases of any process."""

from __future__ import annotations

import hashlib
import json
import os
import time
from typing import TYPE_CHECKING

from safe_install.locks.processes import Process, own_tag
from safe_install.models import Digest
from safe_install.store.layout import BUILT, SELECTIONS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from safe_install.store.store import Store

DAY = 86400.0


def digest_of(text: str) -> Digest:
    return Digest(hashlib.sha256(text.encode()).hexdigest())


def add_wheel(store: Store, name: str, *, size: int = 1000, age: float = 0.0, version: str = "1.0") -> Path:
    """Publish a wheel of *size* bytes that was used *age* seconds ago; return its entry."""
    with store.stage_tree() as writer:
        writer.add(f"{name}/__init__.py", [b"#" * size], executable=False)
        manifest = writer.finish(digest=digest_of(f"{name} {version}"), filename=f"{name}-{version}-py3-none-any.whl")
        folder = store.publish_wheel(writer.folder, manifest).folder
    set_age(folder, age)
    return folder


def add_pointer(store: Store, name: str, *, age: float = 0.0, version: str = "1.0") -> Path:
    """Publish what says that a wheel of `add_wheel` was built."""
    key = digest_of(f"build of {name}")
    document = {"wheel": digest_of(f"{name} {version}"), "filename": f"{name}-{version}-py3-none-any.whl"}
    store.publish_document(BUILT, key, document)
    path = store.layout.document(BUILT, key)
    set_age(path, age)
    return path


def add_selection(store: Store, name: str, *, age: float = 0.0, version: str = "1.0") -> Path:
    """Publish what says that a pin means a wheel of `add_wheel`."""
    key = digest_of(f"selection of {name}")
    document = {"sha256": digest_of(f"{name} {version}"), "filename": f"{name}-{version}-py3-none-any.whl"}
    store.publish_document(SELECTIONS, key, document)
    path = store.layout.document(SELECTIONS, key)
    set_age(path, age)
    return path


def set_age(path: Path, age: float) -> None:
    """Let *path* be *age* seconds old, by its modification time."""
    moment = time.time() - age
    os.utime(path, (moment, moment))


def add_lease(store: Store, entries: Iterable[Path], *, process: Process | None = None, age: float = 0.0) -> Path:
    """Write the lease of a process, by default this one, that showed a sign of life *age* seconds ago."""
    names = [each.relative_to(store.root).as_posix() for each in entries]
    path = store.layout.leases / f"{hashlib.sha256(os.urandom(8)).hexdigest()[:32]}.jsonl"
    header = {"format": 1, **(process or Process.this()).to_json(), "job": None, "expiry": 900}
    path.write_text(f"{json.dumps(header)}\n{json.dumps({'entries': names})}\n", encoding="utf-8")
    set_age(path, age)
    return path


def dead_process() -> Process:
    """A process of this machine that has ended."""
    this = Process.this()
    return this._replace(born="1" if this.born != "1" else "2")


def dead_tag() -> str:
    """The tag that `dead_process` puts into names (`processes.own_tag`)."""
    machine, pid, _ = own_tag().split("-")
    return f"{machine}-{pid}-{dead_process().born}"
