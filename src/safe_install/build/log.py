"""The output of one build: a file in scratch, kept elsewhere when the build fails."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from typing import IO, TYPE_CHECKING

from ..redact import redact_url

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SHOWN_LINES = 40
# Forty lines of compiler output; a longer line is cut from the left.
_SHOWN_BYTES = 1 << 14
# Colours and cursor movements (ECMA-48 control sequences, and the title strings of terminals), then all other controls.
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|.)|[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class BuildLog:
    """What the programs of one build write.

    :param path: the file in scratch, made at the first `open`.
    :param folder: where it is kept on failure; made when needed.
    """

    def __init__(self, path: Path, *, folder: Path, subject: str) -> None:
        self._path = path
        self._folder = folder
        self._subject = subject

    @contextlib.contextmanager
    def open(self, title: str) -> Iterator[IO[bytes]]:
        """Open it for a program's output, below a line that says what runs."""
        self.add(f"=== {title} ===")
        with self._path.open("ab") as file:
            yield file

    def add(self, text: str) -> None:
        """Append *text* and a line end."""
        with self._path.open("ab") as file:
            file.write(text.encode("utf-8", "replace") + b"\n")

    def tail(self) -> tuple[str, ...]:
        """Return the last lines, fit for a terminal and without credentials."""
        try:
            with self._path.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _SHOWN_BYTES))
                text = file.read().decode("utf-8", "replace")
        except FileNotFoundError:
            return ()
        lines = [_ESCAPES.sub("", line).rstrip() for line in redact_url(text).replace("\r\n", "\n").split("\n")]
        while lines and not lines[-1]:
            lines.pop()
        return tuple(lines[-_SHOWN_LINES:])

    def keep(self) -> Path | None:
        """Copy the whole log, without credentials, into the folder; None when there is none or that is impossible.

        A log that cannot be kept must not hide why the build failed.
        """
        name = re.sub(r"[^A-Za-z0-9._+-]+", "-", self._subject).strip("-.") or "build"
        target = self._folder / f"{name}-{secrets.token_hex(4)}.log"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with self._path.open("rb") as source, target.open("x", encoding="utf-8") as copy:
                for line in source:
                    copy.write(redact_url(line.decode("utf-8", "replace")))
        except OSError:
            with contextlib.suppress(OSError):
                target.unlink(missing_ok=True)
            return None
        return target

    def evidence(self) -> tuple[str, ...]:
        """Return the context lines of an error: where the log is, and its end."""
        kept = self.keep()
        shown = self.tail()
        return (
            *((f"the whole log: {kept}",) if kept is not None else ()),
            *(("its last lines:", *(f"| {line}" for line in shown)) if shown else ()),
        )
