"""Which private stores of jobs lie above a runner layer, so that a clean-up finds those that a platform leaves behind.

::

    jobs/<name>.json    {"format": 1, "path": "/builds/7/store", "created": …, "job": …,
                         "host": …, "machine": …, "pid": …, "born": …}

One small file for each store, named after its path; the process is the last one that used it. That the process has
ended does not mean that the job has: a job runs several commands. The file's modification time is the last use, by the
clock of the file system.

Only trusted jobs register: what an untrusted one says of a path must never make somebody else remove it. And nothing is
believed of a path alone: what lies there has to be a store of the same user (`is_job_layer`).
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import PolicyError, StoreError
from ..fs._system import revalidate, system_path
from ..fs.atomic import write_atomically
from ..fs.failures import explain
from ..fs.remove import remove_file
from ..fs.rights import ensure_folder, file_mode
from ..locks.processes import Process
from .layout import Layout
from .opening import recognise_layout

if TYPE_CHECKING:
    from ..events import EventSink

_FORMAT = 1
_ENDING = ".json"
_NAME_LENGTH = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLayer:
    """A private store that was registered.

    :param record: the file that says so.
    :param path: of the store.
    :param process: that used it last.
    :param job: its URL.
    :param created: when it was registered first, by that host's clock; :param used: last, by the file system's. Seconds
        since 1970.
    """

    record: Path
    path: Path
    process: Process
    job: str | None
    created: float
    used: float

    def forget(self) -> None:
        """Remove the record; the store is left alone. A record that is gone already is no error."""
        remove_file(self.record)


def register(runner: Layout, store: Path, *, job: str | None, budget: float, sink: EventSink) -> JobLayer:
    """Tell the runner layer of the private store at *store*, which need not exist yet.

    :raises StoreError: it could not be written down.
    """
    record = runner.jobs / f"{hashlib.sha256(os.fsencode(store)).hexdigest()[:_NAME_LENGTH]}{_ENDING}"
    before = _read(record)
    process = Process.this()
    created = before.created if before else time.time()
    document = {"format": _FORMAT, "path": str(store), "created": created, "job": job, **process.to_json()}
    try:
        ensure_folder(runner.jobs)
        data = json.dumps(document).encode() + b"\n"
        write_atomically(record, data, mode=file_mode(runner.jobs), exact=True, budget=budget, sink=sink)
    except OSError as error:
        raise explain(error, doing="register the store of this job", path=record, option="--runner-dir") from error
    return JobLayer(record=record, path=store, process=process, job=job, created=created, used=time.time())


def read_jobs(runner: Layout) -> list[JobLayer]:
    """Return the private stores that are registered; records that cannot be read are left out."""
    folder = system_path(runner.jobs)
    revalidate(folder)
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(_ENDING))
    except OSError:
        return []
    found = (_read(runner.jobs / name) for name in names)
    return [each for each in found if each is not None]


def is_job_layer(path: Path, runner: Layout) -> bool:
    """Whether *path* is a store that may be removed as one of a job: a folder itself, no link, not the runner layer,
    and of the same owner.
    """
    try:
        found, ours = os.lstat(system_path(path)), os.stat(system_path(runner.root))
        recognise_layout(Layout(path))
    except (OSError, StoreError, PolicyError):
        return False
    same = (found.st_dev, found.st_ino) == (ours.st_dev, ours.st_ino)
    return stat.S_ISDIR(found.st_mode) and not same and found.st_uid == ours.st_uid


def _read(record: Path) -> JobLayer | None:
    try:
        with open(system_path(record), "rb") as file:
            used = os.fstat(file.fileno()).st_mtime
            document = json.load(file)
        if document["format"] != _FORMAT:
            return None
        path = Path(document["path"])
        if not path.is_absolute():
            return None
        return JobLayer(
            record=record,
            path=path,
            process=Process.of(document),
            job=document["job"] if document["job"] is None else str(document["job"]),
            created=float(document["created"]),
            used=used,
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
