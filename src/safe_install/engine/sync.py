"""``sync``: make an environment exactly what locks say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import PolicyError
from ..models import Isolation, LinkMode
from .known_environment import keep_known_environment, make_known_environment
from .known_locks import KnownLock, KnownLocks, known_pin
from .target import find_target

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
    if session.settings.link_mode is LinkMode.ATTACH and session.settings.isolation is not Isolation.SHARED:
        raise PolicyError(
            "--link-mode attach is refused: this job can write to the images that environments would refer to",
            code="attach-unshared",
            hint="allow it with --isolation shared, where all jobs of this store may see one another's edits",
        )
    target = find_target(session, exact=True)
    locks = KnownLocks(session, target, files, extras=extras, groups=groups)
    known = locks.find()
    if known is not None:
        done = (keep_known_environment if target.state.exists else make_known_environment)(session, target, known)
        if done is not None:
            return done
        target = find_target(session, exact=True)
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
    if (known is None or outcome.image is not None) and workshop.supply.are_settled(locked.pins):
        sources = {each.name: each.source for each in outcome.distributions}
        pins = [known_pin(pin, sources[pin.name]) for pin in locked.pins]
        locks.remember(KnownLock(pins=pins, image=outcome.image))
    return outcome
