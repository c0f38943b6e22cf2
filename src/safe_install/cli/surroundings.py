"""Look at the process and the machine once, for all that lies below the command line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..engine.session import Session, Surroundings
from ..events import SteppedDown
from .pip_configuration import read_pip_configuration

if TYPE_CHECKING:
    from .call import Call


def open_session(call: Call) -> Session:
    """Return a session for *call*; it opens nothing before it is entered and used."""
    if call.job.distrust:
        call.sink(SteppedDown(kind="untrusted", message=f"this job writes to no store of others: {call.job.distrust}"))
    return Session(call.settings, look_around(call), call.sink)


def look_around(call: Call) -> Surroundings:
    """Return what *call* was started in."""
    return Surroundings(
        variables=dict(call.environ),
        folder=Path.cwd(),
        python=sys.executable,
        cache_dir=call.job.default_store,
        index_defaults=read_pip_configuration(call.environ),
        job=call.job.url,
    )
