"""The target interpreter, with the answer of its probe kept in the store.

Starting a Python to ask it costs more than a whole warm `sync`. The answer is kept under everything that could
change it: the executable's path, time and size, those of ``pyvenv.cfg``, our own version, and this machine's
C library (jobs in different containers may share a store and the same paths).
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .. import __version__
from ..install.discovery import find_interpreter
from ..install.interpreter import interpreter_from_document, interpreter_to_document, probe
from ..models import Digest

if TYPE_CHECKING:
    from ..models import Interpreter
    from ..store.chain import Chain
    from .session import Surroundings

_BUCKET = "interpreters-1"


class InterpreterCache:
    """Finds interpreters and remembers what they said."""

    def __init__(self, store: Chain, surroundings: Surroundings) -> None:
        self._store = store
        self._surroundings = surroundings

    def find(self, request: str | None) -> Interpreter:
        """Return the interpreter that is meant by a path, a version, or None (the one that runs us).

        :raises TargetError: it is missing, broken, too old, or no CPython.
        """
        found = find_interpreter(
            request, path_variable=self._surroundings.variables.get("PATH", ""), current=self._surroundings.python
        )
        return self.describe(found)

    def describe(self, executable: str) -> Interpreter:
        """Return what the interpreter at *executable* says of itself. Errors as `find`."""
        key = _key(executable)
        if key is not None and (document := self._store.document(_BUCKET, key)) is not None:
            try:
                return interpreter_from_document(document)
            except ValueError:
                pass  # written by another version: ask again
        interpreter = probe(executable)
        if key is not None:
            self._store.publish_document(_BUCKET, key, interpreter_to_document(interpreter))
        return interpreter


def _key(executable: str) -> Digest | None:
    """Everything that the probe's answer depends on; None when the executable cannot be looked at."""
    configuration = Path(executable).parent.parent / "pyvenv.cfg"
    try:
        state = os.stat(executable)
        venv = os.stat(configuration) if configuration.exists() else None
    except OSError:
        return None
    facts = [
        executable,
        os.path.realpath(executable),
        state.st_size,
        state.st_mtime_ns,
        venv.st_mtime_ns if venv else 0,
        __version__,
        sys.platform,
        platform.machine(),
        _libc(),
    ]
    return Digest(hashlib.sha256(json.dumps(facts).encode()).hexdigest())


def _libc() -> str:
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (AttributeError, ValueError, OSError):
        return ""
