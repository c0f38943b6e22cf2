r"""What the administrator of a runner says about all its jobs: defaults for settings, and how far they are trusted.

A repository may lower the trust of its jobs, and only the administrator may raise it. So the file lies outside of what
a job checks out: ``/etc/safe-install/runner.toml``, on Windows ``safe-install\runner.toml`` in the folder of all users'
data. The variable `VARIABLE` names another one; since a repository can set variables and write files too, that one may
only lower trust.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..models import Trust

if TYPE_CHECKING:
    from collections.abc import Mapping

_COMMON_APPDATA, _LONGEST = 0x23, 260  # CSIDL_COMMON_APPDATA, MAX_PATH
VARIABLE = "SAFE_INSTALL_RUNNER_FILE"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerFile:
    """:param values: settings by option name, not checked. :param raises: its ``trust`` may raise that of a job."""

    path: Path
    values: Mapping[str, Any]
    raises: bool

    @property
    def trust(self) -> object:
        """What it says of the trust of jobs; None when it says nothing that counts."""
        value = self.values.get("trust")
        return value if self.raises or value == Trust.UNTRUSTED.value else None


def usual_place() -> Path:
    """Return where the file lies when nothing names another. No variable has a say in that."""
    if sys.platform != "win32":
        return Path("/etc/safe-install/runner.toml")
    import ctypes

    buffer = ctypes.create_unicode_buffer(_LONGEST)
    ctypes.windll.shell32.SHGetFolderPathW(None, _COMMON_APPDATA, None, 0, buffer)
    return Path(buffer.value or r"C:\ProgramData") / "safe-install" / "runner.toml"


def read_runner_file(environ: Mapping[str, str], workspace: Path | None) -> RunnerFile | None:
    """Return the file; None where there is none.

    :param workspace: what the job's repository can write.
    :raises InputError: ``configuration-invalid``: it is named and not there, cannot be read, or is no TOML;
        ``runner-file-in-workspace``: it lies in *workspace*.
    """
    named = environ.get(VARIABLE)
    path = Path(named) if named else usual_place()
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        if named:
            raise _unreadable(path, "there is no such file") from None
        return None
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error
    if named and (not path.is_absolute() or (workspace and _is_below(path, workspace))):
        raise InputError(
            f"{VARIABLE} names {path}, which the repository can write",
            code="runner-file-in-workspace",
            hint="only a file outside of the checkout, named by its full path, speaks for the runner",
        )
    import tomllib  # most runners have no such file

    try:
        values = tomllib.loads(data.decode("utf-8"))
    except ValueError as error:
        raise _unreadable(path, str(error)) from error
    return RunnerFile(path=path, values=values, raises=not named)


def _is_below(path: Path, folder: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def _unreadable(path: Path, reason: str) -> InputError:
    return InputError(f"cannot read the runner's file {path}: {reason}", code="configuration-invalid")
