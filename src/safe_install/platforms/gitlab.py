"""GitLab CI. Variables: https://docs.gitlab.com/ci/variables/predefined_variables/ ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..models import Trust
from .detection import Platform
from .job import TRUSTED, Job, Verdict, folder_name, path_in

if TYPE_CHECKING:
    from collections.abc import Mapping


def describe(environ: Mapping[str, str]) -> Job:
    """Return what the runner says of its job.

    The build folder holds the number of the runner's slot (``CI_CONCURRENT_ID``), and beside it lies the runner's own
    ``.tmp``, on the same file system. Nobody empties that.
    """
    project = path_in(environ, "CI_PROJECT_DIR")
    slot = project and project.with_name(f"{project.name}.tmp")
    name = folder_name(environ.get("CI_SERVER_URL", ""), environ.get("CI_JOB_ID", ""))
    return Job(
        platform=Platform.GITLAB,
        url=environ.get("CI_JOB_URL") or None,
        workspace=project,
        slot_folder=slot,
        own_folder=slot / name if slot and environ.get("CI_JOB_ID") else None,
        verdict=_verdict(environ),
    )


def _verdict(environ: Mapping[str, str]) -> Verdict:
    source = environ.get("CI_MERGE_REQUEST_SOURCE_PROJECT_ID")
    if source and source != environ.get("CI_PROJECT_ID"):
        path = environ.get("CI_MERGE_REQUEST_SOURCE_PROJECT_PATH", source)
        return Verdict(Trust.UNTRUSTED, f"the merge request comes from the fork {path}")
    if environ.get("CI_COMMIT_REF_PROTECTED") != "true":
        name = environ.get("CI_COMMIT_REF_NAME", "this ref")
        return Verdict(Trust.UNTRUSTED, f"{name} is not protected: whoever may push may change it")
    return TRUSTED
