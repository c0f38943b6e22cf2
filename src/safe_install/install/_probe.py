"""Describe the Python that runs this, as one JSON document on standard output.

Sent to the target interpreter on standard input, so it may use nothing but the standard library, and only what CPython
3.8 to 3.14 all have. It runs with ``-I -S``: no user site, ``.pth`` file or ``sitecustomize`` can change the answer.
"""

from __future__ import annotations

import json
import os
import platform
import struct
import sys

SHORT_VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"
KEYS = ("purelib", "platlib", "scripts", "data")


def enter_virtual_environment() -> None:
    """Let `sys.prefix` be that of the virtual environment: before Python 3.14 `site` sees to it, which ``-S`` skips."""
    import site

    # `site.venv` would go on and run the ``.pth`` files of what it found.
    site.addsitepackages = lambda *_args: None  # type: ignore[assignment]  # a stub by design
    try:
        site.venv(set())
    except Exception:  # noqa: BLE001, S110 - a private function: without it the prefix stays what the system says
        pass


def home_python() -> str:
    """The interpreter behind a virtual environment, or this one."""
    found = getattr(sys, "_base_executable", None) or sys.executable
    if sys.prefix == sys.base_prefix or os.path.realpath(os.path.dirname(found)) != os.path.realpath(
        os.path.dirname(sys.executable)
    ):
        return found
    # Before 3.11 `_base_executable` is the environment's own on Unix; `pyvenv.cfg` knows the folder (PEP 405).
    try:
        with open(os.path.join(sys.prefix, "pyvenv.cfg"), encoding="utf-8") as config:
            lines = dict(line.split("=", 1) for line in config if "=" in line)
    except OSError:
        return os.path.realpath(found)
    home = {key.strip().lower(): value.strip() for key, value in lines.items()}.get("home", "")
    names = (f"python{SHORT_VERSION}", "python3", "python", "python.exe")
    candidates = [os.path.join(home, name) for name in names]
    return next((path for path in candidates if os.path.isfile(path)), os.path.realpath(found))


def scheme_of_virtual_environment() -> dict[str, str]:
    """The install scheme of an environment made from this Python, relative to its root."""
    import sysconfig

    fallback = "nt" if os.name == "nt" else "posix_prefix"
    scheme = "venv" if "venv" in sysconfig.get_scheme_names() else fallback
    root = os.path.join(os.sep, "\ue000root")
    names = ("base", "platbase", "installed_base", "installed_platbase")
    found = sysconfig.get_paths(scheme, vars=dict.fromkeys(names, root))
    relative = {key: os.path.relpath(found[key], root).replace(os.sep, "/") for key in KEYS}
    # What pip uses in every virtual environment, whatever the scheme says; a folder per distribution lies below it.
    relative["headers"] = f"include/site/python{SHORT_VERSION}"
    return relative


def externally_managed(stdlib: str) -> str | None:
    """What the file of PEP 668 says, when there is one; it does not concern virtual environments."""
    path = os.path.join(stdlib, "EXTERNALLY-MANAGED")
    if sys.prefix != sys.base_prefix or not os.path.isfile(path):
        return None
    import configparser

    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read(path, encoding="utf-8")
        return parser.get("externally-managed", "Error", fallback="")
    except (OSError, UnicodeDecodeError, configparser.Error):
        return ""


def libc() -> tuple[str, str]:
    """Name and version of the C library, where it can be told."""
    confstr = getattr(os, "confstr", None)
    if confstr is None:
        return "", ""
    try:
        name, _, version = (confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
    except (OSError, ValueError):
        name, version = "", ""
    return (name, version) if version else musl()


def musl() -> tuple[str, str]:
    """Musl tells its version when its loader is run without arguments (PEP 656)."""
    import glob
    import subprocess

    for loader in sorted(glob.glob("/lib/ld-musl-*.so.1")):
        text = subprocess.run([loader], stderr=subprocess.PIPE, check=False).stderr.decode("ascii", "replace")
        for line in text.splitlines():
            if line.startswith("Version "):
                return "musl", line.split()[1]
    return "", ""


def implementation_version() -> str:
    """As PEP 508 spells it."""
    info = sys.implementation.version
    text = f"{info.major}.{info.minor}.{info.micro}"
    return text if info.releaselevel == "final" else f"{text}{info.releaselevel[0]}{info.serial}"


def markers() -> dict[str, str]:
    """The environment markers of PEP 508."""
    return {
        "implementation_name": sys.implementation.name,
        "implementation_version": implementation_version(),
        "os_name": os.name,
        "platform_machine": platform.machine(),
        "platform_release": platform.release(),
        "platform_system": platform.system(),
        "platform_version": platform.version(),
        "python_full_version": platform.python_version(),
        "platform_python_implementation": platform.python_implementation(),
        "python_version": ".".join(platform.python_version_tuple()[:2]),
        "sys_platform": sys.platform,
    }


def describe() -> dict[str, object]:
    """Everything, ready for JSON."""
    enter_virtual_environment()
    # Imported late: it takes a copy of `sys.prefix` when it is imported.
    import sysconfig

    paths = sysconfig.get_paths()
    own = {key: paths[key] for key in (*KEYS, "stdlib")}
    relative = scheme_of_virtual_environment()
    virtual = sys.prefix != sys.base_prefix
    own["headers"] = os.path.join(sys.prefix, *relative["headers"].split("/")) if virtual else paths["include"]
    from importlib.machinery import EXTENSION_SUFFIXES
    from importlib.util import MAGIC_NUMBER

    return {
        "executable": sys.executable,
        "base_executable": home_python(),
        "version": list(sys.version_info[:3]),
        "implementation": sys.implementation.name,
        "markers": markers(),
        "platform": sysconfig.get_platform(),
        "paths": own,
        "relative_paths": relative,
        "prefix": sys.prefix,
        "base_prefix": sys.base_prefix,
        "externally_managed": externally_managed(paths["stdlib"]),
        "cache_tag": sys.implementation.cache_tag,
        "magic_number": MAGIC_NUMBER.hex(),
        "libc": list(libc()),
        "pointer_bits": struct.calcsize("P") * 8,
        "gil_disabled": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
        "debug": bool(sysconfig.get_config_var("Py_DEBUG")) or "_d.pyd" in EXTENSION_SUFFIXES,
        "mac_version": platform.mac_ver()[0],
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(describe()))
