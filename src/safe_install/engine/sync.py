"""``sync``: make an environment exactly what locks say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .environments import change_environment, find_target
from .inputs import read_locked_set
from .supply import require_hashes
from .workshop import Workshop

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .report import Outcome
    from .session import Session


def sync(session: Session, files: Sequence[str], *, extras: Sequence[str] = (), groups: Sequence[str] = ()) -> Outcome:
    """Install what *files* pin, replace what differs, remove everything else.

    :param files: ``pylock.toml`` or requirements files in which everything is pinned.
    :param extras: of a ``pylock.toml``; so *groups*, whose default is the lock's own.
    :raises SafeInstallError: the environment is as it was before.
    """
    target = find_target(session)
    workshop = Workshop(session, target.interpreter)
    locked = read_locked_set(session, workshop, files, extras=extras, groups=groups)
    if locked.hashed:
        require_hashes(locked.pins, locked=True)
    return change_environment(session, target, locked.pins, workshop.supply, exact=True)
