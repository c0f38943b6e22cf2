"""Jobs of CI platforms whose user has his home on NFS: where things go then, and that two hosts can share them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from labs.nfs.commands import HostCommand, command_on

if TYPE_CHECKING:
    from labs.nfs.mounts import Host, Mount

pytestmark = pytest.mark.lab_nfs("upkeep")

# Of a user who keeps caches where the system has them.
_NAMED = ("SAFE_INSTALL_CACHE_DIR", "SAFE_INSTALL_SCRATCH", "XDG_CACHE_HOME")


def job_on(nfs: Mount, host: Host, platform: str) -> HostCommand:
    """A job in a workspace on the host's own disk."""
    job = command_on(nfs, host, f"{platform}-{host.name}", place="neither")
    for name in _NAMED:
        del job.variables[name]
    workspace = str(job.folder)
    job.variables |= {
        "HOME": str(nfs.folder / "home"),
        **{
            "gitlab": {
                "GITLAB_CI": "true",
                "CI_COMMIT_REF_PROTECTED": "true",
                "CI_PROJECT_DIR": workspace,
                "CI_JOB_ID": host.name,
            },
            "jenkins": {"BUILD_TAG": f"jenkins-app-{host.name}", "WORKSPACE": workspace},
        }[platform],
    }
    return job


@pytest.mark.parametrize("platform", ["gitlab", "jenkins"])
def test_jobs_of_two_hosts_share_the_store_in_a_home_on_nfs(nfs: Mount, platform: str) -> None:
    (nfs.folder / "home").mkdir()
    lock = nfs.folder / "requirements.txt"
    lock.write_text(nfs.wheel("demo"))
    here, there = (job_on(nfs, host, platform) for host in (nfs.hosts[0], nfs.other))
    here("sync", lock)
    layout = json.loads(here("layout", "--format", "json").stdout)["layout"]
    store = layout["layers"][0]["path"]
    assert store == str(nfs.folder / "home" / ".cache" / "safe-install")
    assert layout["link_mode"] == "copy", "no link leads from the server to a local disk"
    assert not layout["scratch"].startswith(str(nfs.folder))
    result = there("sync", lock)
    assert result.report is not None
    assert result.report["layout"]["cache_dir"] == store
    assert [each["origin"] for each in result.report["distributions"]] == ["store"]
    assert there.installed() == {"demo": "1.0"}
