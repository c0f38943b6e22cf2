"""Make an environment from the image of a lock whose meaning is known: neither lock nor wheels are read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import StoreError
from ..install.holding import hold_environment
from ..install.making import apply_image
from .report import DistributionResult, Outcome
from .target import apply_options, attach, layout_of, seen
from .vanishing import is_vanishing

if TYPE_CHECKING:
    from .known_locks import KnownLock
    from .session import Session
    from .target import Target


def make_known_environment(session: Session, target: Target, known: KnownLock) -> Outcome | None:
    """Make the environment, which does not exist yet, from the image of a lock whose meaning is known.

    None when somebody else has made it meanwhile, or the image is gone: nothing was done. Errors as
    `change_environment`.
    """
    timeout, root = session.settings.lock_timeout, target.root
    try:
        with hold_environment(root, timeout=timeout, sink=session.sink, job=session.job) as found:
            state = seen(session, found, exact=True)
            if state.exists:
                return None
            options = apply_options(session, target)
            if known.image is None:
                applied = attach(session, state, target, known.folder, options)
            else:
                applied = apply_image(state, target.environment, known.image, options=options, sink=session.sink)
    except StoreError as error:
        if not is_vanishing(error):
            raise
        return None
    modes = "+".join(sorted(mode.value for mode in applied.link_modes))
    layer = session.store.layer_of(known.folder)
    return Outcome(
        distributions=[
            DistributionResult(
                name=pin.name,
                version=pin.version,
                key=pin.key,
                source=pin.source,
                origin="store",
                action="installed",
                link_mode=modes,
                layer=layer,
            )
            for pin in known.pins
        ],
        files=applied.files,
        bytes=applied.bytes,
        layout=layout_of(session, target, applied),
        image=known.digest,
    )
