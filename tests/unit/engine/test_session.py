from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from safe_install.engine.session import Session, Surroundings
from safe_install.events import ignore
from safe_install.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path


def session(folder: Path) -> Session:
    surroundings = Surroundings(variables={}, folder=folder, python=sys.executable, cache_dir=folder / "store")
    return Session(Settings(), surroundings, ignore)


def test_stopping_ends_what_runs_and_what_is_only_just_begun(tmp_path: Path) -> None:
    called: list[str] = []
    with session(tmp_path) as one:
        with one.stoppable(lambda: called.append("over")):
            pass
        with one.stoppable(lambda: called.append("running")):
            one.stop()
        with one.stoppable(lambda: called.append("begun later")):
            pass
    assert called == ["running", "begun later"]
