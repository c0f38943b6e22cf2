"""Run what a job asks for at a door, and hand the report to its platform."""

from __future__ import annotations

import io
import json
import os
import secrets
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import ExitCode, InputError, StoreError
from ...platforms.job import job_at_hand
from ...redact import redact_url
from .carrying import carrying
from .inputs import read_request, report_asked_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .inputs import Request


class Teller:
    """What one platform is told, and how. This one's is told by the report alone (Jenkins)."""

    def new_report(self) -> Path:
        """Return a name for the report that nothing has, where nobody gives one; a job may come in by a door twice.

        :raises StoreError: ``report-unwritable``: its folder cannot be made.
        """
        folder = job_at_hand(os.environ).own_folder or Path(tempfile.gettempdir())
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(folder, error) from error
        return folder / f"report-{secrets.token_hex(8)}.json"

    def begin(self, title: str, values: Sequence[str]) -> None:
        """Say that the work begins. :param values: the inputs, which may hold secrets."""

    def end(self, report: Mapping[str, Any], path: Path, request: Request | None) -> None:
        """Hand over the results of a command that was run. :param request: None when its inputs were refused."""


def run(teller: Teller, execute: Callable[[Sequence[str]], int], refuse: Callable[[InputError, Path], int]) -> int:
    """Do what the variables of the door ask for; return the exit code.

    :param execute: runs ``ci-install`` with arguments, and lets nothing escape.
    :param refuse: tells of inputs that are wrong, and writes that report.
    :raises StoreError: ``report-unwritable``: there is no place for the report.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Names may hold any letter, and the pipe of a runner on Windows knows few.
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    request: Request | None = None
    problem: InputError | None = None
    try:
        request = read_request(os.environ, Path.cwd())
    except InputError as error:
        problem = error
    path = _place(teller)
    title = " ".join(("ci-install", request.command, *request.files)) if request else "ci-install"
    teller.begin(redact_url(title), [value for name, value in os.environ.items() if name.startswith("SAFE_INSTALL_")])
    code: int = ExitCode.INTERNAL
    try:
        if request is None:
            assert problem is not None
            code = refuse(problem, path)
        else:
            os.environ.update(request.variables)
            store = carrying(os.environ, Path.cwd(), request, execute)
            if store is not None:
                store.restore()
            command, *rest = request.arguments
            code = execute([command, f"--report={path}", *rest])
            if store is not None:
                store.save(request, _read(path, code))
    finally:
        report = _read(path, code)
        teller.end(report, path, request)
    return code or int(report["exit_code"])


def _place(teller: Teller) -> Path:
    """Where the report goes. What is there is of an earlier call, and must not be taken for that of this one.

    :raises StoreError: ``report-unwritable``.
    """
    asked_for = report_asked_for(os.environ)
    path = Path(asked_for).absolute() if asked_for else teller.new_report()
    try:
        path.unlink(missing_ok=True)
    except (OSError, ValueError) as error:
        raise _unwritable(path, error) from error
    return path


def _unwritable(place: Path, error: Exception) -> StoreError:
    return StoreError(
        f"cannot write the report to {place}: {error}",
        code="report-unwritable",
        hint="name another file with the input report",
    )


def outputs(report: Mapping[str, Any], path: Path) -> dict[str, str]:
    """Return the values of `safe_install.doors.OUTPUTS` for one report."""
    layout, counts = report["layout"], report["counts"]
    done = report["outcome"] == "done"
    return {
        "outcome": report["outcome"],
        "exit-code": str(report["exit_code"]),
        "venv": layout.get("venv", ""),
        "python": layout.get("python", ""),
        "layout": json.dumps(layout),
        "link-mode": layout.get("link_mode", ""),
        "cache-hit": "true" if done and not counts["fetched"] and not counts["built"] else "false",
        "fetched-bytes": str(counts["bytes_fetched"]),
        "distributions": str(len(report["distributions"])),
        "repaired": str(counts["repaired"]),
        "step-downs": str(len(report["step_downs"])),
        "report": str(path),
    }


def _read(path: Path, code: int) -> dict[str, Any]:
    """The report at *path*; where even that could not be written, what is known of the end."""
    from ...engine.report import Recorder, report_document
    from ..commands.report import read_report

    try:
        report = read_report(path)
    except InputError:
        # Whoever reports nothing has installed nothing.
        bare = report_document("", Recorder(), None, None)
        return {**bare, "outcome": "failed", "exit_code": code or int(ExitCode.INTERNAL)}
    return report
