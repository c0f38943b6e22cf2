"""What this process runs on: user, container, antivirus filters."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from ..fs._system import host_name, whoami
from ._system import scanners
from .facts import Machine

if TYPE_CHECKING:
    from collections.abc import Mapping

# Files that container engines put into every container.
_CONTAINERS = (("/.dockerenv", "docker"), ("/run/.containerenv", "podman"))


def look_at_machine(variables: Mapping[str, str], *, ci: str) -> Machine:
    """Return what is known.

    :param variables: the environment of this process.
    :param ci: the name of the CI system that started it; empty for none.
    """
    number, name = whoami()
    return Machine(
        system=sys.platform,
        host=host_name(),
        user=number,
        user_name=name,
        container=container_of(variables),
        ci=ci,
        scanners=scanners(),
    )


def container_of(variables: Mapping[str, str]) -> str:
    """Return the kind of container that this process is in; empty for none that can be seen."""
    if variables.get("KUBERNETES_SERVICE_HOST"):
        return "kubernetes"
    for file, kind in _CONTAINERS:
        if os.path.exists(file):
            return kind
    return variables.get("container", "")  # what systemd-nspawn, lxc and others tell the first process
