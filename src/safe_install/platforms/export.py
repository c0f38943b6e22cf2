"""A job's layout as variables: for the next commands, for later jobs, and for other tools that keep caches.

The forms are those of shells and platforms. A value that one of them cannot hold is refused by name: written anyway, it
would become another variable or a command.
"""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Final

from ..errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def write_variables(variables: Mapping[str, str], form: str) -> str:
    """Return *variables* in one of `FORMS`.

    :raises InputError: ``not-exportable``: a value cannot be written in that form.
    """
    line = FORMS[form]
    return "".join(f"{line(name, value)}\n" for name, value in variables.items())


def _env(name: str, value: str) -> str:
    """For ``eval`` in a POSIX shell: within single quotes nothing means anything (XCU 2.2.2)."""
    quoted = _plain(name, value, "env").replace("'", "'\\''")
    return f"export {name}='{quoted}'"


def _dotenv(name: str, value: str) -> str:
    """For GitLab's dotenv reports: no quotes, no line breaks (https://docs.gitlab.com/ci/yaml/artifacts_reports/)."""
    return f"{name}={_plain(name, value, 'dotenv')}"


def _github(name: str, value: str) -> str:
    """For the file that GITHUB_ENV names; a random delimiter cannot be in the value."""
    delimiter = f"safe-install-{secrets.token_hex(8)}"
    return f"{name}<<{delimiter}\n{_plain(name, value, 'github')}\n{delimiter}"


def _powershell(name: str, value: str) -> str:
    """For ``Invoke-Expression``: single quotes end at any of PowerShell's quotation marks, each doubled."""
    quoted = re.sub("(['\u2018\u2019\u201a\u201b])", r"\1\1", _plain(name, value, "powershell"))
    return f"$env:{name} = '{quoted}'"


def _cmd(name: str, value: str) -> str:
    """For a batch file. Quotes cannot be escaped there, and are in no path of Windows."""
    if '"' in value:
        raise _refused(name, "cmd", "a quotation mark")
    return f'set "{name}={_plain(name, value, "cmd").replace("%", "%%")}"'


FORMS: Final[dict[str, Callable[[str, str], str]]] = {
    "env": _env,
    "dotenv": _dotenv,
    "github": _github,
    "powershell": _powershell,
    "cmd": _cmd,
}
"""How one variable is written."""


def _plain(name: str, value: str, form: str) -> str:
    if _CONTROL.search(value):
        raise _refused(name, form, "a control character")
    return value


def _refused(name: str, form: str, what: str) -> InputError:
    return InputError(
        f"{name} holds {what}, which the form {form} cannot express",
        code="not-exportable",
        hint="use --format json, or a folder with a plainer name",
    )
