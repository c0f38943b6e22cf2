"""``ci-install cache dir`` and ``ci-install cache info``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..call import Call, perform
from ..output import human_bytes, write_result

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def run_dir(options: Mapping[str, Any]) -> int:
    """Print where the store is; return the exit code. Nothing is made."""

    def work(call: Call) -> None:
        root = _root(call)
        write_result(f"{json.dumps({'cache_dir': str(root)}) if call.settings.json else root}\n")

    return perform("cache dir", options, None, work)


def run_info(options: Mapping[str, Any]) -> int:
    """Print what the store holds; return the exit code."""

    def work(call: Call) -> None:
        from ...store.store import Store

        info = Store.open(_root(call), retry_budget=call.settings.retry_budget, sink=call.sink).info()
        if call.settings.json:
            buckets = {name: {"entries": each.entries, "bytes": each.bytes} for name, each in info.buckets.items()}
            write_result(json.dumps({"cache_dir": str(info.path), "buckets": buckets}, indent=2) + "\n")
            return
        width = max(map(len, info.buckets))
        lines = [str(info.path)]
        for name, each in info.buckets.items():
            lines.append(f"  {name:<{width}}  {each.entries:>8,} entries  {human_bytes(each.bytes):>10}")
        write_result("\n".join(lines) + "\n")

    return perform("cache info", options, None, work)


def _root(call: Call) -> Path:
    from ..surroundings import default_cache_dir

    return call.settings.cache_dir or default_cache_dir()
