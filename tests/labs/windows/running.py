"""Run pytest on a Windows CPython that Wine executes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def run(arguments: Sequence[str], *, root: Path) -> int:
    """Run pytest with *arguments* in the checkout *root*, and return its exit code."""
    raise pytest.UsageError(f"the Windows laboratory of {root} is not set up yet: {arguments}")
