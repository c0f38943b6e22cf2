"""The job at hand: its folders, its address, and how far it is trusted."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..models import Trust
from .detection import Platform, detect

if TYPE_CHECKING:
    from collections.abc import Mapping


class Verdict(NamedTuple):
    """How far a job is trusted. :param reason: why, for reports; empty where nothing speaks against it."""

    trust: Trust
    reason: str = ""


TRUSTED = Verdict(Trust.TRUSTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What a platform says of the job that this process belongs to.

    :param url: of its page.
    :param workspace: the checkout, which the repository's own code can write.
    :param slot_folder: for temporary files of one job at a time; the next job of this slot finds them. None where the
        platform has none.
    :param own_folder: in it, for what this job alone uses.
    :param is_emptied: the platform empties *slot_folder* between two jobs.
    :param runner_folder: for what the jobs of this runner share; None: where the user keeps caches.
    :param verdict: what the platform's variables say; an administrator may know better.
    """

    platform: Platform
    url: str | None = None
    workspace: Path | None = None
    slot_folder: Path | None = None
    own_folder: Path | None = None
    is_emptied: bool = False
    runner_folder: Path | None = None
    verdict: Verdict = TRUSTED


def job_at_hand(environ: Mapping[str, str]) -> Job:
    """Return what the platform says of this job; on a local machine nearly nothing.

    Where the signs of several platforms are there, one job has perhaps started the tools of another, or its repository
    has set a variable: the first one's folders count, and the verdict of whoever trusts it least.
    """
    jobs = [_described(platform, environ) for platform in detect(environ)]
    if not jobs:
        return Job(platform=Platform.LOCAL)
    distrust = next((job.verdict for job in jobs if job.verdict.trust is Trust.UNTRUSTED), None)
    return replace(jobs[0], verdict=distrust) if distrust else jobs[0]


def _described(platform: Platform, environ: Mapping[str, str]) -> Job:
    match platform:
        case Platform.GITHUB:
            from . import github

            return github.describe(environ)
        case Platform.GITLAB:
            from . import gitlab

            return gitlab.describe(environ)
        case Platform.JENKINS:
            from . import jenkins

            return jenkins.describe(environ)
        case Platform.LOCAL:
            return Job(platform=Platform.LOCAL)


def folder_name(*identity: str) -> str:
    """Return a short name for what belongs to one job; other jobs of its slot have another one.

    A folder that outlives its job is met by the next job of that slot, which may be of another branch, or trusted more.
    """
    return f"safe-install-{hashlib.sha256(chr(10).join(identity).encode()).hexdigest()[:12]}"


def path_in(environ: Mapping[str, str], *names: str) -> Path | None:
    """Return the first of these variables that holds an absolute path."""
    for name in names:
        value = environ.get(name, "")
        if value and Path(value).is_absolute():
            return Path(value)
    return None
