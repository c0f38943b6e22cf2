"""The process that runs of the command are forked from (`subject`), and how strace is attached to one of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from faults.strace import subject

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


@dataclass(frozen=True)
class Ended:
    """How a run ended. :param returncode: as `subprocess` has it."""

    returncode: int
    stderr: str


class Server:
    """One process in one folder with one set of variables.

    :param folder: the working folder of all runs; what they print is kept in it.
    """

    def __init__(self, folder: Path, variables: Mapping[str, str]) -> None:
        self._go, self._stdout, self._stderr = (folder / name for name in ("go", "stdout", "stderr"))
        os.mkfifo(self._go)
        self._process = subprocess.Popen(
            [sys.executable, subject.__file__, str(os.getpid())],
            cwd=folder,
            env=variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def close(self) -> None:
        """End it."""
        with self._process:
            _stream(self._process.stdin).close()

    def strace(self, options: Sequence[str], arguments: Iterable[str]) -> Ended:
        """Run ``ci-install`` with *arguments* under ``strace`` with *options*."""
        for path in (self._stdout, self._stderr):
            path.write_bytes(b"")
        request = {"go": self._go, "stdin": os.devnull, "stdout": self._stdout, "stderr": self._stderr}
        requests, answers = _stream(self._process.stdin), _stream(self._process.stdout)
        requests.write(json.dumps({**{key: str(path) for key, path in request.items()}, "arguments": [*arguments]}))
        requests.write("\n")
        requests.flush()
        number = int(answers.readline())
        tracer = subprocess.Popen(["strace", *options, "-p", str(number)], stderr=subprocess.PIPE, text=True)
        with tracer:
            said = _stream(tracer.stderr)
            lines: list[str] = []
            # Before it is attached, strace may tell which paths it has resolved.
            for line in iter(said.readline, ""):
                lines.append(line)
                if line.endswith(" attached\n"):
                    break
            # Also where it could not be attached: the process waits for the word.
            self._go.write_bytes(b"")
            assert lines, "strace said nothing"
            assert lines[-1].endswith(" attached\n"), "".join(lines)
            returncode = int(answers.readline())
            said.read()
        return Ended(returncode, self._stderr.read_text(encoding="utf-8", errors="backslashreplace"))


def _stream(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream
