"""``sync``: make an environment exactly what locks say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .known_environment import make_known_environment
from .known_locks import KnownLocks, known_pin
from .target import find_target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .report import Outcome
    from .session import Session
    from .target import Target


def sync(session: Session, files: Sequence[str], *, extras: Sequence[str] = (), groups: Sequence[str] = ()) -> Outcome:
    """Install what *files* pin, replace what differs, remove everything else.

    :param files: ``pylock.toml`` or requirements files in which everything is pinned.
    :param extras: of a ``pylock.toml``; so *groups*, whose default is the lock's own.
    :raises SafeInstallError: the environment is as it was before.
    """
    target = find_target(session)
    locks = KnownLocks(session, target, files, extras=extras, groups=groups)
    if not target.state.exists and (known := locks.find()) is not None:
        done = make_known_environment(session, target, known)
        if done is not None:
            return done
        target = find_target(session)
    return _sync(session, target, files, extras, groups, locks)


def _sync(
    session: Session,
    target: Target,
    files: Sequence[str],
    extras: Sequence[str],
    groups: Sequence[str],
    locks: KnownLocks,
) -> Outcome:
    # Not needed where the meaning of the lock is known.
    from .environments import change_environment
    from .inputs import read_locked_set
    from .supply import require_hashes
    from .workshop import Workshop

    workshop = Workshop(session, target.interpreter)
    locked = read_locked_set(session, workshop, files, extras=extras, groups=groups)
    if locked.hashed:
        require_hashes(locked.pins, locked=True)
    outcome = change_environment(session, target, locked.pins, workshop.supply, exact=True)
    if outcome.image is not None and workshop.supply.are_settled(locked.pins):
        sources = {each.name: each.source for each in outcome.distributions}
        locks.remember([known_pin(pin, sources[pin.name]) for pin in locked.pins], outcome.image)
    return outcome
