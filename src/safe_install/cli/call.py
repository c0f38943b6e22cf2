"""One call of the command: settings, screen, recorder; errors become exit codes, results become reports."""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..engine.report import Recorder, report_document
from ..errors import ExitCode, InputError, InterruptionError, SafeInstallError, StoreError
from .output import Screen
from .settings_sources import read_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import FrameType

    from ..engine.report import Outcome
    from ..events import Event
    from ..settings import Settings


class Call:
    """What a command function works with. :param settings: all options, settled."""

    def __init__(self, settings: Settings, screen: Screen, recorder: Recorder, environ: Mapping[str, str]) -> None:
        self.settings = settings
        self.screen = screen
        self.recorder = recorder
        self.environ = environ

    def sink(self, event: Event) -> None:
        """Record an event and show it."""
        self.recorder.note(event)
        self.screen.note(event)


def perform(command: str, options: Mapping[str, Any], verb: str | None, work: Callable[[Call], Outcome | None]) -> int:
    """Run *work* and return the exit code; nothing escapes but a broken interpreter.

    :param options: raw values of the command line by option name.
    :param verb: begins the summary, such as ``Installed``; None for a command that prints its own result.
    """
    environ = os.environ
    recorder = Recorder()
    outcome: Outcome | None = None
    error: SafeInstallError | None = None
    settings: Settings | None = None
    # Until the settings are known, only what the command line itself says about output holds.
    screen = Screen(environ, quiet=bool(options.get("quiet")), verbose=bool(options.get("verbose")), progress=False)
    try:
        _interrupt_on_terminate()
        settings = read_settings(options, environ, Path.cwd())
        _check(settings)
        screen = Screen(environ, quiet=settings.quiet, verbose=settings.verbose, progress=settings.progress)
        if settings.scratch is not None:
            # Libraries make temporary files too.
            tempfile.tempdir = str(_made(settings.scratch))
        outcome = work(Call(settings, screen, recorder, environ))
    except KeyboardInterrupt:
        error = InterruptionError("interrupted; what was half done has been put back", code="interrupted")
    except SafeInstallError as caught:
        error = caught
    except Exception as caught:  # noqa: BLE001 - the last line of defence: a bug of ours, told as such
        error = _own_fault(caught, verbose=bool(settings and settings.verbose))
    if error is not None:
        screen.error(error)
    elif outcome is not None and verb is not None:
        screen.summary(verb, outcome, recorder)
    exit_code = error.exit_code if error else ExitCode.DONE
    try:
        if verb is not None or error is not None:
            _write_reports(settings, report_document(command, recorder, outcome, error))
    except SafeInstallError as caught:
        screen.error(caught)
        exit_code = exit_code or caught.exit_code
    return int(exit_code)


def _check(settings: Settings) -> None:
    if settings.quiet and settings.verbose:
        raise InputError("--quiet and --verbose exclude each other", code="setting-invalid")


def _made(scratch: Path) -> Path:
    try:
        scratch.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"cannot make the scratch folder {scratch}: {error.strerror}", code="scratch-unusable"
        ) from error
    return scratch


def _interrupt_on_terminate() -> None:
    """Treat SIGTERM, which CI systems send to cancel a job, like Ctrl-C: put everything back, then end."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, interrupt)


def _own_fault(caught: Exception, *, verbose: bool) -> SafeInstallError:
    import traceback

    lines = traceback.format_exception(caught)
    shown = lines if verbose else lines[-3:]
    return SafeInstallError(
        f"internal error: {type(caught).__name__}: {caught}",
        code="internal-error",
        context=tuple("".join(shown).rstrip().splitlines()),
        hint="this is a bug in safe-install; please report it with the output of --verbose",
    )


def _write_reports(settings: Settings | None, document: dict[str, object]) -> None:
    """Print the report with ``--json``, write it with ``--report``; the file appears in one step."""
    if settings is None:
        return
    text = json.dumps(document, indent=2, ensure_ascii=False)
    if settings.json:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    if settings.report is not None:
        from ..fs.atomic import write_atomically

        try:
            settings.report.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(settings.report, (text + "\n").encode())
        except OSError as error:
            raise StoreError(
                f"cannot write the report to {settings.report}: {error}", code="report-unwritable"
            ) from error
