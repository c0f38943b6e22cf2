"""``lock``: resolve requirements and write them down (PEP 751)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..models import Hashes
from ..resolve.pylock_writer import write_pylock
from .inputs import read_asked
from .jobs import run_all
from .report import DistributionResult, Outcome
from .resolving import resolve_asked
from .workshop import Workshop

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ..models import Pin, RemoteFile
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
    workshop = Workshop(session, interpreter)
    resolution = resolve_asked(session, workshop, interpreter, asked)
    pins = run_all(
        lambda pin: _with_digests(pin, workshop),
        resolution.pins,
        workers=session.settings.concurrent_downloads,
        cancellation=session.cancellation,
        stop=session.stop,
    )
    text = write_pylock(replace(resolution, pins=tuple(pins)), interpreter, base=base)
    results = [
        DistributionResult(
            name=pin.name, version=str(pin.version or ""), key=str(pin), source="", origin="store", action="locked"
        )
        for pin in resolution.pins
    ]
    return text, Outcome(
        distributions=results, layout={"cache_dir": str(session.store.root), "python": interpreter.executable}
    )


def _with_digests(pin: Pin, workshop: Workshop) -> Pin:
    """Return *pin* with a digest for each of its files: PEP 751 demands them, and not every index tells them.

    What lies on this machine is hashed where it is; anything else has to be fetched for it.
    """

    def proven(file: RemoteFile) -> RemoteFile:
        if file.hashes.secure:
            return file
        digest = workshop.artifacts.digest(file, name=pin.name, version=pin.version, key=str(pin))
        return replace(file, hashes=Hashes.of({"sha256": digest}))

    return replace(pin, files=tuple(map(proven, pin.files)))
