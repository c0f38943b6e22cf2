"""Look at the process and the machine once, for all that lies below the command line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..engine.session import Session, Surroundings
from .pip_configuration import read_pip_configuration

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .call import Call


def open_session(call: Call) -> Session:
    """Return a session for *call*; it opens nothing before it is entered and used."""
    return Session(call.settings, look_around(call), call.sink)


def look_around(call: Call) -> Surroundings:
    """Return what *call* was started in."""
    return Surroundings(
        variables=dict(call.environ),
        folder=Path.cwd(),
        python=sys.executable,
        cache_dir=default_cache_dir(),
        index_defaults=read_pip_configuration(call.environ),
        job=job_of(call.environ),
    )


def job_of(environ: Mapping[str, str]) -> str | None:
    """Return the URL of the CI job that this process belongs to, from the variables that its system documents."""
    if run := environ.get("GITHUB_RUN_ID"):
        return f"{environ.get('GITHUB_SERVER_URL', '')}/{environ.get('GITHUB_REPOSITORY', '')}/actions/runs/{run}"
    # GitLab, Jenkins.
    return environ.get("CI_JOB_URL") or environ.get("BUILD_URL") or None


def default_cache_dir() -> Path:
    """The store of a user who names none: in the cache folder that the system has for its users."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("safe-install", appauthor=False))
