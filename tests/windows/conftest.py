"""What only Windows does. Elsewhere these tests skip; ``--lab windows`` runs them on any Linux."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from helpers.command import Command
from helpers.stocked_index import StockedIndex

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _windows_only() -> None:
    if os.name != "nt":
        pytest.skip("about Windows: run with --lab windows")


@pytest.fixture
def index() -> Iterator[StockedIndex]:
    with StockedIndex() as index:
        yield index


@pytest.fixture
def command(tmp_path: Path, index: StockedIndex) -> Command:
    """The command, asking `index`; retrying for some seconds, as it does for users."""
    command = Command(home=tmp_path / "home", folder=tmp_path / "work")
    command.variables["SAFE_INSTALL_RETRY_BUDGET"] = "5"
    command.use(index)
    return command
