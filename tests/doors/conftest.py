"""A copy of the checkout as platforms get it, and the tool that its bootstrap makes, once for all tests of a worker."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from helpers.act import copy_of_checkout
from helpers.missing_parts import index_problem, missing
from helpers.stocked_index import StockedIndex

if TYPE_CHECKING:
    from collections.abc import Iterator


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
