"""``ci-install seed``."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import InputError
from ..call import Call, perform
from ..measures import read_duration
from ..output import human_bytes, plural, write_result
from ..settings_sources import seed_reference

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...engine.report import Outcome
    from ...models import SeedReference
    from ...store.seeds import Seed


def run_publish(
    options: Mapping[str, Any],
    *,
    root: str,
    sources: Sequence[str],
    add: bool,
    extras: Sequence[str],
    groups: Sequence[str],
) -> int:
    """Make a generation of what *sources* need the current one; return the exit code."""

    def work(call: Call) -> Outcome:
        from ...engine.seed import publish
        from ..surroundings import look_around

        reference = _reference(root, pinned=False)
        published = publish(
            call.settings,
            look_around(call),
            call.sink,
            reference.path,
            sources,
            add=add,
            extras=extras,
            groups=groups,
        )
        if not call.settings.json:
            write_result(f"{published.generation}\n")
        return published.outcome

    return perform("seed publish", options, "Published", work)


def run_list(options: Mapping[str, Any], *, root: str) -> int:
    """Print the generations of a seed; return the exit code."""

    def work(call: Call) -> None:
        from ...engine.seed import list_generations

        seed = _open(call, _reference(root, pinned=False))
        found = list_generations(seed)
        if call.settings.json:
            rows = [
                {"generation": each.digest, "current": each.current, "since": each.since, "entries": each.entries}
                for each in found
            ]
            _print_json({"seed": str(seed.root), "generations": rows})
            return
        lines = []
        for each in found:
            since = time.strftime("%Y-%m-%d %H:%M", time.localtime(each.since)) if each.since else "never current"
            size = "damaged" if each.entries is None else plural(each.entries, "entry", "entries")
            lines.append(f"{'*' if each.current else ' '} {each.digest}  {since:<16}  {size}")
        write_result("".join(f"{line}\n" for line in lines))

    return perform("seed list", options, None, work)


def run_show(options: Mapping[str, Any], *, reference: str) -> int:
    """Print what a generation lists; return the exit code."""

    def work(call: Call) -> None:
        chosen = _reference(reference)
        seed = _open(call, chosen)
        digest = seed.chosen(chosen.generation)
        generation = seed.generation(digest)
        wheels = sorted((listed.filename, wheel) for wheel, listed in generation.wheels.items())
        if call.settings.json:
            _print_json(
                {
                    "seed": str(seed.root),
                    "generation": digest,
                    "wheels": [{"filename": filename, "sha256": wheel} for filename, wheel in wheels],
                    "files": sorted(generation.files),
                    "documents": {bucket: len(names) for bucket, names in generation.documents.items()},
                    "pages": len(generation.pages),
                }
            )
            return
        documents = sum(map(len, generation.documents.values()))
        lines = [f"{filename}  sha256:{wheel}" for filename, wheel in wheels]
        lines.append(
            f"{digest}: {plural(len(wheels), 'wheel')}, {plural(len(generation.files), 'file')}, "
            f"{plural(documents, 'document')}, {plural(len(generation.pages), 'page')}"
        )
        write_result("".join(f"{line}\n" for line in lines))

    return perform("seed show", options, None, work)


def run_verify(options: Mapping[str, Any], *, reference: str) -> int:
    """Hash everything that a generation lists; return the exit code, 4 on damage."""

    def work(call: Call) -> None:
        from ...engine.seed import verify

        chosen = _reference(reference)
        digest, count = verify(_open(call, chosen), chosen.generation, call.sink)
        if call.settings.json:
            _print_json({"generation": digest, "entries": count, "damaged": 0})
        else:
            write_result(f"{digest}: {plural(count, 'entry', 'entries')}, all whole\n")

    return perform("seed verify", options, None, work)


def run_rollback(options: Mapping[str, Any], *, reference: str) -> int:
    """Make an earlier generation the current one; return the exit code."""

    def work(call: Call) -> None:
        from ...engine.seed import roll_back

        before, after = roll_back(call.settings, call.sink, _reference(reference))
        if call.settings.json:
            _print_json({"before": before, "generation": after})
        else:
            write_result(f"{after}\n")

    return perform("seed rollback", options, None, work)


def run_gc(options: Mapping[str, Any], *, root: str, keep: int, min_age: str, dry_run: bool) -> int:
    """Remove what no kept generation lists; return the exit code."""

    def work(call: Call) -> None:
        from ...engine.seed import collect_garbage

        collected = collect_garbage(
            call.settings,
            call.sink,
            _reference(root, pinned=False).path,
            keep=keep,
            min_age=read_duration(min_age, "--min-age"),
            dry_run=dry_run,
        )
        if call.settings.json:
            _print_json(
                {
                    "dry_run": dry_run,
                    "generations": list(collected.generations),
                    "entries": collected.entries,
                    "bytes": collected.bytes,
                }
            )
            return
        lines = [f"generation {digest}" for digest in collected.generations]
        verb = "would remove" if dry_run else "removed"
        lines.append(
            f"{verb} {plural(len(lines), 'generation')}, {plural(collected.entries, 'entry', 'entries')} "
            f"({human_bytes(collected.bytes)})"
        )
        write_result("".join(f"{line}\n" for line in lines))

    return perform("seed gc", options, None, work)


def _reference(text: str, *, pinned: bool = True) -> SeedReference:
    try:
        reference = seed_reference(text, Path.cwd())
    except ValueError as error:
        raise InputError(str(error), code="usage") from error
    if reference.generation is not None and not pinned:
        raise InputError(f"this command takes a whole seed, not one generation: {text}", code="usage")
    return reference


def _open(call: Call, reference: SeedReference) -> Seed:
    from ...store.seeds import Seed

    return Seed.open_for_reading(reference.path, retry_budget=call.settings.retry_budget, sink=call.sink)


def _print_json(document: Mapping[str, object]) -> None:
    write_result(json.dumps(document, indent=2) + "\n")
