"""What both comparisons need: one index for all tools, and the command as users start it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from helpers import missing_parts
from helpers.default_index import with_only_the_default_index

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def one_index() -> dict[str, str]:
    """An environment in which pip, uv and `ci-install` see the same index and nothing else."""
    return with_only_the_default_index(os.environ)


@pytest.fixture(scope="session")
def ci_install() -> Path:
    """The installed console script."""
    return missing_parts.program("ci-install", "install this project into the environment that runs the tests")
