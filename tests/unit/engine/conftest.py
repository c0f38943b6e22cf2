"""Stores of these tests live in memory."""

from __future__ import annotations

from helpers.memory import tmp_path

__all__ = ["tmp_path"]
