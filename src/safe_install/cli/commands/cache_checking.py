"""``ci-install cache init``, ``cache verify`` and ``cache repair``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ...errors import ExitCode, InputError, IntegrityError
from ..call import Call, perform
from ..output import human_bytes, plural, write_result
from .cache import root_of, root_to_change

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...store.inspection import Findings


def run_init(options: Mapping[str, Any], *, sharing: str | None, group: str | None) -> int:
    """Make a store, or share one that is there in another way; return the exit code."""

    def work(call: Call) -> None:
        from ...models import Sharing
        from ...store.creation import create_store

        wanted = None if sharing is None else Sharing(sharing)
        if group is not None and wanted is not Sharing.GROUP:
            raise InputError("--group is for --shared group", code="setting-invalid")
        root, budget = root_to_change(call).absolute(), call.settings.retry_budget
        marker = create_store(root, wanted, group, budget=budget, sink=call.sink)
        if call.settings.json:
            write_result(json.dumps({"cache_dir": str(root), "shared": marker.sharing.value}) + "\n")
        else:
            write_result(f"{root} ({marker.sharing.value})\n")

    return perform("cache init", options, None, work)


def run_verify(options: Mapping[str, Any]) -> int:
    """Read every byte of the store; return the exit code, 4 on damage."""

    def work(call: Call) -> None:
        findings = _inspect(call, repair=False)
        if call.settings.json:
            _print_json(call, findings)
            call.exit_code = ExitCode.INTEGRITY if findings.damaged else ExitCode.DONE
            return
        _print(call, findings)
        if findings.damaged:
            raise IntegrityError(
                f"{plural(len(findings.damaged), 'entry', 'entries')} of the store at {root_of(call)} "
                f"{'is' if len(findings.damaged) == 1 else 'are'} damaged",
                code="store-damaged",
                hint="`ci-install cache repair` puts them into quarantine; what needs them makes them again",
            )

    return perform("cache verify", options, None, work)


def run_repair(options: Mapping[str, Any]) -> int:
    """Mend what can be mended, and put the rest aside; return the exit code, 4 when something could not be."""

    def work(call: Call) -> None:
        findings = _inspect(call, repair=True)
        left = [each for each in findings.damaged if not each.aside]
        if call.settings.json:
            _print_json(call, findings)
            call.exit_code = ExitCode.INTEGRITY if left else ExitCode.DONE
            return
        _print(call, findings)
        if left:
            raise IntegrityError(
                f"{plural(len(left), 'damaged entry', 'damaged entries')} could not be moved aside",
                code="store-damaged",
                hint="run it again as the owner of the store",
            )

    return perform("cache repair", options, None, work)


def _inspect(call: Call, *, repair: bool) -> Findings:
    from ...store.inspection import inspect
    from ...store.store import Store

    settings = call.settings
    opening = Store.open if repair else Store.open_for_reading
    root = root_to_change(call) if repair else root_of(call)
    store = opening(root, retry_budget=settings.retry_budget, sink=call.sink)
    return inspect(store, repair=repair, job=call.job.url, budget=settings.retry_budget, sink=call.sink)


def _print(call: Call, findings: Findings) -> None:
    root = root_of(call).absolute()
    lines = []
    for each in findings.damaged:
        state = "in quarantine" if each.aside else "damaged"
        lines.append(f"{each.path.relative_to(root).as_posix()}: {state}: {'; '.join(each.problems)}")
    for entry, files in sorted(findings.touched.items()):
        lines.append(f"{entry}: mode or time of {plural(files, 'file')} is wrong, content is right")
    lines.append(
        f"{plural(findings.entries, 'entry', 'entries')} with {human_bytes(findings.bytes)}: "
        f"{len(findings.damaged):,} damaged, {len(findings.touched):,} touched"
    )
    write_result("\n".join(lines) + "\n")


def _print_json(call: Call, findings: Findings) -> None:
    root = root_of(call).absolute()
    document = {
        "cache_dir": str(root),
        "entries": findings.entries,
        "bytes": findings.bytes,
        "damaged": [
            {
                "entry": each.path.relative_to(root).as_posix(),
                "problems": list(each.problems),
                "quarantined": each.aside,
            }
            for each in findings.damaged
        ],
        "touched": [{"entry": entry, "files": files} for entry, files in sorted(findings.touched.items())],
    }
    write_result(json.dumps(document, indent=2) + "\n")
