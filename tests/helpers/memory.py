"""Temporary folders in memory, for tests that make many stores of a thousand folders each."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from safe_install.fs.remove import remove_tree

if TYPE_CHECKING:
    from collections.abc import Iterator

_MEMORY = Path("/dev/shm")
_ENOUGH = 4 << 30  # a container may have only 64 MiB of it


@pytest.fixture
def tmp_path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """As pytest's own; in memory where the system has that and ``--basetemp`` names no other place. Nothing of it stays."""
    is_elsewhere = _names_a_place(request.config) or not _is_roomy()
    folder = tmp_path_factory.mktemp("store") if is_elsewhere else Path(tempfile.mkdtemp(dir=_MEMORY))
    try:
        yield folder
    finally:
        try:
            remove_tree(folder)
        except OSError:
            # On Windows a test may still work in it. Of its own folders, pytest removes the rest.
            if not is_elsewhere:
                raise


def _names_a_place(config: pytest.Config) -> bool:
    """Whether ``--basetemp`` was given: workers of xdist always have one, and the arguments of their master."""
    worker = getattr(config, "workerinput", None)
    if worker is None:
        return config.option.basetemp is not None
    return any(argument.startswith("--basetemp") for argument in worker["mainargv"])


def _is_roomy() -> bool:
    return os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free >= _ENOUGH
