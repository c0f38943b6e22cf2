"""What a step says to GitHub's runner, in the words of the workflow commands.

https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands ; spoken by ``actions-toolkit``
(the extra ``github``), a port of ``@actions/core``. It knows no job summary and no way to silence the output of others,
and leaves what it says in Python's buffer.
"""

from __future__ import annotations

import os
import secrets
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import InputError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from .locating import Place

_MOST_SUMMARY_BYTES = 1024 * 1024  # a step's, beyond which GitHub drops all of it


class WorkflowCommands:
    """The runner of this job. :raises InputError: ``extra-missing``: ``actions-toolkit`` is not installed."""

    def __init__(self) -> None:
        try:
            from actions_toolkit import command, core
        except ImportError as error:
            raise InputError(
                "the extra github is not installed",
                code="extra-missing",
                hint="pip install 'safe-install[github]', or use the action, which brings it",
            ) from error
        self._core: ModuleType = core
        self._command: ModuleType = command

    def mask(self, secret: str) -> None:
        """Never show *secret* in the log."""
        self._say(self._core.set_secret, secret)

    @contextmanager
    def group(self, title: str) -> Iterator[None]:
        """What is written meanwhile can be folded, and no word of it is a command."""
        token = secrets.token_hex(16)
        self._say(self._core.start_group, title)
        self._say(self._command.issue, "stop-commands", token)
        try:
            yield
        finally:
            sys.stderr.flush()
            self._say(self._command.issue, token)
            self._say(self._core.end_group)

    def warning(self, message: str, title: str) -> None:
        """Show a warning with the job."""
        self._say(self._core.warning, message, title=title)

    def error(self, message: str, title: str, place: Place | None) -> None:
        """Show a failure with the job, and beside the line that it is about."""
        where = {"file": place.file, "start_line": place.line} if place else {}
        self._say(self._core.error, message, title=title, **where)

    def output(self, name: str, value: str) -> None:
        """Let later steps ask for *value*."""
        self._say(self._core.set_output, name, value)

    def export(self, name: str, value: str) -> None:
        """Set a variable for later steps."""
        self._say(self._core.export_variable, name, value)

    def add_path(self, folder: str) -> None:
        """Put *folder* first on PATH for later steps."""
        self._say(self._core.add_path, folder)

    def summary(self, text: str) -> None:
        """Add Markdown to the page of the job, where the runner has one."""
        name = os.environ.get("GITHUB_STEP_SUMMARY")
        if name and len(data := text.encode("utf-8", "backslashreplace")) <= _MOST_SUMMARY_BYTES:
            with _told(), Path(name).open("ab") as file:
                file.write(data)

    @staticmethod
    def _say(speak: Callable[..., object], *words: str, **properties: object) -> None:
        with _told():
            speak(*words, **properties)
            sys.stdout.flush()


@contextmanager
def _told() -> Iterator[None]:
    """:raises StoreError: ``platform-untold``: the runner's files are not there, or their disk is full."""
    try:
        yield
    except Exception as error:  # actions-toolkit raises nothing more special for a missing file
        raise StoreError(f"cannot tell the runner: {error}", code="platform-untold") from error
