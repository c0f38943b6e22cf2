"""Real file systems, and the command on each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from helpers.disks import disks
from helpers.stocked_index import StockedIndex

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["disks", "index"]


@pytest.fixture
def index() -> Iterator[StockedIndex]:
    """A running index, empty."""
    with StockedIndex() as index:
        yield index
