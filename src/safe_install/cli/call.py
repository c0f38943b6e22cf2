"""One call of the command: settings, screen, recorder; errors become exit codes, results become reports."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..engine.report import Recorder, report_document
from ..errors import ExitCode, InputError, InterruptionError, SafeInstallError, StoreError
from ..interruption import shielded
from ..models import Isolation, LinkMode
from ..redact import redact_url
from .output import Screen, write_result
from .this_job import ThisJob, settle

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..engine.report import Outcome
    from ..events import Event
    from ..settings import Settings


class Call:
    """What a command function works with. :param job: with all options, settled."""

    def __init__(self, job: ThisJob, screen: Screen, recorder: Recorder, environ: Mapping[str, str]) -> None:
        self.job = job
        self.settings = job.settings
        self.screen = screen
        self.recorder = recorder
        self.environ = environ
        self.exit_code: int = ExitCode.DONE
        """What a command that has printed its whole result itself says in the end."""
        self.details: dict[str, object] = {}
        """What such a command adds to the report, which is then written even when nothing failed."""

    def sink(self, event: Event) -> None:
        """Record an event and show it."""
        self.recorder.note(event)
        self.screen.note(event)


def perform(
    command: str,
    options: Mapping[str, Any],
    verb: str | None,
    work: Callable[[Call], Outcome | None],
    *,
    use_scratch: bool = True,
    reports: bool = True,
) -> int:
    """Run *work* and return the exit code; nothing escapes but a broken interpreter.

    :param options: raw values of the command line by option name.
    :param verb: begins the summary, such as ``Installed``; None for a command that prints its own result.
    :param use_scratch: whether the folder of ``--scratch`` is made, and used by libraries.
    :param reports: whether ``--json`` and ``--report`` are obeyed.
    """
    environ = os.environ
    recorder = Recorder()
    outcome: Outcome | None = None
    error: SafeInstallError | None = None
    settings: Settings | None = None
    call: Call | None = None
    # Until the settings are known, only what the command line itself says about output holds.
    screen = Screen(environ, quiet=bool(options.get("quiet")), verbose=bool(options.get("verbose")), progress=False)
    try:
        job = settle(options, environ, _working_folder())
        settings = job.settings
        _check(settings)
        screen = Screen(environ, quiet=settings.quiet, verbose=settings.verbose, progress=settings.progress)
        if settings.scratch is not None and use_scratch:
            # Libraries make temporary files too.
            tempfile.tempdir = str(_made(settings.scratch))
        call = Call(job, screen, recorder, environ)
        outcome = work(call)
    except KeyboardInterrupt:
        error = InterruptionError("interrupted; what was half done has been put back", code="interrupted")
    except SafeInstallError as caught:
        error = caught
    except Exception as caught:  # noqa: BLE001 - the last line of defence: a bug of ours, told as such
        error = _own_fault(caught, verbose=bool(settings and settings.verbose))
    details = call.details if call else {}
    if call is not None and outcome is not None and "scope" in options:
        outcome = replace(outcome, layout={**outcome.layout, **_terms(call.job)})
    exit_code = _conclude(
        command, options, settings, verb, screen, recorder, outcome, error, details if reports else None
    )
    return exit_code or int(call.exit_code if call else ExitCode.DONE)


def _terms(job: ThisJob) -> dict[str, str]:
    """On which terms the platform let this job work: part of the layout in its report."""
    return {
        "platform": job.job.platform.value,
        "scope": job.settings.used_scope.value,
        "trust": job.settings.trust.value,
        "distrust": job.distrust,
    }


def refuse(error: SafeInstallError, arguments: Sequence[str]) -> int:
    """Tell of an error that came before any command began, as a report too where that was asked for."""
    screen = Screen(os.environ, quiet=False, verbose=False, progress=False)
    command = next((each for each in arguments if not each.startswith("-")), "")
    own = arguments[: list(arguments).index("--")] if "--" in arguments else arguments
    reports = [each.partition("=")[2] for each in own if each.startswith("--report=")]
    options = {"json": "--json" in own, "report": reports[-1] if reports else None}
    return _conclude(command, options, None, None, screen, Recorder(), None, error, {})


@shielded
def _conclude(
    command: str,
    options: Mapping[str, Any],
    settings: Settings | None,
    verb: str | None,
    screen: Screen,
    recorder: Recorder,
    outcome: Outcome | None,
    error: SafeInstallError | None,
    details: Mapping[str, object] | None,
) -> int:
    """Tell how it ended, on screen and in reports; return the exit code.

    :param details: what is added to the report; None for no report.
    """
    if error is not None:
        screen.error(error)
    elif outcome is not None and verb is not None:
        screen.summary(verb, outcome, recorder)
    exit_code = error.exit_code if error else ExitCode.DONE
    try:
        if details is not None and (verb is not None or error is not None or details):
            _write_reports(options, settings, {**report_document(command, recorder, outcome, error), **details})
    except SafeInstallError as caught:
        screen.error(caught)
        exit_code = exit_code or caught.exit_code
    return int(exit_code)


def _working_folder() -> Path:
    try:
        return Path.cwd()
    except OSError as error:
        raise InputError(
            f"the working folder cannot be used: {error.strerror}",
            code="working-folder-gone",
            hint="change to a folder that exists, and run the command again",
        ) from error


def _check(settings: Settings) -> None:
    if settings.quiet and settings.verbose:
        raise InputError("--quiet and --verbose exclude each other", code="setting-invalid")
    if settings.isolation is Isolation.STRICT and settings.link_mode is LinkMode.HARDLINK:
        raise InputError(
            "--link-mode hardlink shares files with the store, and --isolation strict allows no shared files",
            code="setting-invalid",
            hint="leave --link-mode out, or choose reflink or copy",
        )


def _made(scratch: Path) -> Path:
    try:
        scratch.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"cannot make the scratch folder {scratch}: {error.strerror}", code="scratch-unusable"
        ) from error
    return scratch


def _own_fault(caught: Exception, *, verbose: bool) -> SafeInstallError:
    """Return the error for what nobody expected; a disk may fail or be full anywhere, and that is no bug."""
    import traceback

    if isinstance(caught, OSError):
        from ..fs.failures import explain, is_of_the_system

        if is_of_the_system(caught):
            return explain(caught, doing=f"go on in {_place(caught)}", path=str(caught.filename or Path.cwd()))
    lines = traceback.format_exception(caught)
    shown = lines if verbose else lines[-3:]
    return SafeInstallError(
        redact_url(f"internal error: {type(caught).__name__}: {caught}"),
        code="internal-error",
        context=tuple(redact_url("".join(shown)).rstrip().splitlines()),
        hint="this is a bug in safe-install; please report it with the output of --verbose",
    )


def _place(caught: Exception) -> str:
    """Where in our own code *caught* was met: module and line."""
    import traceback

    ours = str(Path(__file__).parents[1])
    frames = [frame for frame in traceback.extract_tb(caught.__traceback__) if frame.filename.startswith(ours)]
    last = frames[-1]
    return f"{Path(last.filename).relative_to(ours).as_posix()}, line {last.lineno}"


def _write_reports(options: Mapping[str, Any], settings: Settings | None, document: dict[str, object]) -> None:
    """Print the report with ``--json``, write it with ``--report``; the file appears in one step.

    :param settings: None when they could not be read: then what the command line says by itself counts.
    """
    # ASCII, because paths may hold bytes that are no text, and a console may know few characters.
    text = json.dumps(document, indent=2) + "\n"
    target = settings.report if settings else options.get("report")
    if target is not None:
        from ..fs.atomic import write_atomically

        try:
            path = Path(target)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, text.encode("ascii"))
        except OSError as error:
            raise StoreError(f"cannot write the report to {target}: {error}", code="report-unwritable") from error
    if settings.json if settings else options.get("json"):
        write_result(text)
