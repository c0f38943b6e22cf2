"""``ci-install cache dir`` and ``ci-install cache info``."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from ...errors import PolicyError
from ...models import Trust
from ..call import Call, perform
from ..output import human_bytes, write_result
from ..this_job import is_own

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ...store.store import Store


def run_dir(options: Mapping[str, Any]) -> int:
    """Print where the store is; return the exit code. Nothing is made."""

    def work(call: Call) -> None:
        root = root_of(call)
        write_result(f"{json.dumps({'cache_dir': str(root)}) if call.settings.json else root}\n")

    return perform("cache dir", options, None, work)


def run_info(options: Mapping[str, Any]) -> int:
    """Print what the store holds; return the exit code."""

    def work(call: Call) -> None:
        from ...store.listing import by_project, list_store

        store = open_to_read(call)
        info = store.info()
        projects = by_project(list_store(store.layout))
        if call.settings.json:
            buckets = {name: {"entries": each.entries, "bytes": each.bytes} for name, each in info.buckets.items()}
            write_result(
                json.dumps(
                    {
                        "cache_dir": str(info.path),
                        "buckets": buckets,
                        "projects": [dataclasses.asdict(each) for each in projects],
                    },
                    indent=2,
                )
                + "\n"
            )
            return
        sizes = [(name, each.entries, each.bytes, "") for name, each in info.buckets.items()]
        lines = [str(info.path), *_table(sizes)]
        if projects:
            lines += ["projects, largest first"]
            lines += _table([(each.name, each.entries, each.bytes, ", ".join(each.versions)) for each in projects])
        write_result("\n".join(lines) + "\n")

    return perform("cache info", options, None, work)


def _table(rows: Sequence[tuple[str, int, int, str]]) -> list[str]:
    width = max(len(name) for name, *_ in rows)
    return [
        f"  {name:<{width}}  {entries:>8,} entries  {human_bytes(size):>10}  {more}".rstrip()
        for name, entries, size, more in rows
    ]


def root_of(call: Call) -> Path:
    """Return where the store of *call* is."""
    return call.settings.cache_dir or call.job.default_store


def root_to_change(call: Call) -> Path:
    """Return where the store of *call* is, for a command that changes what is in it.

    :raises PolicyError: ``untrusted``: this job is not trusted, and other jobs may read the store.
    """
    root = root_of(call)
    if _is_untrusted(call) and not is_own(call.job.job, root):
        raise PolicyError(
            f"an untrusted job may not change the store at {root}",
            code="untrusted",
            context=(call.job.distrust,) if call.job.distrust else (),
            hint="clean up from a job that runs on trusted changes only, or on the runner itself",
        )
    return root


def open_to_read(call: Call) -> Store:
    """Open the store of *call* for a command that changes nothing; a trusted job makes it where it is missing.

    :raises StoreError: as `Store.open`, and ``store-missing`` for an untrusted job.
    """
    from ...store.store import Store

    opening = Store.open_for_reading if _is_untrusted(call) else Store.open
    return opening(root_of(call), retry_budget=call.settings.retry_budget, sink=call.sink)


def _is_untrusted(call: Call) -> bool:
    return call.settings.trust is Trust.UNTRUSTED
