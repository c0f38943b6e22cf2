"""The plain steps of putting something into the folder of an environment. Paths in it are relative, with ``/``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..errors import TargetError
from ..fs._system import CREATE, system_path
from ..fs.failures import explain

if TYPE_CHECKING:
    from collections.abc import Sequence

CACHE_FOLDER = "__pycache__"
"""Where bytecode lies, beside its sources (PEP 3147)."""
_SHOWN = 5


def below(folder: str, relative: str) -> str:
    """Return a path below *folder* as an absolute one of this system."""
    if os.sep != "/":
        relative = relative.replace("/", os.sep)
    return f"{folder}{os.sep}{relative}" if relative else folder


def join(folder: str, name: str) -> str:
    """Return the path of *name* in *folder*, which may be empty for the root."""
    return f"{folder}/{name}" if folder else name


def make_folder(place: str) -> None:
    """Make a folder, or find that it is there.

    :raises StoreError: it cannot be made.
    """
    try:
        os.mkdir(system_path(place))
    except OSError as error:
        if not (isinstance(error, FileExistsError) and os.path.isdir(system_path(place))):
            raise explain(error, doing="make a folder", path=place, option="--venv") from error


def write_file(place: str, content: bytes, *, executable: bool) -> None:
    """Make a new file.

    :raises StoreError: it cannot be made or written.
    """
    try:
        with open(os.open(system_path(place), CREATE, 0o777 if executable else 0o666), "wb") as file:
            file.write(content)
    except OSError as error:
        raise explain(error, doing="write a file of the environment", path=place, option="--venv") from error


def check_failed(root: str, problems: Sequence[str]) -> TargetError:
    """Return the error for an environment that is not what was put into it."""
    return TargetError(
        f"the environment {root} is not what was installed",
        code="environment-check-failed",
        context=tuple(problems[:_SHOWN]),
        hint="find out what else changes this folder, and run the command again",
    )
