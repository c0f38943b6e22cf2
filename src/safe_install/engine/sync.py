"""``sync``: make an environment exactly what locks say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import PolicyError
from ..models import Isolation, LinkMode
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
    if session.settings.link_mode is LinkMode.ATTACH and session.settings.isolation is not Isolation.SHARED:
        raise PolicyError(
            "--link-mode attach is refused: this job can write to the images that environments would refer to",
            code="attach-unshared",
            hint="allow it with --isolation shared, where all jobs of this store may see one another's edits",
        )
    target = find_target(session, exact=True)
    locks = KnownLocks(session, target, files, extras=extras, groups=groups)
    if not target.state.exists and (known := locks.find()) is not None:
        done = make_known_environment(session, target, known)
        if done is not None:
            return done
        target = find_target(session, exact=True)
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
