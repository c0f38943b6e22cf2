"""The environment variables of a build: a fixed list and what the user declares, nothing else (design section 8).

A variable that could change what is built is part of the build key; one that only says where things are and how to
reach the network is not.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

NEUTRAL = frozenset(
    {
        # Where programs, people and their tools live.
        "PATH", "HOME", "USER", "LOGNAME", "SHELL", "CARGO_HOME", "RUSTUP_HOME", "XDG_CACHE_HOME",
        # How the network is reached.
        "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy",
        "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO",
        # Without these, programs do not start on Windows, or compilers are not found there.
        "SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "USERPROFILE", "USERNAME", "APPDATA",
        "LOCALAPPDATA", "PROGRAMDATA", "PROGRAMFILES", "PROGRAMFILES(X86)", "PROGRAMW6432", "COMMONPROGRAMFILES",
        "COMMONPROGRAMFILES(X86)", "NUMBER_OF_PROCESSORS", "PROCESSOR_ARCHITECTURE", "VSINSTALLDIR",
    }
)  # fmt: skip
"""Passed on, and no part of the build key."""

COMPILER = frozenset(
    {
        "CC", "CXX", "CPP", "FC", "F77", "F90", "AR", "AS", "LD", "NM", "RANLIB", "STRIP", "LDSHARED",
        "CFLAGS", "CXXFLAGS", "CPPFLAGS", "FFLAGS", "FCFLAGS", "LDFLAGS", "ARFLAGS", "ARCHFLAGS", "LIBS",
        "CPATH", "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH", "LIBRARY_PATH", "LD_LIBRARY_PATH", "LD_RUN_PATH",
        "PKG_CONFIG", "PKG_CONFIG_PATH", "PKG_CONFIG_LIBDIR", "MACOSX_DEPLOYMENT_TARGET", "SDKROOT",
        "CMAKE_ARGS", "CMAKE_GENERATOR", "CMAKE_PREFIX_PATH", "CUDA_HOME", "CUDA_PATH",
        "RUSTC", "RUSTFLAGS", "RUSTUP_TOOLCHAIN", "CARGO_BUILD_TARGET", "GOFLAGS", "CGO_ENABLED",
        "INCLUDE", "LIB", "LIBPATH", "DISTUTILS_USE_SDK", "MSSDK", "VSCMD_ARG_TGT_ARCH",
        "SOURCE_DATE_EPOCH", "_PYTHON_HOST_PLATFORM",
    }
)  # fmt: skip
"""Passed on, and part of the build key, as are the variables of ``--build-env``."""

# Programs read these in every build; a value from the caller would make the log or the imports depend on the machine.
_FIXED = {"PYTHONNOUSERSITE": "1", "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8", "GIT_TERMINAL_PROMPT": "0"}


def key_variables(available: Mapping[str, str], declared: Iterable[str] = ()) -> dict[str, str]:
    """Return those of *available* that belong into the build key: compiler variables and *declared* ones."""
    return _selected(available, COMPILER | frozenset(declared))


def build_variables(
    available: Mapping[str, str],
    *,
    declared: Iterable[str] = (),
    temporary: Path,
    scripts: Path | None = None,
    environment: Path | None = None,
) -> dict[str, str]:
    """Return all variables of a build process.

    :param available: those of the calling process.
    :param declared: names given with ``--build-env``.
    :param temporary: the folder for the build's temporary files.
    :param scripts: commands that come first on PATH; None without isolation.
    :param environment: the private environment, for ``VIRTUAL_ENV``.
    """
    found = _selected(available, NEUTRAL | COMPILER | frozenset(declared))
    found.update(_FIXED)
    found.update(dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary)))
    if scripts is not None:
        found["PATH"] = _joined_path(str(scripts), available)
    if environment is not None:
        found["VIRTUAL_ENV"] = str(environment)
    return found


def _selected(available: Mapping[str, str], names: frozenset[str]) -> dict[str, str]:
    if "SYSTEMROOT" in available:
        # Windows ignores the case of names, and Python gives them in upper case.
        names = frozenset(name.upper() for name in names)
    return {name: value for name, value in available.items() if name in names}


def _joined_path(first: str, available: Mapping[str, str]) -> str:
    rest = available.get("PATH")
    return f"{first}{os.pathsep}{rest}" if rest else first
