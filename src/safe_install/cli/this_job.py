"""The settings that hold for this job: what was asked for, as far as its platform and its trust allow.

The settings say what somebody wants, the platform says where things are and how far it trusts the job, and the
administrator of the runner has the last word on trust. An untrusted job whose settings name the store of all jobs reads
that store, and writes to one of its own: a pipeline file is the same for both kinds of job.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..models import Scope, Trust
from ..platforms.administrator import read_runner_file
from ..platforms.job import Verdict, job_at_hand
from .settings_sources import checked, read_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..platforms.administrator import RunnerFile
    from ..platforms.job import Job
    from ..settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class ThisJob:
    """What one call works with.

    :param settings: as they hold.
    :param job: what its platform says.
    :param distrust: why somebody else than the settings takes it for untrusted; empty otherwise.
    """

    settings: Settings
    job: Job
    distrust: str

    @property
    def url(self) -> str | None:
        """The address that others are told of: ``--job-url``, else what the platform says."""
        return self.settings.job_url or self.job.url

    @property
    def default_store(self) -> Path:
        """The store that jobs share when no setting names one."""
        return self.job.runner_folder or _user_folder()


def settle(options: Mapping[str, Any], environ: Mapping[str, str], folder: Path) -> ThisJob:
    """Return the settings that hold for this job.

    :param options: raw values of the command line by option name, for all options that the command takes.
    :param folder: the working folder.
    :raises InputError: as `read_settings` and `read_runner_file`.
    """
    has_layers = "scope" in options
    job = job_at_hand(environ)
    runner = read_runner_file(environ, job.workspace)
    wanted = read_settings(options, environ, folder, checked(runner.path, runner.values) if runner else None)
    verdict = _verdict(job, runner)
    settings = wanted
    if verdict.trust is Trust.UNTRUSTED:
        settings = replace(wanted, trust=Trust.UNTRUSTED)
        if has_layers:
            named = settings.cache_dir
            if named is not None and not is_own(job, named):
                # Whatever is said of its scope: what a trusted job may write to is the store of all jobs.
                settings = replace(settings, runner_dir=named, cache_dir=None)
            settings = replace(settings, scope=Scope.JOB)
    own = job.own_folder
    if settings.trust is Trust.UNTRUSTED and not job.is_emptied:
        own = None  # it may not register a folder with the runner, so nobody would ever find what it leaves
    if has_layers and settings.used_scope is Scope.JOB and settings.cache_dir is None and own is not None:
        settings = replace(settings, cache_dir=own / "store")
    return ThisJob(settings=settings, job=job, distrust=verdict.reason if verdict.trust is Trust.UNTRUSTED else "")


def is_own(job: Job, folder: Path) -> bool:
    """Whether *folder* really lies where no other job reads, the next one of this slot and workspace included."""
    place = Path(os.path.realpath(folder))
    own = (job.own_folder, job.slot_folder if job.is_emptied else None)
    return any(place.is_relative_to(os.path.realpath(each)) for each in own if each is not None)


def _verdict(job: Job, runner: RunnerFile | None) -> Verdict:
    if runner is not None and runner.trust == Trust.TRUSTED.value:
        return Verdict(Trust.TRUSTED)
    if runner is not None and runner.trust == Trust.UNTRUSTED.value:
        return Verdict(Trust.UNTRUSTED, f"the administrator of this runner says so in {runner.path}")
    return job.verdict


def _user_folder() -> Path:
    """The cache folder that the system has for its users."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("safe-install", appauthor=False))
