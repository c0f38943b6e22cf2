"""What building takes: an interpreter, a scratch folder, and a builder over them."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest
from helpers.projects import BareFiller

from safe_install.build.builder import Builder, BuildSettings
from safe_install.fs.scratch import Scratch
from safe_install.install.interpreter import probe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from safe_install.models import Interpreter
    from safe_install.protocols import EnvironmentFiller


@pytest.fixture(scope="session")
def interpreter() -> Interpreter:
    return probe(sys.executable)


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Scratch]:
    with Scratch(tmp_path / "temporary") as opened:
        yield opened


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    return tmp_path / "logs"


@pytest.fixture
def builder(scratch: Scratch, logs: Path) -> Callable[..., Builder]:
    """Make a builder; keyword arguments beside *filler* are those of `BuildSettings`."""

    def make(filler: EnvironmentFiller | None = None, **settings: object) -> Builder:
        values = {"log_folder": logs, "available": {"PATH": os.defpath}, **settings}
        return Builder(filler or BareFiller(), scratch, BuildSettings(**values))  # type: ignore[arg-type]  # checked there

    return make
