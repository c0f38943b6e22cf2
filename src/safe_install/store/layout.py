"""Where everything in a store lies. The only place that knows these paths.

::

    <store>/
      store.json                     format version, sharing mode, what was found out about this folder
      wheels-1/<ab>/<name>/          an unpacked wheel: tree/ and manifest.json
      bytecode-1/<ab>/<name>/        the bytecode of a wheel for one kind of interpreter: tree/ and manifest.json
      images-1/<ab>/<name>/          what a set of wheels puts into an environment, merged: tree/ and manifest.json
      files-1/<ab>/<name>            sdists, metadata files, VCS trees as archives
      built-1/<ab>/<name>.json       build key -> wheel digest and provenance
      index-1/<ab>/<name>.<n>        index pages with validators and checksum; the newest valid one wins
      interpreters-1/<ab>/<name>.json  what an interpreter's probe said
      selections-1/<ab>/<name>.json  which file a pin with hashes means for an interpreter
      staging/                       what is being made; nothing in it is ever read by another process
      locks/                         lock files and the notes of their holders
      leases/                        who uses which entries at the moment (`leases`)
      jobs/                          which private stores of jobs lie above this one (`jobs`)
      logs/                          what failed builds printed
      trash/                         what was moved out of the way, until it is removed
      quarantine/<entry>.<random>/   a damaged entry, and reason.json: what, when, found by whom (`quarantine`)
      checked/<boot>/                which entries were hashed since this system was booted (`verify`)
      generations/<digest>.json      in a seed: lists of entries, named by their own digest (`generations`)
      current                        in a seed: which generation its readers see

The number is the format version of the bucket, so that two releases share a root. ``<name>`` is the first 32
characters of a digest, ``<ab>`` its first two. The ``<ab>`` folders are all made with the store, so that publishing
makes no folder that another host may not see yet.
"""

from __future__ import annotations

import os
import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ..errors import InputError
from ..locks.processes import own_tag

if TYPE_CHECKING:
    from pathlib import Path

    from ..models import Digest

WHEELS: Final = "wheels-1"
BYTECODE: Final = "bytecode-1"
IMAGES: Final = "images-1"
FILES: Final = "files-1"
BUILT: Final = "built-1"
INDEX: Final = "index-1"
INTERPRETERS: Final = "interpreters-1"
SELECTIONS: Final = "selections-1"
BUCKETS: Final = (WHEELS, BYTECODE, IMAGES, FILES, BUILT, INDEX, INTERPRETERS, SELECTIONS)
TREE_BUCKETS: Final = frozenset({WHEELS, BYTECODE, IMAGES})
"""Whose entries are folders with a manifest."""
DOCUMENT_BUCKETS: Final = frozenset({BUILT, INTERPRETERS, SELECTIONS})
MANIFEST: Final = "manifest.json"
PROBE_PREFIX: Final = ".safe-install-probe-"
"""How folders begin in which `doctor` tries for a moment what a folder can do, where there is no store yet."""

_DIGEST = re.compile("[0-9a-f]{64}")
_NAME_LENGTH = 32
_WORK_FOLDERS = ("staging", "locks", "leases", "jobs", "logs", "trash", "quarantine", "checked")
_SEED_NAMES = ("generations", "current")
_PREFIXES = tuple(f"{number:02x}" for number in range(256))


def name_of(digest: Digest) -> str:
    """What an entry is called, without an ending."""
    # A digest may come from a lock file, and becomes a path here.
    if not _DIGEST.fullmatch(digest):
        raise InputError(f"`{digest[:80]}` is no SHA-256 in lower-case hexadecimal", code="malformed-digest")
    return digest[:_NAME_LENGTH]


