"""``fetch``: fill the store with what locks need, and install nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .inputs import read_locked_set
from .report import DistributionResult, Outcome
from .supply import require_hashes
from .workshop import Workshop

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .session import Session


def fetch(session: Session, files: Sequence[str], *, extras: Sequence[str] = (), groups: Sequence[str] = ()) -> Outcome:
    """Have every wheel that *files* pin in the store, building what has no wheel. Parameters as `sync`."""
    interpreter = session.interpreter(session.settings.python)
    workshop = Workshop(session, interpreter)
    locked = read_locked_set(session, workshop, files, extras=extras, groups=groups)
    if locked.hashed:
        require_hashes(locked.pins, locked=True)
    supplied = workshop.supply.prepare(locked.pins)
    return Outcome(
        distributions=[
            DistributionResult(
                name=each.wheel.name,
                version=str(each.wheel.pin.version or ""),
                key=str(each.wheel.pin),
                source=each.source,
                origin=each.origin,
                action="fetched",
                layer=session.store.layer_of(each.wheel.tree.folder),
            )
            for each in supplied
        ],
        layout={"cache_dir": str(session.store.root), "python": interpreter.executable},
    )
