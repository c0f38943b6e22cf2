"""Which platform runs this process: one table, in the order in which it is asked."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class Platform(Enum):
    """Where a job runs. LOCAL: on somebody's own machine, or on a system that is not known."""

    GITHUB = "github"
    GITLAB = "gitlab"
    JENKINS = "jenkins"
    LOCAL = "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """What tells a platform: *variable* begins with *value*.

    :param title: what people call it.
    :param source: where the platform promises the variable.
    """

    platform: Platform
    title: str
    variable: str
    value: str
    source: str


SIGNS: tuple[Sign, ...] = (
    Sign(
        platform=Platform.GITHUB,
        title="GitHub Actions",
        variable="GITHUB_ACTIONS",
        value="true",
        source="https://docs.github.com/en/actions/reference/workflows-and-actions/variables",
    ),
    Sign(
        platform=Platform.GITLAB,
        title="GitLab CI",
        variable="GITLAB_CI",
        value="true",
        source="https://docs.gitlab.com/ci/variables/predefined_variables/",
    ),
    # JENKINS_URL and BUILD_URL are only there where an administrator has set the URL of Jenkins.
    Sign(
        platform=Platform.JENKINS,
        title="Jenkins",
        variable="BUILD_TAG",
        value="jenkins-",
        source="https://www.jenkins.io/doc/book/pipeline/jenkinsfile/#using-environment-variables",
    ),
)
"""The first that fits is the platform; `job.job_at_hand` says what more of them mean."""


# Systems that are known by name only; the last variable is what many others set.
_OTHERS = (
    ("BUILDKITE", "Buildkite"),
    ("TF_BUILD", "Azure Pipelines"),
    ("CIRCLECI", "CircleCI"),
    ("TEAMCITY_VERSION", "TeamCity"),
    ("BITBUCKET_BUILD_NUMBER", "Bitbucket Pipelines"),
    ("CI", "a CI system"),
)


def detect(environ: Mapping[str, str]) -> list[Platform]:
    """Return the platforms whose signs are there, in the order of the table; usually one, or none."""
    return [sign.platform for sign in _signs(environ)]


def name_of_system(environ: Mapping[str, str]) -> str:
    """Return what people call the CI system that started this process; empty for none."""
    titles = [sign.title for sign in _signs(environ)]
    titles += [title for variable, title in _OTHERS if environ.get(variable)]
    return next(iter(titles), "")


def _signs(environ: Mapping[str, str]) -> list[Sign]:
    return [sign for sign in SIGNS if environ.get(sign.variable, "").startswith(sign.value)]
