"""``ci-install cache export`` and ``cache import``."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..call import Call, perform
from ..output import human_bytes, plural, write_result
from .cache import open_to_read, root_to_change

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...store.archive import Carried


def run_export(options: Mapping[str, Any], *, file: str, locks: Sequence[str]) -> int:
    """Write what the store holds to a file; return the exit code."""

    def work(call: Call) -> None:
        from ...engine.carrying import export_store
        from ..surroundings import look_around

        carried = export_store(open_to_read(call), look_around(call), call.sink, Path(file).absolute(), locks=locks)
        if call.settings.json:
            _print_json(file, carried)
        else:
            call.screen.line(f"exported {_summary(carried)} to {file} ({human_bytes(carried.bytes)})")
            write_result(f"{carried.sha256}\n")

    return perform("cache export", options, None, work)


def run_import(options: Mapping[str, Any], *, file: str, sha256: str | None) -> int:
    """Bring what a file holds into the store; return the exit code."""

    def work(call: Call) -> None:
        from ...engine.carrying import import_store

        carried = import_store(call.settings, root_to_change(call), call.sink, Path(file).absolute(), sha256=sha256)
        if call.settings.json:
            _print_json(file, carried)
        else:
            write_result(f"imported {_summary(carried)}; {carried.known} were there already\n")

    return perform("cache import", options, None, work)


def _summary(carried: Carried) -> str:
    kinds = (
        plural(carried.wheels, "wheel"),
        plural(carried.bytecode, "wheel's bytecode", "wheels' bytecode"),
        plural(carried.files, "file"),
        plural(carried.documents, "document"),
    )
    return ", ".join(kinds)


def _print_json(file: str, carried: Carried) -> None:
    write_result(json.dumps({"file": file, **dataclasses.asdict(carried)}, indent=2) + "\n")
