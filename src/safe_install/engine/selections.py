"""Remember which file a pin with hashes meant, so that no index page is read for it again.

A requirements file names digests, but no URLs and no file names; only the index page tells which of the digests
belongs to the best wheel for an interpreter. Once all digests of a pin were found on the page, the answer can never
change: no other file is allowed. It is then kept in the store under the pin, its digests and what the interpreter
accepts, and a warm `sync` needs no page (issue 2: "with hashes in the lock no index page is read at all").
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from ..models import Digest, Hashes, RemoteFile
from ..store.layout import SELECTIONS

if TYPE_CHECKING:
    from ..models import FormatControl, Interpreter, Pin
    from ..store.chain import Chain


class Selections:
    """The remembered answers for one interpreter."""

    def __init__(self, store: Chain, interpreter: Interpreter, format_control: FormatControl) -> None:
        self._store = store
        self._control = format_control
        tags = "\n".join((interpreter.version_text, *interpreter.tag_texts))
        self._interpreter = hashlib.sha256(tags.encode()).hexdigest()

    def find(self, pin: Pin) -> RemoteFile | None:
        """Return the file that *pin* means, without a URL; None when that is not known."""
        document = self._store.document(SELECTIONS, self._key(pin)) if pin.hashes else None
        if document is None:
            return None
        filename, digest = document.get("filename"), document.get("sha256")
        if not isinstance(filename, str) or not isinstance(digest, str) or ("sha256", digest) not in pin.hashes.allowed:
            return None
        return RemoteFile(url="", filename=filename, hashes=Hashes.of({"sha256": digest}))

    def remember(self, pin: Pin, chosen: RemoteFile) -> None:
        """Keep that *pin*, which has all files of its version, means *chosen*; only where that is final: a pin of one
        digest can mean no other file, one of several none better than is listed once all of them are.
        """
        listed = {file.hashes.sha256 for file in pin.files}
        asked = {value for algorithm, value in pin.hashes.allowed if algorithm == "sha256"}
        digest = chosen.hashes.sha256
        if digest is None or not asked or len(asked) != len(pin.hashes.allowed):
            return
        if not asked <= listed and asked != {digest}:
            return
        document = {"filename": chosen.filename, "sha256": digest}
        self._store.publish_document(SELECTIONS, self._key(pin), document)

    def _key(self, pin: Pin) -> Digest:
        allowed = (self._control.allows_wheel(pin.name), self._control.allows_source(pin.name))
        facts = [pin.name, str(pin.version), sorted(pin.hashes.allowed), self._interpreter, allowed]
        return Digest(hashlib.sha256(json.dumps(facts).encode()).hexdigest())
