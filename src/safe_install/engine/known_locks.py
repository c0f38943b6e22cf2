"""Remember what a lock means for an interpreter, so that the next `sync` of it reads neither lock nor wheels.

Only what can never mean anything else is remembered: every pin is settled (`Supply.are_settled`), so the same bytes of
the same files, with the same options, for an interpreter that answers every marker alike, are the same wheels.
The answer leads to their image; where that is gone, the lock is read as always.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from .. import __version__
from ..fs._system import system_path
from ..models import Digest, LinkMode
from ..store.layout import IMAGES, SELECTIONS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Any

    from ..models import Pin
    from ..store.trees import WheelTree
    from .session import Session
    from .target import Target

_FORMAT = 1
# What a requirements file says by way of other files or of variables is not in its bytes.
_ELSEWHERE = re.compile(rb"^\s*(-r|-c|--requirement|--constraint|-e|--editable)\b|\$\{", re.MULTILINE)


class KnownPin(NamedTuple):
    """One distribution, for the report. :param key: under which it is told; :param source: of its file."""

    name: str
    version: str
    key: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownLock:
    """What a lock means.

    :param image: with everything that it pins; None where it is only to be referred to.
    :param folder: of the image.
    """

    pins: Sequence[KnownPin]
    digest: Digest
    folder: Path
    image: WheelTree | None


class KnownLocks:
    """The answers for one call of `sync`."""

    def __init__(
        self, session: Session, target: Target, files: Sequence[str], *, extras: Sequence[str], groups: Sequence[str]
    ) -> None:
        self._session = session
        self._key = _key(session, target, files, extras, groups)

    def find(self) -> KnownLock | None:
        """Return what the files mean; None when that is not known, or its image is not there."""
        if self._key is None or (document := self._session.store.document(SELECTIONS, self._key)) is None:
            return None
        image = document.get("image")
        if not isinstance(image, str):
            return None
        pins, digest, store = [KnownPin(*each) for each in document["pins"]], Digest(image), self._session.store
        if self._session.settings.link_mode is LinkMode.ATTACH:
            folder = store.tree_of_today(IMAGES, digest)
            return None if folder is None else KnownLock(pins=pins, digest=digest, folder=folder, image=None)
        tree = store.tree(IMAGES, digest)
        return None if tree is None else KnownLock(pins=pins, digest=digest, folder=tree.folder, image=tree)

    def remember(self, pins: Sequence[KnownPin], image: Digest) -> None:
        """Keep what the files mean."""
        if self._key is not None:
            document = {"image": image, "pins": pins}
            self._session.store.publish_document(SELECTIONS, self._key, document, replace=True)


def known_pin(pin: Pin, source: str) -> KnownPin:
    """Return what is remembered of *pin*."""
    return KnownPin(pin.name, str(pin.version), str(pin), source)


def _key(
    session: Session, target: Target, files: Sequence[str], extras: Sequence[str], groups: Sequence[str]
) -> Digest | None:
    """Everything that the answer depends on; None when it cannot be told cheaply."""
    digests = []
    for name in files:
        if "://" in name:
            return None
        try:
            with open(system_path(os.path.join(session.surroundings.folder, name)), "rb") as file:
                content = file.read()
        except OSError:
            return None  # who reads it says what is wrong
        is_lock = name.endswith(".toml")
        if not is_lock and _ELSEWHERE.search(content):
            return None
        digests.append([is_lock, hashlib.sha256(content).hexdigest()])
    settings, interpreter = session.settings, target.interpreter
    facts: list[Any] = [
        _FORMAT,
        __version__,
        digests,
        [list(extras), list(groups)],
        [list(settings.only_binary), list(settings.no_binary), list(settings.allow_irregular)],
        [settings.require_hashes, settings.compile_bytecode],
        [interpreter.version_text, interpreter.cache_tag, interpreter.magic_number, interpreter.platform],
        [dict(interpreter.markers), list(interpreter.tag_texts), dict(target.environment.parts)],
    ]
    return Digest(hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest())
