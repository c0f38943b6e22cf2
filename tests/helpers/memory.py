"""Temporary folders in memory, for tests that make many stores of a thousand folders each."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from safe_install.fs.remove import remove_tree

if TYPE_CHECKING:
    from collections.abc import Iterator

_MEMORY = Path("/dev/shm")


@pytest.fixture
def tmp_path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """As pytest's own; in memory where the system has that and ``--basetemp`` names no other place."""
    if request.config.option.basetemp is not None or not os.access(_MEMORY, os.W_OK):
        yield tmp_path_factory.mktemp("store")
        return
    folder = Path(tempfile.mkdtemp(dir=_MEMORY))
    try:
        yield folder
    finally:
        remove_tree(folder)
