"""Fixtures that more than one folder of tests uses."""

from __future__ import annotations

from helpers.index import local_index

__all__ = ["local_index"]
