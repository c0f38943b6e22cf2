"""``lock``: resolve requirements and write them down (PEP 751)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..resolve.pylock_writer import write_pylock
from .inputs import read_asked
from .report import DistributionResult, Outcome
from .resolving import resolve_asked
from .workshop import Workshop

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from .session import Session


def lock(
    session: Session,
    *,
    requirements: Sequence[str],
    files: Sequence[str],
    editables: Sequence[str],
    groups: Sequence[str],
    base: Path,
) -> tuple[str, Outcome]:
    """Return the text of the lock, and the outcome.

    :param base: the folder that the lock is meant for; local paths are written relative to it.
    """
    interpreter = session.interpreter(session.settings.python)
    asked = read_asked(session, requirements=requirements, files=files, editables=editables, groups=groups)
    resolution = resolve_asked(session, Workshop(session, interpreter), interpreter, asked)
    text = write_pylock(resolution, interpreter, base=base)
    results = [
        DistributionResult(
            name=pin.name, version=str(pin.version or ""), key=str(pin), source="", origin="store", action="locked"
        )
        for pin in resolution.pins
    ]
    return text, Outcome(
        distributions=results, layout={"cache_dir": str(session.store.root), "python": interpreter.executable}
    )
