"""What a Python is: its version, markers, tags and install scheme, asked of itself by a stand-alone script.

A probe takes about 20 ms. The caller may keep the answer as a document, as long as the executable does not change.
"""

from __future__ import annotations

import json
import os
import subprocess
from importlib import resources
from typing import TYPE_CHECKING, NoReturn

from ..errors import TargetError
from .interpreter_document import interpreter_from_document
from .tags import wheel_tags

if TYPE_CHECKING:
    from ..models import Interpreter

OLDEST = (3, 8)
"""The first CPython that environments are made for (design section 11)."""

# How much of what a broken interpreter printed is shown.
_OUTPUT_LINES = 12
# Understood by every Python since 2.6, for those that the probe is too modern for.
_VERSION_SCRIPT = "import sys; print('%d.%d.%d' % sys.version_info[:3])"


def probe(executable: str, *, timeout: float = 30.0) -> Interpreter:
    """Ask the Python at *executable* what it is.

    :param executable: absolute, or relative to the working directory; its links are kept, because an environment's
        Python is found by its link (PEP 405).
    :param timeout: seconds that it may take.
    :raises TargetError: ``interpreter-missing``, ``interpreter-broken`` (it does not run, or takes too long),
        ``interpreter-too-old`` (before `OLDEST`), ``interpreter-unsupported`` (not CPython).
    """
    executable = os.path.abspath(executable)
    completed = _run(executable, ["-I", "-S", "-"], _probe_source(), timeout)
    try:
        facts = json.loads(completed.stdout)
    except ValueError:
        _refuse_silent(executable, completed, timeout)
    if facts["implementation"] != "cpython":
        name = facts["markers"]["platform_python_implementation"]
        raise TargetError(
            f"the Python at {executable} is {name}; only CPython is supported",
            code="interpreter-unsupported",
            hint="name a CPython with --python",
        )
    _refuse_old(executable, tuple(facts["version"]))
    facts["executable"] = executable
    facts["base_executable"] = os.path.abspath(facts["base_executable"])
    facts["tag_texts"] = wheel_tags(facts)
    return interpreter_from_document(facts)


def running_version(executable: str, *, timeout: float) -> tuple[int, ...] | None:
    """Return the version that the Python at *executable* says it has; None when it does not run.

    Shims of version managers exist for versions that are not there, and fail when they are run.
    """
    try:
        completed = _run(executable, ["-E", "-s", "-S", "-c", _VERSION_SCRIPT], b"", timeout)
    except TargetError:
        return None
    text = completed.stdout.strip()
    parts = text.split(b".")
    return tuple(map(int, parts)) if completed.returncode == 0 and all(part.isdigit() for part in parts) else None


def _probe_source() -> bytes:
    return resources.files(__package__).joinpath("_probe.py").read_bytes()


def _run(executable: str, arguments: list[str], source: bytes, timeout: float) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run([executable, *arguments], input=source, capture_output=True, timeout=timeout, check=False)
    except FileNotFoundError as error:
        if os.path.exists(executable):
            # The file is there: what is missing is the loader or the interpreter in its first line.
            _refuse_broken(executable, f"it cannot be started: {error.strerror}")
        raise TargetError(
            f"there is no Python at {executable}",
            code="interpreter-missing",
            hint="name another one with --python PATH or --python VERSION",
        ) from error
    except OSError as error:
        _refuse_broken(executable, f"it cannot be started: {error.strerror or error}")
    except subprocess.TimeoutExpired as error:
        output = (error.stdout or b"") + (error.stderr or b"")
        _refuse_broken(executable, f"it did not answer within {timeout:g} s", output)


def _refuse_silent(executable: str, completed: subprocess.CompletedProcess[bytes], timeout: float) -> NoReturn:
    """Tell an interpreter that is too old for the probe from one that does not work."""
    version = running_version(executable, timeout=timeout)
    if version is not None:
        _refuse_old(executable, version)
    output = completed.stdout + completed.stderr
    _refuse_broken(executable, f"it ended with exit code {completed.returncode} when asked what it is", output)


def _refuse_old(executable: str, version: tuple[int, ...]) -> None:
    if version < OLDEST:
        text, oldest = ".".join(map(str, version)), ".".join(map(str, OLDEST))
        raise TargetError(
            f"the Python at {executable} is {text}; environments need {oldest} or newer",
            code="interpreter-too-old",
            hint="name a newer one with --python",
        )


def _refuse_broken(executable: str, what: str, output: bytes = b"") -> NoReturn:
    lines = output.decode("utf-8", "replace").splitlines()
    raise TargetError(
        f"the Python at {executable} does not work: {what}",
        code="interpreter-broken",
        context=tuple(line for line in lines[-_OUTPUT_LINES:] if line.strip()),
        hint="repair it, or name another one with --python",
    )
