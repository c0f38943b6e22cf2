"""Jenkins. Variables: https://www.jenkins.io/doc/book/pipeline/jenkinsfile/#using-environment-variables .

Those of change requests come from the branch API: https://plugins.jenkins.io/branch-api/ .
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..models import Trust
from .detection import Platform
from .job import TRUSTED, Job, Verdict, folder_name, path_in

if TYPE_CHECKING:
    from collections.abc import Mapping


def describe(environ: Mapping[str, str]) -> Job:
    """Return what the agent says of its job.

    ``WORKSPACE_TMP`` lies beside the workspace, on the same file system; executors that run one job at a time have
    workspaces of their own (``…@2``). It is removed with the workspace only.
    """
    workspace = path_in(environ, "WORKSPACE")
    slot = path_in(environ, "WORKSPACE_TMP") or (workspace and workspace.with_name(f"{workspace.name}@tmp"))
    name = folder_name(environ.get("JENKINS_URL", ""), environ["BUILD_TAG"], environ.get("EXECUTOR_NUMBER", ""))
    return Job(
        platform=Platform.JENKINS,
        url=environ.get("BUILD_URL") or None,
        workspace=workspace,
        slot_folder=slot,
        own_folder=slot / name if slot else None,
        verdict=_verdict(environ),
    )


def _verdict(environ: Mapping[str, str]) -> Verdict:
    change = environ.get("CHANGE_ID")
    if not change:
        return TRUSTED
    fork = environ.get("CHANGE_FORK")
    return Verdict(
        Trust.UNTRUSTED, f"it builds the change request {change}" + (f" from the fork {fork}" if fork else "")
    )
