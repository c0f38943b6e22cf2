"""``ci-install cache gc``, ``cache clean`` and ``cache unlock``."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from ..call import Call, perform
from ..output import human_bytes, plural, write_result
from .cache import root_of, root_to_change

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...store.gc import Collection
    from ...store.seed_cleanup import Collected

_REASONS = {"age": "not used for long", "size": "over the size", "space": "for free space", "asked": "asked for"}


def run_gc(options: Mapping[str, Any], *, keep: int | None, dry_run: bool) -> int:
    """Remove left-overs and what exceeds the limits; return the exit code."""

    def work(call: Call) -> None:
        from ...engine.cleanup import collect_garbage

        found, seed = collect_garbage(
            call.settings, root_to_change(call), call.sink, keep=keep, dry_run=dry_run, job=call.job.url
        )
        _tell(call, found, seed, dry_run=dry_run)

    return perform("cache gc", options, None, work)


def run_clean(options: Mapping[str, Any], *, names: Sequence[str], dry_run: bool) -> int:
    """Remove everything, or what belongs to projects; return the exit code."""

    def work(call: Call) -> None:
        from ...engine.cleanup import clean_store

        found = clean_store(
            call.settings, root_to_change(call), call.sink, names=names, dry_run=dry_run, job=call.job.url
        )
        _tell(call, found, None, dry_run=dry_run)

    return perform("cache clean", options, None, work)


def run_unlock(options: Mapping[str, Any], *, dry_run: bool) -> int:
    """Remove locks of dead holders; return the exit code."""

    def work(call: Call) -> None:
        from ...store.store import Store
        from ...store.unlocking import unlock

        settings = call.settings
        layout = Store.open(root_to_change(call), retry_budget=settings.retry_budget, sink=call.sink).layout
        found = unlock(layout, patience=settings.lock_timeout, dry_run=dry_run)
        if settings.json:
            document = {
                "cache_dir": str(layout.root),
                "dry_run": dry_run,
                "locks": [{**each._asdict(), "path": str(each.path)} for each in found],
            }
            write_result(json.dumps(document, indent=2) + "\n")
            return
        for each in found:
            state = ("would be freed" if dry_run else "freed") if each.dead else "left alone: its holder may be alive"
            write_result(f"{each.path}  held by {each.holder}  {state}\n")
        if not found:
            write_result("no lock is held that does not free itself\n")

    return perform("cache unlock", options, None, work)


def _tell(call: Call, found: Collection, seed: Collected | None, *, dry_run: bool) -> None:
    if call.settings.json:
        write_result(json.dumps(_document(call, found, seed, dry_run=dry_run), indent=2) + "\n")
        return
    lines = []
    if dry_run or call.settings.verbose:
        lines += [f"{each.entry}  {human_bytes(each.bytes)}  {_REASONS[each.reason]}" for each in found.removed]
    verb = "would remove" if dry_run else "removed"
    reasons = Counter(_REASONS[each.reason] for each in found.removed)
    told = ", ".join(f"{count} {reason}" for reason, count in reasons.items())
    lines.append(
        f"{verb} {plural(len(found.removed), 'entry', 'entries')} ({human_bytes(found.removed_bytes)}, of which "
        f"{human_bytes(found.freed)} set free){f': {told}' if told else ''}"
    )
    if seed is not None:
        lines.append(
            f"{verb} {plural(len(seed.generations), 'generation')} and {plural(seed.entries, 'entry', 'entries')} that "
            f"none lists ({human_bytes(seed.bytes)})"
        )
    if found.left_overs:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(found.left_overs.items()))
        lines.append(f"{verb} {plural(found.left_overs.total(), 'left-over')}: {kinds}")
    if found.in_use:
        lines.append(f"kept {plural(found.in_use, 'entry', 'entries')} that jobs use")
    if found.listed:
        lines.append(f"kept {plural(found.listed, 'entry', 'entries')} that generations of this seed list")
    lines.append(f"the store {'would hold' if dry_run else 'holds'} {human_bytes(found.bytes)}")
    write_result("".join(f"{line}\n" for line in lines))


def _document(call: Call, found: Collection, seed: Collected | None, *, dry_run: bool) -> dict[str, object]:
    return {
        "cache_dir": str(root_of(call)),
        "dry_run": dry_run,
        "removed": [dataclasses.asdict(each) for each in found.removed],
        "removed_bytes": found.removed_bytes,
        "freed_bytes": found.freed,
        "left_overs": dict(found.left_overs),
        "in_use": found.in_use,
        "listed": found.listed,
        "failures": found.failures,
        "bytes": found.bytes,
        "generations": list(seed.generations) if seed else [],
        "unlisted": {"entries": seed.entries if seed else 0, "bytes": seed.bytes if seed else 0},
    }
