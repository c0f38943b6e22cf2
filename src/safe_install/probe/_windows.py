"""What Windows tells of folders and machines; `_unix` offers the same names."""

from __future__ import annotations

import subprocess
import sys

from ..fs._system import longest_path

assert sys.platform == "win32"

# Characters, the closing NUL among them.
_LONG_PATH = 32767
_SERVICES = r"SYSTEM\CurrentControlSet\Services"


def acl_writers(path: str) -> tuple[str, ...]:  # noqa: ARG001 - the signature of Unix
    """None: access lists are not looked at here (`fs._windows.strangers_who_write`)."""
    return ()


def has_default_acl(path: str) -> bool:  # noqa: ARG001 - the signature of Unix
    """False: every access list is handed down here."""
    return False


def free_files(path: str) -> tuple[int | None, int | None]:  # noqa: ARG001 - the signature of Unix
    """No limit."""
    return None, None


def limits(path: str) -> tuple[int, int]:  # noqa: ARG001 - the signature of Unix
    """How long one name, and a whole path, may be for programs that take no care, in characters.

    Python takes long paths where the machine is set to allow them.
    """
    longest = longest_path()
    return 255, _LONG_PATH if longest is None else longest + 1


def length(path: str) -> int:
    """How long *path* is, in the unit of `limits`."""
    return len(path)


def scanners() -> tuple[str, ...] | None:
    """The drivers that are registered as antivirus filters and start by themselves, by name.

    ``fltmc`` tells which are loaded, to administrators only; the registry tells everybody.
    """
    import winreg

    found = []
    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, _SERVICES) as services:
            for number in range(winreg.QueryInfoKey(services)[0]):
                name = winreg.EnumKey(services, number)
                if _value(f"{_SERVICES}\\{name}", "Group") == "FSFilter Anti-Virus":
                    found.append(name)
    except OSError:
        return None
    return tuple(sorted(found)) or None


def _value(key: str, name: str) -> str:
    import winreg

    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, key) as opened:
            return str(winreg.QueryValueEx(opened, name)[0])
    except OSError:
        return ""


def leave_group() -> dict[str, object]:
    """Options of `subprocess.Popen` for a process that no Ctrl-C of a terminal reaches."""
    return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
