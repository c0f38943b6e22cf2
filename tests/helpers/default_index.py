"""An environment in which pip, uv and `ci-install` ask the same single index.

A machine's pip may be configured with further indexes, links and constraints that uv does not read. For
comparisons only one thing of that configuration counts: the index that pip asks first, and the certificate to trust there.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from safe_install.platforms.detection import SIGNS

if TYPE_CHECKING:
    from collections.abc import Mapping

# What else the three tools read; anything of it would make one of them see what the others do not. PYTHON…: pip passes
# PYTHONDONTWRITEBYTECODE on to builds, some of which put bytecode into their wheels, and ci-install does not.
_FOREIGN = ("PIP_", "UV_", "SAFE_INSTALL_", "PYTHON")
_KEPT = {"PIP_CERT", "PIP_CLIENT_CERT", "PIP_PROXY", "PIP_TRUSTED_HOST", "PIP_DEFAULT_TIMEOUT", "PIP_INDEX_URL"}


def with_only_the_default_index(environ: Mapping[str, str]) -> dict[str, str]:
    """Return *environ* without the settings of pip, uv, safe-install and Python, except which index is the default.

    That index, its certificate and its proxy are taken from pip's variables and files and spelled for all three tools.
    """
    configured = _pip_configuration(environ)
    cleaned = {name: value for name, value in environ.items() if not name.startswith(_FOREIGN) or name in _KEPT}
    for sign in SIGNS:  # a job that is not trusted would have another store than the one that is named
        cleaned.pop(sign.variable, None)
    for variable in _KEPT:
        key = variable.removeprefix("PIP_").removeprefix("DEFAULT_").lower().replace("_", "-")
        if key in configured:
            cleaned.setdefault(variable, configured[key])
    if "PIP_INDEX_URL" in cleaned:
        cleaned["UV_DEFAULT_INDEX"] = cleaned["PIP_INDEX_URL"]
    if "PIP_CERT" in cleaned:
        cleaned.setdefault("SSL_CERT_FILE", cleaned["PIP_CERT"])
    cleaned.update(PIP_CONFIG_FILE=os.devnull, PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_NO_INPUT="1", UV_NO_CONFIG="1")
    return cleaned


def _pip_configuration(environ: Mapping[str, str]) -> dict[str, str]:
    """Keys of ``pip config list`` without their section; those of ``install`` beat those of ``global``."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True, env=dict(environ)).stdout.splitlines()
    found: dict[str, str] = {}
    for section in ("global.", "install."):
        for line in lines:
            name, separator, value = line.partition("=")
            if separator and name.startswith(section):
                found[name.removeprefix(section)] = str(ast.literal_eval(value))
    return found
