"""Images of whole locks: found in the store, or made there once by one of all jobs.

An image takes a second to make and as many names as it has files. So there is one only for what is installed again and
again: a lock in a store that later jobs find, on a disk of this host. Where there is none, the wheels are linked one by
one, as always.
"""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING

from .. import __version__
from ..errors import StoreError
from ..events import SteppedDown
from ..fs.filesystem import folds_case, is_network
from ..install.image import FORMAT, build_image
from ..models import Digest
from ..store.layout import IMAGES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..install.environment import Environment
    from ..install.placement import PreparedWheel
    from ..store.trees import WheelTree
    from .session import Session

_INSTALLER = "safe-install"


def image_key(wheels: Sequence[PreparedWheel], environment: Environment) -> Digest:
    """Return the name of the image of *wheels* for environments of the kind of this one."""
    interpreter = environment.interpreter
    facts = [
        FORMAT,
        __version__,
        sorted(
            (each.name, each.tree.digest, each.pin.requested, each.direct_url, each.bytecode is not None)
            for each in wheels
        ),
        [interpreter.cache_tag, interpreter.magic_number, interpreter.version[:2], interpreter.platform],
        sorted(environment.parts.items()),
    ]
    return Digest(hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest())


class Images:
    """Those of one session."""

    def __init__(self, session: Session, environment: Environment) -> None:
        self._session = session
        self._environment = environment

    def get(self, wheels: Sequence[PreparedWheel], *, needed: bool = False) -> WheelTree | None:
        """Return the image of *wheels*, which is made where it is missing; None where there can or need be none.

        :param needed: the environment shall refer to it.
        :raises StoreError: it is needed, and could not be made.
        """
        if not needed and not self._are_worth_it(wheels):
            return None
        key = image_key(wheels, self._environment)
        try:
            return self._session.flights.get(
                "image",
                key,
                what=f"the image of {len(wheels)} distributions",
                look=lambda: self._session.store.tree(IMAGES, key),
                make=lambda _: self._make(key, wheels),
            ).value
        except StoreError as error:
            if needed:
                raise
            message = f"no image was made, and wheels are installed one by one: {error.message}"
            self._session.sink(SteppedDown(kind="no-image", message=message))
            return None

    def _are_worth_it(self, wheels: Sequence[PreparedWheel]) -> bool:
        store = self._session.store
        return (
            len(wheels) > 1
            and self._environment.virtual
            and os.name != "nt"
            and store.name == "runner"
            and not is_network(store.root)
            and not folds_case(self._environment.root)
        )

    def _make(self, key: Digest, wheels: Sequence[PreparedWheel]) -> WheelTree:
        store = self._session.store
        with store.stage_tree() as writer:
            build_image(
                writer,
                wheels,
                self._environment,
                installer_name=_INSTALLER,
                folds_case=False,
                sink=self._session.sink,
            )
            filename = f"{len(wheels)} distributions for {self._environment.interpreter.cache_tag}"
            return store.publish_tree(IMAGES, writer.folder, writer.finish(digest=key, filename=filename))
