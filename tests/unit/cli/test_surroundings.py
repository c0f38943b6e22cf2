"""What the process was started in."""

from __future__ import annotations

import pytest

from safe_install.cli.surroundings import job_of

RUN = {"GITHUB_SERVER_URL": "https://ci.test", "GITHUB_REPOSITORY": "org/project", "GITHUB_RUN_ID": "42"}


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        (RUN, "https://ci.test/org/project/actions/runs/42"),
        ({"CI_JOB_URL": "https://ci.test/-/jobs/7"}, "https://ci.test/-/jobs/7"),
        ({"BUILD_URL": "https://ci.test/job/x/3/"}, "https://ci.test/job/x/3/"),
        ({}, None),
    ],
)
def test_the_job_is_named_by_what_its_system_documents(environ: dict[str, str], url: str | None) -> None:
    assert job_of(environ) == url
