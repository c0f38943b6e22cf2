"""What this process runs on: user, container, CI system, antivirus filters."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from ..fs._system import host_name, whoami
from ._system import scanners
from .facts import Machine

if TYPE_CHECKING:
    from collections.abc import Mapping

# The variable that each system documents for this purpose; the last is what many others set.
_CI = (
    ("GITHUB_ACTIONS", "GitHub Actions"),
    ("GITLAB_CI", "GitLab CI"),
    ("JENKINS_URL", "Jenkins"),
    ("BUILDKITE", "Buildkite"),
    ("TF_BUILD", "Azure Pipelines"),
    ("CIRCLECI", "CircleCI"),
    ("TEAMCITY_VERSION", "TeamCity"),
    ("BITBUCKET_BUILD_NUMBER", "Bitbucket Pipelines"),
    ("CI", "a CI system"),
)
# Files that container engines put into every container.
_CONTAINERS = (("/.dockerenv", "docker"), ("/run/.containerenv", "podman"))


def look_at_machine(variables: Mapping[str, str]) -> Machine:
    """Return what is known. :param variables: the environment of this process."""
    number, name = whoami()
    return Machine(
        system=sys.platform,
        host=host_name(),
        user=number,
        user_name=name,
        container=container_of(variables),
        ci=next((system for variable, system in _CI if variables.get(variable)), ""),
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
