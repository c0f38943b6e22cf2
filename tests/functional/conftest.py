"""The command, and an index that knows only what a test puts there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from helpers.command import Command
from helpers.memory import tmp_path
from helpers.stocked_index import StockedIndex

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["command", "index", "tmp_path"]


@pytest.fixture
def index() -> Iterator[StockedIndex]:
    """A running index, empty."""
    with StockedIndex() as index:
        yield index


@pytest.fixture
def command(tmp_path: Path, index: StockedIndex) -> Iterator[Command]:
    """The command, asking `index`. At the end of each test nothing half-made lies about."""
    command = Command(home=tmp_path / "home", folder=tmp_path / "work")
    command.use(index)
    yield command
    assert command.litter() == []
