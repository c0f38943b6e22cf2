"""GitHub Actions, and what speaks its language (Forgejo, Gitea, act).

Variables: https://docs.github.com/en/actions/reference/workflows-and-actions/variables
Events: https://docs.github.com/en/actions/reference/workflows-and-actions/events-that-trigger-workflows
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from ..models import Trust
from .detection import Platform
from .job import TRUSTED, Job, Verdict, path_in

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

ON_BEHALF = frozenset({"pull_request_target", "workflow_run", "issue_comment"})
"""Events that run with the rights of the repository, on behalf of whoever opened a pull request or wrote a comment."""
_MOST_EVENT_BYTES = 32 * 1024 * 1024


def describe(environ: Mapping[str, str]) -> Job:
    """Return what the runner says of its job.

    ``RUNNER_TEMP`` is emptied at the beginning and at the end of each job. The tool cache belongs to one runner, and to
    the containers of its jobs as well, which act as other users: each user has a store of its own there. Where this
    user may not write to it, it is left alone.
    """
    temp = path_in(environ, "RUNNER_TEMP")
    tools = path_in(environ, "RUNNER_TOOL_CACHE")
    return Job(
        platform=Platform.GITHUB,
        url=_url(environ),
        workspace=path_in(environ, "GITHUB_WORKSPACE"),
        slot_folder=temp,
        own_folder=temp / "safe-install" if temp else None,
        is_emptied=True,
        runner_folder=tools / _store_name() if tools and os.access(tools, os.W_OK) else None,
        verdict=_verdict(environ),
    )


def _url(environ: Mapping[str, str]) -> str | None:
    run = environ.get("GITHUB_RUN_ID")
    if not run:
        return None
    return f"{environ.get('GITHUB_SERVER_URL', '')}/{environ.get('GITHUB_REPOSITORY', '')}/actions/runs/{run}"


def _store_name() -> str:
    return f"safe-install-{os.getuid()}" if hasattr(os, "getuid") else "safe-install"


def _verdict(environ: Mapping[str, str]) -> Verdict:
    event = environ.get("GITHUB_EVENT_NAME", "")
    if not event or not environ.get("GITHUB_REPOSITORY"):
        return Verdict(Trust.UNTRUSTED, "nothing says which event of which repository it runs for")
    if environ.get("GITHUB_ACTOR") == "dependabot[bot]":
        # GitHub gives these jobs the rights of a fork's.
        return Verdict(Trust.UNTRUSTED, "Dependabot started it, for code of dependencies")
    if event in ON_BEHALF:
        return Verdict(Trust.UNTRUSTED, f"the event {event} may run code that strangers wrote")
    if not event.startswith("pull_request"):
        return TRUSTED
    head = _head(_read_event(path_in(environ, "GITHUB_EVENT_PATH")))
    if head is None:
        return Verdict(Trust.UNTRUSTED, "nothing says which repository the pull request comes from")
    if head.lower() != environ["GITHUB_REPOSITORY"].lower():
        return Verdict(Trust.UNTRUSTED, f"the pull request comes from the fork {head}")
    return TRUSTED


def _read_event(path: Path | None) -> object:
    if path is None:
        return None
    try:
        with path.open("rb") as stream:
            return json.loads(stream.read(_MOST_EVENT_BYTES))
    except (OSError, ValueError, RecursionError):
        return None


def _head(event: object) -> str | None:
    """The repository that a pull request comes from; None when it was deleted, or is not said."""
    for key in ("pull_request", "head", "repo", "full_name"):
        event = event.get(key) if isinstance(event, dict) else None
    return event if isinstance(event, str) and event else None
