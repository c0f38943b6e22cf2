"""Make a bare virtual environment with the virtualenv library: no pip, no network, nothing of the user's settings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import TargetError
from ..events import ignore
from ..fs.retry import DEFAULT_BUDGET, retry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..events import EventSink
    from ..models import Interpreter


def create_virtual_environment(
    place: str,
    interpreter: Interpreter,
    *,
    app_data: Path,
    prompt: str | None = None,
    variables: Mapping[str, str] | None = None,
    budget: float = DEFAULT_BUDGET,
    sink: EventSink = ignore,
) -> None:
    """Make a virtual environment at *place*, an empty or missing folder. Takes about 80 ms.

    :param interpreter: the one to make it from; of a virtual environment the Python behind it is taken.
    :param app_data: a folder where virtualenv keeps what it learns of interpreters; made when missing.
    :param prompt: what the activation scripts show; the name of the folder by default.
    :param variables: what *interpreter* is started with, where it has to be asked; some need ``LD_LIBRARY_PATH``, and
        on Windows all need ``SYSTEMROOT``.
    :param budget: seconds for errors that pass: on Windows, a scanner opens files with which the library has not ended.
    :raises TargetError: ``environment-creation-failed``; what was made so far is at *place*.
    """
    if os.pathsep in place:
        # It would fall apart in PATH, so the activation scripts could not work.
        raise _failed(place, f"its path contains {os.pathsep!r}, which separates the entries of PATH")
    arguments = [
        place,
        f"--python={interpreter.base_executable}",
        f"--app-data={app_data}",
        "--without-pip",
        "--no-periodic-update",
        "--no-vcs-ignore",
        *([f"--prompt={prompt}"] if prompt else []),
    ]
    try:
        # What an earlier try made is made again.
        retry(
            lambda: _run(arguments, app_data, variables or {}),
            what=f"make the environment {place}",
            budget=budget,
            sink=sink,
        )
    except SystemExit as error:
        # Its argument parser complains in this way, on standard error.
        raise _failed(place, f"virtualenv refused its arguments, with exit code {error.code}") from error
    except Exception as error:  # a library's errors have no common root
        raise _failed(place, f"{type(error).__name__}: {error}") from error


def bundled_pip(interpreter: Interpreter) -> Path | None:
    """Return the wheel of pip that the virtualenv library brings for this Python; None when it has none.

    To be installed like any other wheel (``--with-pip``).
    """
    from virtualenv.seed.wheels.embed import get_embed_wheel

    wheel = get_embed_wheel("pip", ".".join(map(str, interpreter.version[:2])))
    return Path(wheel.path) if wheel is not None else None


def _run(arguments: list[str], app_data: Path, variables: Mapping[str, str]) -> None:
    # 60 ms to import.
    from virtualenv import session_via_cli

    # Neither variables nor a configuration file of virtualenv change what we make.
    environ = {name: value for name, value in variables.items() if not name.upper().startswith("VIRTUALENV_")}
    environ["VIRTUALENV_CONFIG_FILE"] = str(app_data / "none.ini")
    with session_via_cli(arguments, setup_logging=False, env=environ) as session:
        session.run()


def _failed(place: str, reason: str) -> TargetError:
    return TargetError(
        f"could not make the environment {place}",
        code="environment-creation-failed",
        context=tuple(reason.splitlines()),
        hint="name another Python with --python, or another folder with --venv",
    )
