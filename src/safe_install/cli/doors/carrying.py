"""Keep a store in one file, which the cache of a platform carries from job to job, on runners that keep nothing.

Whatever fails here costs time in a later job, and fails none.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ...errors import InputError
from ...models import Scope, Trust
from ..this_job import settle

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from .inputs import Request

FILE, SAVES = "SAFE_INSTALL_CACHE_FILE", "SAFE_INSTALL_CACHE_SAVES"
"""Variables of the adapter: the file, relative to the working folder; and ``true`` in the jobs that may save."""
_OPTIONS = ("cache-dir", "runner-dir", "scope", "trust")


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrying:
    """One job's store and the file. :param execute: runs ``ci-install`` with arguments, and lets nothing escape."""

    file: Path
    store: Path
    saves: bool
    execute: Callable[[Sequence[str]], int]

    def restore(self) -> None:
        """Bring what the file holds into the store."""
        if self.file.is_file() and self.execute(["cache", "import", f"--cache-dir={self.store}", str(self.file)]):
            _say("what an earlier job saved cannot be used; what is missing is fetched")

    def save(self, request: Request, report: Mapping[str, Any]) -> None:
        """Write what the job's files name of the store to the file, if this job may and there is anything new."""
        counts = report["counts"]
        if not self.saves or report["outcome"] != "done":
            return
        if self.file.is_file() and not counts["fetched"] and not counts["built"]:
            return
        locks = [f"--lock={name}" for name in request.files]
        if self.execute(["cache", "export", f"--cache-dir={self.store}", *locks, str(self.file)]):
            _say("nothing is saved for later jobs")


def carrying(
    environ: Mapping[str, str], folder: Path, request: Request, execute: Callable[[Sequence[str]], int]
) -> Carrying | None:
    """Return what carries the store of *request*; None where nothing does.

    A job that is not trusted carries none: where the platform keeps its cache apart there is nothing to read, and
    where it does not, a stranger may have written it.
    """
    name = environ.get(FILE)
    if not name:
        return None
    given = dict(each[2:].partition("=")[::2] for each in request.arguments if each.startswith("--") and "=" in each)
    try:
        job = settle({"scope": None, **{name: given[name] for name in _OPTIONS if name in given}}, environ, folder)
    except InputError:
        return None  # for the command itself to tell
    settings = job.settings
    if settings.trust is Trust.UNTRUSTED:
        _say("this job is not trusted: it neither reads nor saves what is kept between jobs")
        return None
    store = settings.cache_dir
    if store is None and settings.used_scope is Scope.RUNNER:
        store = settings.runner_dir or job.default_store
    if store is None:
        _say("this job has a temporary store, which is not kept")
        return None
    return Carrying(file=folder / name, store=store, saves=environ.get(SAVES) == "true", execute=execute)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
