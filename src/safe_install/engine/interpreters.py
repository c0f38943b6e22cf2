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
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .. import __version__
from ..install.discovery import find_interpreter
from ..install.interpreter_document import interpreter_from_document, interpreter_to_document
from ..install.skeleton import Skeleton, read_skeleton
from ..models import Digest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..fs.scratch import Scratch
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

    def skeleton(self, interpreter: Interpreter, scratch: Callable[[], Scratch]) -> Skeleton | None:
        """Return what a new environment of *interpreter* holds; None where only the virtualenv library can make one.

        Not on Windows, where an environment has a copy of its interpreter.

        :raises TargetError: as `create_virtual_environment`.
        """
        key = _skeleton_key(interpreter.base_executable)
        if key is None or os.name == "nt":
            return None
        document = self._store.document(_BUCKET, key)
        if document is None:
            found = _make_skeleton(interpreter, scratch(), self._surroundings.variables)
            document = self._store.publish_document(_BUCKET, key, found.to_document() if found else {})
        return Skeleton.from_document(document)

    def describe(self, executable: str) -> Interpreter:
        """Return what the interpreter at *executable* says of itself. Errors as `find`."""
        key = _key(executable)
        if key is not None and (document := self._store.document(_BUCKET, key)) is not None:
            try:
                return interpreter_from_document(document)
            except ValueError:
                pass  # written by another version: ask again
        from ..install.interpreter import probe

        interpreter = probe(executable)
        if key is not None:
            self._store.publish_document(_BUCKET, key, interpreter_to_document(interpreter))
        return interpreter


def _make_skeleton(interpreter: Interpreter, scratch: Scratch, variables: Mapping[str, str]) -> Skeleton | None:
    from ..install.creation import create_virtual_environment

    # A name that nothing else contains.
    root = str(scratch.folder("skeleton") / f"environment-{secrets.token_hex(16)}")
    create_virtual_environment(root, interpreter, app_data=scratch.folder("virtualenv"), variables=variables)
    return read_skeleton(root)


def _skeleton_key(executable: str) -> Digest | None:
    key = _key(executable)
    return None if key is None else Digest(hashlib.sha256(f"skeleton {key}".encode()).hexdigest())


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
