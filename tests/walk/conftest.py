"""The option for a long walk."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--walk-minutes", type=float, default=0.0, metavar="N", help="go on from seed to seed for so long")
