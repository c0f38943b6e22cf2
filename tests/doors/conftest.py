"""A copy of the checkout as platforms get it, and the tool that its bootstrap makes, once for all tests of a worker."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from helpers.act import ROOT, Act, copy_of_checkout
from helpers.cache_service import CacheService
from helpers.disks import Disks, disks
from helpers.missing_parts import index_problem, missing
from helpers.stocked_index import StockedIndex

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["disks"]


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_of_checkout(tmp_path_factory.mktemp("checkout"))


@pytest.fixture(scope="session")
def tool_dir(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the bootstrap has made its tool from the index; tests of doors then need no network."""
    if (problem := index_problem()) is not None:
        missing(f"a package index ({problem})", "configure pip for one that can be reached")
    folder = tmp_path_factory.mktemp("tools")
    python = Path(sys.base_prefix, "bin", "python3")
    subprocess.run(
        [python, checkout / "bootstrap" / "ci_install.py", "--tool-dir", folder, "--", "--version"],
        check=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        timeout=120,
    )
    return folder


@pytest.fixture
def index() -> Iterator[StockedIndex]:
    """A running index, empty."""
    with StockedIndex() as index:
        yield index


@pytest.fixture
def variables(checkout: Path, tool_dir: Path, index: StockedIndex) -> dict[str, str]:
    """What a platform hands to jobs."""
    return {
        "SAFE_INSTALL_TOOL_DIR": str(tool_dir),
        "SAFE_INSTALL_SOURCE": str(checkout),
        "SAFE_INSTALL_RETRY_BUDGET": "0",
        "PIP_INDEX_URL": index.url,
        "PIP_CONFIG_FILE": os.devnull,
        "PYTHONDONTWRITEBYTECODE": "1",
    }


@pytest.fixture
def act(tmp_path: Path, checkout: Path, tool_dir: Path, index: StockedIndex, request: pytest.FixtureRequest) -> Act:
    return Act(
        tmp_path,
        checkout,
        {
            "SAFE_INSTALL_TOOL_DIR": str(tool_dir),
            "PIP_INDEX_URL": index.url,
            "PIP_CONFIG_FILE": os.devnull,
            "SAFE_INSTALL_RETRY_BUDGET": "0",
        },
        # GitHub's client of its cache service cannot save from a workspace with a space in its path.
        name="runner" if "cache" in request.fixturenames else "my runner",
    )


@pytest.fixture
def cache(act: Act, tmp_path: Path) -> Iterator[CacheService]:
    """The cache service, and a stand-in of actions/cache with GitHub's own client."""
    parts = ROOT / ".dev" / "parts" / "cache"
    if not parts.exists():
        missing("GitHub's client of its cache service", "bash tests/install-parts.sh")
    action = tmp_path / "actions-cache"
    shutil.copytree(ROOT / "tests" / "doors" / "cache", action)
    text = (act.local_actions["org/safe-install@v1"] / "actions" / "restore" / "action.yml").read_text(encoding="utf-8")
    (pinned,) = re.findall(r"actions/cache/restore@(\w{40})", text)
    act.local_actions[f"actions/cache@{pinned}"] = action
    with CacheService() as service:
        act.job_variables = {
            "ACTIONS_RESULTS_URL": service.url,
            "ACTIONS_CACHE_SERVICE_V2": "1",
            "ACTIONS_RUNTIME_TOKEN": "token",
            "CACHE_CLIENT": (parts / "node_modules" / "@actions" / "cache" / "lib" / "cache.js").as_uri(),
        }
        yield service


@pytest.fixture
def small_disk(disks: Disks) -> Iterator[Path]:
    """A disk of eight megabytes."""
    place = disks.mount("-t", "tmpfs", "-o", "size=8m,mode=0700", "none")
    yield place
    disks.unmount(place)
