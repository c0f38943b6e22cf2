"""Make an environment what a lock says whose meaning is known, or find that it is: neither lock nor wheels are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ..errors import StoreError
from ..install.holding import hold_environment
from ..install.listing import holds_exactly
from ..install.making import apply_image
from ..models import LinkMode
from ..store.layout import IMAGES
from .report import DistributionResult, Outcome
from .target import apply_options, attach, layout_of, seen
from .vanishing import is_vanishing

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from ..install.environment import EnvironmentState
    from .known_locks import KnownLock, KnownPin
    from .session import Session
    from .target import Target


def make_known_environment(session: Session, target: Target, known: KnownLock) -> Outcome | None:
    """Make the environment, which does not exist yet, from the image of a lock whose meaning is known.

    None when somebody else has made it meanwhile, or the image is gone: nothing was done. Errors as
    `change_environment`.
    """
    if known.image is None:
        return None
    store = session.store
    if session.settings.link_mode is LinkMode.ATTACH:
        image, folder = None, store.tree_of_today(IMAGES, known.image)
    else:
        image = store.tree(IMAGES, known.image)
        folder = image.folder if image is not None else None
    if folder is None:
        return None
    try:
        with _hold(session, target) as found:
            state = seen(session, found, exact=True)
            if state.exists:
                return None
            options = apply_options(session, target)
            if image is None:
                applied = attach(session, state, target, folder, options)
            else:
                applied = apply_image(state, target.environment, image, options=options, sink=session.sink)
    except StoreError as error:
        if not is_vanishing(error):
            raise
        return None
    modes = "+".join(sorted(mode.value for mode in applied.link_modes))
    layer = store.layer_of(folder)
    return Outcome(
        distributions=[
            _result(pin, "installed", source=pin.source, link_mode=modes, layer=layer) for pin in known.pins
        ],
        files=applied.files,
        bytes=applied.bytes,
        layout=layout_of(session, target, applied),
        image=known.image,
    )


def keep_known_environment(session: Session, target: Target, known: KnownLock) -> Outcome | None:
    """Find that the environment, which exists, is what the lock says. None when it may have to be changed.

    :raises SafeInstallError: as `hold_environment` and `holds_exactly`.
    """
    with _hold(session, target) as found:
        wanted = {pin.name: pin.version for pin in known.pins}
        if not seen(session, found, exact=True).exists or not holds_exactly(target.environment, wanted):
            return None
    return Outcome(
        distributions=[_result(pin, "kept") for pin in known.pins],
        layout=layout_of(session, target, None),
    )


def _hold(session: Session, target: Target) -> AbstractContextManager[EnvironmentState]:
    return hold_environment(target.root, timeout=session.settings.lock_timeout, sink=session.sink, job=session.job)


def _result(
    pin: KnownPin,
    action: Literal["installed", "kept"],
    *,
    source: str = "",
    link_mode: str | None = None,
    layer: str | None = None,
) -> DistributionResult:
    return DistributionResult(
        name=pin.name,
        version=pin.version,
        key=pin.key,
        source=source,
        origin="store",
        action=action,
        link_mode=link_mode,
        layer=layer,
    )
