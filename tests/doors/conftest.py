"""A copy of the checkout as platforms get it, and the tool that its bootstrap makes, once for all tests of a worker."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.act import copy_of_checkout
from helpers.missing_parts import index_problem, missing


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
