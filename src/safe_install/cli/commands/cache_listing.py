"""``ci-install cache ls``."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from ...errors import PolicyError, StoreError
from ..call import Call, perform
from ..output import human_bytes, write_result
from .cache import open_to_read, root_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ...store.layout import Layout
    from ...store.listing import Listed


def run_ls(options: Mapping[str, Any], *, names: Sequence[str]) -> int:
    """List the entries of the layers; return the exit code."""

    def work(call: Call) -> None:
        from packaging.utils import canonicalize_name

        from ...store.listing import list_store

        wanted = {canonicalize_name(name) for name in names}
        rows = [
            (layer, each)
            for layer, layout in _layers(call)
            for each in list_store(layout)
            if not wanted or each.project in wanted
        ]
        if call.settings.json:
            document = {"cache_dir": str(root_of(call)), "entries": [_document(*row) for row in rows]}
            write_result(json.dumps(document, indent=2) + "\n")
        elif rows:
            _print_table(rows)

    return perform("cache ls", options, None, work)


def _layers(call: Call) -> Iterator[tuple[str, Layout]]:
    from ...store.chain import layer_passed_by
    from ...store.store import Store

    settings = call.settings
    yield "store", open_to_read(call).layout
    for number, reference in enumerate(settings.seed, start=1):
        name = f"seed {number}"
        try:
            store = Store.open_for_reading(reference.path, retry_budget=settings.retry_budget, sink=call.sink)
        except (StoreError, PolicyError) as error:
            call.sink(layer_passed_by(name, error.message))
        else:
            yield name, store.layout


def _document(layer: str, listed: Listed) -> dict[str, object]:
    return {
        "layer": layer,
        "entry": listed.key,
        "name": listed.project,
        "version": listed.version,
        "kind": listed.kind,
        "bytes": listed.bytes,
        "used": listed.used,
        "source": listed.source,
        "users": list(listed.users),
    }


def _print_table(rows: Sequence[tuple[str, Listed]]) -> None:
    heading = ("NAME", "VERSION", "KIND", "SIZE", "USED", "SOURCE", "LAYER", "USERS")
    cells = [heading]
    for layer, each in rows:
        used = time.strftime("%Y-%m-%d %H:%M", time.localtime(each.used))
        name = each.project or each.key
        size = human_bytes(each.bytes)
        cells.append((name, each.version or "", each.kind, size, used, each.source, layer, str(len(each.users) or "")))
    widths = [max(len(row[column]) for row in cells) for column in range(len(heading))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells)
    write_result("".join(f"{line}\n" for line in lines))
