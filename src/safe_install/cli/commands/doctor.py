"""``ci-install doctor``."""

from __future__ import annotations

import os
import sys
import tempfile
from typing import TYPE_CHECKING, Any

from ...errors import InputError, StoreError
from ..call import Call, perform
from ..output import plural, write_result

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ...engine.doctor import Diagnosis
    from ...probe.findings import Finding
    from ...probe.layout import JobLayout

_COLOURS = {"ok": "green", "notice": "yellow", "danger": "bold red"}


def run(options: Mapping[str, Any], *, paths: Sequence[str], fix: bool, deadline: float) -> int:
    """Look at every place that an installation would use; return the exit code, 7 when it could not succeed."""

    def work(call: Call) -> None:
        diagnosis = diagnose_job(call, paths=paths, deadline=deadline, fix=fix)
        call.details.update(_document(diagnosis))
        if not call.settings.json:
            _print(call, diagnosis)
        if diagnosis.blocking:
            from ...probe.mending import MENDED

            codes = list(dict.fromkeys(finding.code for finding in diagnosis.blocking))
            can_mend = not fix and not MENDED.isdisjoint(codes)
            raise StoreError(
                f"an installation with these settings cannot succeed: {', '.join(codes)}",
                code="layout-unusable",
                hint="`--fix` puts it right where that is safe"
                if can_mend
                else "what mends it stands beside each finding",
            )

    # What is wrong with the folder for temporary files is to be told, and not to be met.
    return perform("doctor", options, None, work, use_scratch=False)


def diagnose_job(call: Call, *, paths: Sequence[str] = (), deadline: float, fix: bool = False) -> Diagnosis:
    """Look at every place that an installation of this job would use.

    :raises InputError: ``setting-invalid``: *deadline*.
    """
    from ...engine.doctor import Defaults, diagnose
    from ...platforms.detection import name_of_system

    if not deadline > 0:
        raise InputError("--deadline must be more than 0 seconds", code="setting-invalid")
    defaults = Defaults(
        store=str(call.job.default_store),
        home=os.path.expanduser("~"),
        temp=_temporary_folder(call.environ),
        ci=name_of_system(call.environ),
        variables=call.environ,
    )
    return diagnose(call.settings, defaults, paths=paths, deadline=deadline, fix=fix)


def _temporary_folder(environ: Mapping[str, str]) -> str:
    """Where programs are told to put temporary files. Where nobody told them, Python finds a place by trying."""
    named = next((environ[name] for name in ("TMPDIR", "TEMP", "TMP") if environ.get(name)), None)
    return named or tempfile.gettempdir()


def _document(diagnosis: Diagnosis) -> dict[str, object]:
    from ...probe.facts import write_facts

    return {
        "layout": layout_document(diagnosis.layout),
        "findings": [
            {
                "code": each.code,
                "level": each.level.value,
                "place": each.place,
                "roles": list(each.roles),
                "cause": each.cause,
                "effect": each.effect,
                "mend": each.mend,
                "blocks": each.blocks,
            }
            for each in diagnosis.findings
        ],
        "places": [write_facts(place) for place in diagnosis.facts.places],
        "links": [write_facts(trial) for trial in diagnosis.facts.links],
        "machine": write_facts(diagnosis.facts.machine),
        "mended": list(diagnosis.mended),
        "not_mended": list(diagnosis.not_mended),
    }


def layout_document(layout: JobLayout) -> dict[str, object]:
    """Return *layout* as it stands in reports."""
    return {
        "works": layout.works,
        "scope": layout.scope.value,
        "trust": layout.trust.value,
        "layers": [
            {
                "name": each.name,
                "path": each.path,
                "writable": each.writable,
                "sharing": each.sharing,
                "locks": each.locks,
            }
            for each in layout.layers
        ],
        "environment": layout.environment,
        "environment_locks": layout.environment_locks,
        "scratch": layout.scratch,
        "link_mode": layout.link_mode.value,
        "reasons": list(layout.reasons),
    }


def _print(call: Call, diagnosis: Diagnosis) -> None:
    findings = [each for each in diagnosis.findings if each.level.value != "ok" or not call.settings.quiet]
    if sys.stdout.isatty() and not call.environ.get("CI") and call.environ.get("TERM") != "dumb":
        _print_table(findings)
    else:
        write_result("".join(f"{line}\n" for each in findings for line in _lines(each)))
    lines = [f"mended: {each}" for each in diagnosis.mended]
    lines += [f"not mended: {each}" for each in diagnosis.not_mended]
    lines += layout_lines(diagnosis.layout)
    counts = {level: sum(each.level.value == level for each in diagnosis.findings) for level in ("danger", "notice")}
    lines.append(f"{plural(counts['danger'], 'danger')}, {plural(counts['notice'], 'notice')}")
    write_result("".join(f"{line}\n" for line in lines))


def _lines(finding: Finding) -> Iterator[str]:
    yield f"{finding.level.value}[{finding.code}]: {_subject(finding)}{finding.cause}"
    if finding.effect:
        yield f"  effect: {finding.effect}"
    if finding.mend:
        yield f"  mend: {finding.mend}"


def _subject(finding: Finding) -> str:
    return f"{' and '.join(finding.roles)} {finding.place}: " if finding.roles else ""


def _print_table(findings: Sequence[Finding]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(show_lines=True, expand=False)
    for heading in ("finding", "where", "what, and what comes of it", "what mends it"):
        table.add_column(heading, overflow="fold")
    for each in findings:
        cause = (
            Text(f"{each.cause}\n", style="bold").append(each.effect, style="not bold") if each.effect else each.cause
        )
        where = "\n".join(filter(None, (" and ".join(each.roles), each.place)))
        name = Text(each.level.value, style=_COLOURS[each.level.value]).append(
            f"\n{each.code}", style="default not bold"
        )
        table.add_row(name, Text(where), cause, Text(each.mend))
    Console().print(table)


def layout_lines(layout: JobLayout) -> Iterator[str]:
    """Yield *layout* as it is shown on a screen."""
    yield "the layout that works here:" if layout.works else "no layout works here; what can be had:"
    for each in layout.layers:
        rights = "read and written" if each.writable else "read"
        place = each.path or "a temporary store in scratch"
        yield f"  {each.name:<12} {place} ({each.sharing}, {rights}, {each.locks} locks)"
    yield f"  {'environment':<12} {layout.environment or 'none'} ({layout.environment_locks} locks)"
    yield f"  {'scratch':<12} {layout.scratch or 'none'}"
    yield f"  {'link mode':<12} {layout.link_mode.value}"
    yield f"  {'trust':<12} {layout.trust.value}"
    for reason in layout.reasons:
        yield f"  because {reason}"
