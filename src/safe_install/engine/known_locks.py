"""Remember what a lock means for an interpreter, so that the next `sync` of it reads neither lock nor wheels.

Only what can never mean anything else is remembered: every pin is settled (`Supply.are_settled`), so the same bytes of
the same files, with the same options, for an interpreter that answers every marker alike, are the same wheels.
Where their image is gone, the lock is read as always.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from .. import __version__
from ..errors import StoreError
from ..fs._system import system_path
from ..models import Digest
from ..store.layout import SELECTIONS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from ..models import Pin
    from .session import Session
    from .target import Target

_FORMAT = 2
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
    """What a lock means. :param image: of all that it pins, which may be gone; None where none was made."""

    pins: Sequence[KnownPin]
    image: Digest | None


class KnownLocks:
    """The answers for one call of `sync`."""

    def __init__(
        self, session: Session, target: Target, files: Sequence[str], *, extras: Sequence[str], groups: Sequence[str]
    ) -> None:
        self._session = session
        self._key = _key(session, target, files, extras, groups)

    def find(self) -> KnownLock | None:
        """Return what the files mean; None when that is not known."""
        if self._key is None or (document := self._session.store.document(SELECTIONS, self._key)) is None:
            return None
        if not isinstance(document.get("pins"), list):
            return None
        pins, image = [KnownPin(*each) for each in document["pins"]], document["image"]
        return KnownLock(pins=pins, image=None if image is None else Digest(image))

    def remember(self, known: KnownLock) -> None:
        """Keep what the files mean. What cannot be kept is read again: the environment is made already."""
        if self._key is not None:
            document = {"image": known.image, "pins": known.pins}
            with contextlib.suppress(StoreError):
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
