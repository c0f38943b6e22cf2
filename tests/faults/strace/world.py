"""A folder with a store, an environment and scratch, that is put back as it was before each run, and judged after it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from faults.strace.server import Server
from faults.strace.snapshot import Snapshot, walk
from helpers.command import Command
from helpers.environments import tree_of

from safe_install.fs.hashing import content_time
from safe_install.locks.processes import own_tag
from safe_install.models import Digest
from safe_install.store.documents import decode_document, decode_page
from safe_install.store.layout import DOCUMENT_BUCKETS, FILES, INDEX, MANIFEST, TREE_BUCKETS
from safe_install.store.manifest import read_manifest
from safe_install.store.trees import WheelTree

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from faults.strace.server import Ended
    from helpers.command import Result

# They name processes and times. What is in an entry is judged by itself.
_VOLATILE = re.compile(r".*\.owner(\..*\.tmp)?|home/[^/]*/(leases|index-1|built-1|jobs|generations)/.*")
# They also tell when something was done, and by which process.
_TIMED = re.compile(r"home/[^/]*/(current|quarantine/[^/]*/reason\.json)")
_TIME = re.compile(rb'"(when|pid|born)": [^\n]*|\b\d{10}\.\d+|"sha256":"[0-9a-f]{64}",')
# Where no symbolic link can be made, an environment has copies of its interpreter and of the library that it needs.
_INTERPRETER = re.compile(r"bin/python[0-9.]*")
_LIBRARY = re.compile(r"lib/libpython[^/]*")
_NEVER = Path("/proc/sys/kernel/pid_max")  # the numbers of processes are below it
TAG_OF_THE_DEAD = f"{own_tag().split('-')[0]}-{_NEVER.read_text().strip() if _NEVER.exists() else 1 << 22}-1"
"""What names tell whose maker was a process of this machine that has ended."""
_ENTRY = re.compile(r"home/(store|seed)/(?P<bucket>[^/]+-[^/]+)/[^/]+/[^/]+")
_LASTING = ("home/store", "home/seed", "work")


class World:
    """Everything that one command may touch, below *root*.

    What a scenario prepares is kept beside it, and copied back for each run, so that every path stays the same.
    """

    def __init__(self, root: Path) -> None:
        self.root = root / "world"
        self._kept: Snapshot | None = None
        self.command = Command(home=self.root / "home", folder=self.root / "work")
        self.damaged: list[str] = []
        self.littered: frozenset[str] = frozenset()
        self.empty: frozenset[str] = frozenset()
        # Away from all that is watched: the working folder is an argument of many a call.
        self.elsewhere = root / "elsewhere"
        self.elsewhere.mkdir()
        self._server: Server | None = None
        self.inputs = root / "inputs"
        self.inputs.mkdir()
        self.command.variables |= {
            "PYTHONHASHSEED": "0",
            "SAFE_INSTALL_CONCURRENT_DOWNLOADS": "1",
            "SAFE_INSTALL_VENV": str(self.command.venv),
            "SAFE_INSTALL_PROGRESS": "no",
        }

    def close(self) -> None:
        """End the process that runs are forked from."""
        if self._server is not None:
            self._server.close()

    @property
    def watched(self) -> tuple[str, ...]:
        """What calls are enumerated below: stores and seeds, the environment with its locks, scratch."""
        home = self.command.home
        places = (home / "store", home / "seed", self.command.scratch, self.command.temporary, self.command.folder)
        return tuple(map(str, places))

    def keep(self) -> None:
        """Remember how everything is now, with what is wrong with it."""
        self._kept = Snapshot(self.root)
        self.damaged = self.problems()
        self.littered = frozenset(self.litter())
        self.empty = frozenset(
            str(folder)
            for store in ("store", "seed")
            for folder in self.command.home.glob(f"{store}/*-*/??")
            if not any(folder.iterdir())
        )

    def restore(self) -> None:
        """Make everything as it was at `keep`."""
        assert self._kept is not None
        self._kept.restore()

    def strace(self, options: Sequence[str], output: Path, arguments: Sequence[str | Path]) -> Ended:
        """Run the command, with the names of `subject`, under strace."""
        self.command.report_path.unlink(missing_ok=True)
        if self._server is None:
            self._server = Server(self.elsewhere, self.command.variables)
        return self._server.strace(["-y", "-s", "4096", *options, "-o", str(output)], map(str, arguments))

    def run(self, *arguments: str | Path) -> Result:
        """Run the command as anybody would, from elsewhere."""
        return self.command(*arguments, folder=self.elsewhere)

    def bury(self) -> None:
        """Let the names that the runs left tell of a process that has ended; they were made for this one (`subject`)."""
        for store in ("store", "seed"):
            for path in sorted((self.command.home / store).glob(f"*/*{own_tag()}*")):
                path.rename(path.with_name(path.name.replace(own_tag(), TAG_OF_THE_DEAD)))

    def environment(self) -> dict[str, object] | None:
        """What the environment holds, or None. Write bits are left out: they depend on the link mode."""
        if not self.command.venv.exists():
            return None
        found: dict[str, object] = {}
        for name, (mode, content) in tree_of(self.command.venv).items():
            # A journal is no part of it: `litter` finds it. Folders that lost their last file may stay.
            if name.startswith(".safe-install/") or name.endswith("/") or _LIBRARY.fullmatch(name):
                continue
            place = self.command.venv / name
            if _INTERPRETER.fullmatch(name) and place.exists():
                found[name] = (place.stat().st_mode & 0o555, hashlib.sha256(place.read_bytes()).hexdigest())
            else:
                found[name] = (mode & 0o555, content)
        return found

    def problems(self) -> list[str]:
        """What is wrong with what can be seen of the stores: it is hashed whole."""
        entries = (match for place, _ in self._walk() if (match := _ENTRY.fullmatch(place)) is not None)
        judged = ((match[0], _problem(match["bucket"], self.root / match[0])) for match in entries)
        return [f"{place}: {problem}" for place, problem in sorted(judged) if problem is not None]

    def litter(self) -> list[str]:
        """Everything half-made that lies about, as absolute paths."""
        names = (place for place, _ in self._walk() if place.startswith("home/") and place.endswith(".tmp"))
        return [str(self.root / path) for path in self.command.litter([self.root / name for name in names])]

    def _walk(self) -> Iterator[tuple[str, os.stat_result]]:
        return walk(str(self.root), self._kept.empty if self._kept is not None else None)

    def fingerprint(self) -> str:
        """A digest of all that a later run may come upon. Two runs of one command end with few different ones."""
        found = hashlib.sha256()
        for place, state in sorted(self._walk()):
            if not place.startswith(_LASTING):
                continue
            path = self.root / place
            facts: list[object] = [place, state.st_mode]
            if stat.S_ISLNK(state.st_mode):
                facts.append(os.readlink(path))
            elif stat.S_ISREG(state.st_mode):
                # Times of content are even seconds, and part of an entry; others are of no account.
                facts.append(state.st_mtime_ns if state.st_mtime_ns % 10**9 == 0 else None)
                if not _VOLATILE.fullmatch(place):
                    data = path.read_bytes()
                    data = _TIME.sub(b"", data) if _TIMED.fullmatch(place) else data
                    facts.append(hashlib.sha256(data).hexdigest())
            found.update(json.dumps(facts).encode())
        return found.hexdigest()


def _problem(bucket: str, entry: Path) -> str | None:
    """Why this entry must not be there; None when it is whole."""
    try:
        if bucket in TREE_BUCKETS:
            return _problem_of_tree(entry)
        data = entry.read_bytes()
        if bucket == FILES:
            digest = Digest(hashlib.sha256(data).hexdigest())
            if not digest.startswith(entry.name):
                return "its content is not what its name says"
            return None if entry.stat().st_mtime_ns == content_time(digest) else "its time is wrong"
        decoded = decode_page(data) if bucket == INDEX else decode_document(data)
        assert bucket == INDEX or bucket in DOCUMENT_BUCKETS
    except (OSError, ValueError) as error:
        return repr(error)
    return None if decoded is not None else "it cannot be read"


def _problem_of_tree(entry: Path) -> str | None:
    manifest = read_manifest(entry / MANIFEST)
    tree = WheelTree(digest=manifest.digest, folder=entry, manifest=manifest)
    damage = tree.damage()
    for file in manifest.files:
        if hashlib.sha256((tree.tree / file.path).read_bytes()).hexdigest() != file.sha256:
            damage.append(f"{file.path} has other content")
    if not manifest.digest.startswith(entry.name):
        damage.append("it has another entry's manifest")
    if extra := {path.name for path in entry.iterdir()} - {"tree", MANIFEST}:
        damage.append(f"it holds {extra}")
    return damage[0] if damage else None