def owner_of(name: str) -> str:
    """Return the tag (`processes.own_tag`) in a name below ``staging/`` or ``trash/``; empty where there is none."""
    return name.partition(".")[2]


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths of one store. :param root: absolute."""

    root: Path

    @property
    def marker(self) -> Path:
        """The file that says that this folder is a store; made last."""
        return self.root / "store.json"

    def tree(self, bucket: str, digest: Digest) -> Path:
        """An entry that is a folder. :param bucket: one of `TREE_BUCKETS`."""
        if bucket not in TREE_BUCKETS:
            raise ValueError(f"{bucket} holds no trees")
        return self._entry(bucket, digest, "")

    def wheel(self, digest: Digest) -> Path:
        """The entry of an unpacked wheel."""
        return self.tree(WHEELS, digest)

    def file(self, digest: Digest) -> Path:
        """The file with this content."""
        return self._entry(FILES, digest, "")

    def document(self, bucket: str, key: Digest) -> Path:
        """A small JSON file. :param bucket: one of `DOCUMENT_BUCKETS`."""
        if bucket not in DOCUMENT_BUCKETS:
            raise ValueError(f"{bucket} holds no documents")
        return self._entry(bucket, key, ".json")

    def page(self, key: Digest, version: int) -> Path:
        """One version of an index page."""
        return self._entry(INDEX, key, f".{version}")

    def page_versions(self, key: Digest) -> list[int]:
        """The versions of an index page that are there, newest first."""
        folder = self.page(key, 0).parent
        prefix = key[:_NAME_LENGTH] + "."
        try:
            names = os.listdir(folder)
        except OSError:
            return []
        endings = (name[len(prefix) :] for name in names if name.startswith(prefix))
        return sorted((int(ending) for ending in endings if ending.isascii() and ending.isdigit()), reverse=True)

    def staging(self, prefix: str) -> Path:
        """A new random name for what is being made; a clean-up can tell by it whose it is (`owner_of`)."""
        return self.root / "staging" / f"{prefix}-{secrets.token_hex(8)}.{own_tag()}"

    def trash(self) -> Path:
        """A new random name for what is moved out of the way."""
        return self.root / "trash" / f"{secrets.token_hex(8)}.{own_tag()}"

    @property
    def quarantine(self) -> Path:
        """The folder for damaged entries."""
        return self.root / "quarantine"

    def checked(self, boot: str) -> Path:
        """The folder for what was hashed since one boot."""
        return self.root / "checked" / boot

    def entry_name(self, path: Path) -> str:
        """Return how an entry is called in reports: bucket and name, without the version of a page."""
        bucket, _, name = path.relative_to(self.root).parts[:3]
        return f"{bucket}/{name.partition('.')[0]}"

    @property
    def logs(self) -> Path:
        """The folder for logs of failed builds."""
        return self.root / "logs"

    @property
    def leases(self) -> Path:
        """The folder for leases."""
        return self.root / "leases"

    @property
    def jobs(self) -> Path:
        """The folder for the whereabouts of job layers."""
        return self.root / "jobs"

    @property
    def generations(self) -> Path:
        """The folder for a seed's generations; there in seeds alone."""
        return self.root / "generations"

    def generation(self, digest: Digest) -> Path:
        """The file of one generation."""
        if not _DIGEST.fullmatch(digest):
            raise InputError(f"`{digest[:80]}` is no digest of a generation", code="malformed-digest")
        return self.generations / f"{digest}.json"

    @property
    def current(self) -> Path:
        """The file that names the generation which a seed's readers see."""
        return self.root / "current"

    def lock(self, name: str) -> Path:
        """A lock file."""
        return self.root / "locks" / f"{name}.lock"

    @property
    def last_cleanup(self) -> Path:
        """The file whose time is that of the last clean-up after a job."""
        return self.root / "locks" / "gc.last"

    def folders(self) -> list[str]:
        """Every folder of an empty store below its root, parents first, relative."""
        below = [f"{bucket}{os.sep}{prefix}" for bucket in BUCKETS for prefix in _PREFIXES]
        return [*_WORK_FOLDERS, *BUCKETS, *below]

    def is_known(self, name: str) -> bool:
        """Whether *name* directly below the root may be ours, of this release or of another."""
        if name.startswith((f"{self.marker.name}.", PROBE_PREFIX)):
            return True  # the marker, as another process is writing it, or what tries the folder out
        stem, _, number = name.rpartition("-")
        return name in {*_WORK_FOLDERS, *_SEED_NAMES, self.marker.name} or (bool(stem) and number.isdigit())

    def _entry(self, bucket: str, digest: Digest, ending: str) -> Path:
        name = name_of(digest)
        return self.root / bucket / name[:2] / (name + ending)
