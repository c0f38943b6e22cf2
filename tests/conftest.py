"""Fixtures that more than one folder of tests uses."""

from __future__ import annotations

from helpers.index import local_index
from helpers.missing_parts import pytest_runtest_setup

__all__ = ["local_index", "pytest_runtest_setup"]
