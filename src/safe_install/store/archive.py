"""Carry entries from one store to another in one plain tar.

::

    safe-install.json                  {"format": 1}
    wheels-1/<digest>/manifest.json    as in a store
    wheels-1/<digest>/tree/<path>      its files, in the order of the manifest
    bytecode-1/<digest>/…              as wheels
    files-1/<digest>
    built-1/<name>.json, selections-1/<name>.json

The same entries make the same bytes: members are sorted, and have no times, owners or rights of their own. Index pages
and answers of interpreters stay behind: those may be private, these are of one machine.

An archive is read strictly: what follows what is known from the start and from each manifest, so a member that is not
exactly the next one expected is refused, whatever its name. Every byte is held to a digest in the archive. That proves
that it is whole, not who made it: a wheel is unpacked, so nothing in it can be held to the digest of a lock. Import
only archives of people whose wheels you would install, or give the SHA-256 that the export told.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .layout import BUILT, BYTECODE, FILES, SELECTIONS, WHEELS

HEADER = "safe-install.json"
FORMAT = 1
CONTENT_BUCKETS = (WHEELS, BYTECODE, FILES)
BUCKETS = (*CONTENT_BUCKETS, BUILT, SELECTIONS)
"""In this order: what a document leads to is there before."""
DOCUMENT_NAME = re.compile(r"([0-9a-f]{32})\.json")
CHUNK = 1 << 18


@dataclass(kw_only=True)
class Carried:
    """What an archive holds, or brought. :param known: how many of the entries were in the store already."""

    wheels: int = 0
    bytecode: int = 0
    files: int = 0
    documents: int = 0
    known: int = 0
    bytes: int = 0
    sha256: str = ""

    @property
    def entries(self) -> int:
        """Of all kinds."""
        return self.wheels + self.bytecode + self.files + self.documents

    def count_tree(self, bucket: str) -> None:
        """One more entry of *bucket*."""
        if bucket == WHEELS:
            self.wheels += 1
        else:
            self.bytecode += 1
