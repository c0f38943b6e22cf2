"""The folder that an archive becomes, member by member; names, kinds and sizes are checked before a byte is written."""

from __future__ import annotations

import os
import posixpath
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ..events import Noticed, SteppedDown
from ..fs.paths import find_collisions, is_reserved, problem_with_member

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ..events import EventSink

CHUNK = 1 << 17
"""Bytes that are read at once; also the largest header that a tar may have."""

# What archivers of macOS and old git leave beside the top-level folder. They are nobody's source.
_LITTER_FOLDER = "__MACOSX"
_LITTER_FILES = frozenset({"pax_global_header", ".DS_Store"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What an archive may grow to.

    :param total: bytes of all members, and of a tar with its headers.
    :param ratio: unpacked bytes for each packed one; looked at above *ratio_from* unpacked bytes only,
        since short texts of one letter compress as well as any bomb.
    """

    total: int = 4 << 30
    ratio: int = 200
    ratio_from: int = 50 << 20
    members: int = 200_000

    def allowed(self, packed: int) -> int:
        """Bytes that an archive of *packed* bytes may unpack to."""
        return min(self.total, max(self.ratio_from, packed * self.ratio))


class MemberProblem(Exception):  # noqa: N818 - never leaves this package; it becomes an IntegrityError
    """Why an archive is refused.

    :param reason: a phrase that continues "its member 'x' …", or "it …" when *member* is None.
    :param excusable: whether ``--allow-irregular`` would let it pass.
    """

    def __init__(
        self, reason: str, *, member: str | None = None, code: str = "sdist-hostile", excusable: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.member = member
        self.code = code
        self.excusable = excusable


class Extraction:
    """Writes members below *folder*.

    :param folder: exists and is empty.
    :param packed: bytes of the archive file.
    :param irregular: accept names that are reserved on Windows, where that is not Windows.
    :raises MemberProblem: from every method; what was written so far stays, for the caller to remove.
    """

    def __init__(self, folder: Path, *, limits: Limits, packed: int, irregular: bool = False) -> None:
        self._folder = folder
        self._limits = limits
        self._irregular = irregular
        self._packed = packed
        self._members = 0
        self._written = 0
        self._top: str | None = None
        self._kinds: dict[str, Literal["folder", "file", "link"]] = {}
        self._links: dict[str, str] = {}
        self._excused: list[str] = []
        self._told: list[str] = []
        self.allowed = limits.allowed(packed)

    def add_folder(self, name: str) -> None:
        """Make a folder; it may be named more than once."""
        if (path := self._admit(name)) is not None and self._claim(path, "folder", name):
            self._make_folder(path)

    def add_file(self, name: str, read: Callable[[int], bytes], *, executable: bool, mtime: float | None) -> None:
        """Write a file from *read*. :param mtime: seconds since the epoch, ignored when no file can have it."""
        if (path := self._admit(name)) is None:
            return
        if self._kinds.get(path) == "file":
            self._expect_same(path, name, read)
            return
        self._claim(path, "file", name)
        self._write(path, name, read)
        place = self._place(path)
        os.chmod(place, 0o755 if executable else 0o644)
        if mtime is not None:
            try:
                os.utime(place, (mtime, mtime))
            except (OSError, OverflowError, ValueError):
                pass  # before the file system's first or after its last time, or no number at all

    def add_copy(self, name: str, target: str) -> None:
        """Write a second copy of the earlier file *target* (a hard link in the archive)."""
        if (path := self._admit(name)) is None:
            return
        source = self._checked(target, name)
        if self._kinds.get(source) != "file":
            raise MemberProblem(f"is a hard link to {target!r}, which is no earlier file of the archive", member=name)
        origin = self._place(source)
        mode = os.stat(origin)
        with open(origin, "rb") as file:
            self._claim(path, "file", name)
            self._write(path, name, file.read)
        os.chmod(self._place(path), mode.st_mode & 0o777)
        os.utime(self._place(path), ns=(mode.st_mtime_ns, mode.st_mtime_ns))

    def add_link(self, name: str, target: str) -> None:
        """Remember a symbolic link, to be made by `finish`."""
        if (path := self._admit(name)) is None:
            return
        if not target or "\0" in target or "\\" in target or posixpath.isabs(target) or os.path.isabs(target):
            raise MemberProblem(f"is a link to {target!r}, which is no relative path", member=name)
        end = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
        if end.split("/")[0] != self._top:
            raise MemberProblem(f"is a link to {target!r}, which leaves the top-level folder", member=name)
        self._claim(path, "link", name)
        self._links[path] = target

    def finish(self) -> Path:
        """Make the links, and return the top-level folder."""
        if self._top is None:
            raise MemberProblem("it is empty", code="sdist-invalid")
        top = self._folder / self._top
        for path, target in self._links.items():
            self._make_link(path, target)
        # A link may lead through other links, so only the system's own answer counts, now that all are there.
        inside = os.path.realpath(top)
        for path, target in self._links.items():
            end = os.path.realpath(self._place(path))
            if os.path.commonpath([end, inside]) != inside:
                raise MemberProblem(f"is a link to {target!r}, which leaves the top-level folder", member=path)
        return top

    def tell(self, filename: str, sink: EventSink) -> None:
        """Report what was excused, and what is harmless here and now only."""
        for text in self._excused:
            sink(SteppedDown(kind="irregular-archive", message=f"{filename}: {text}"))
        for text in self._told:
            sink(Noticed(message=f"{filename}: {text}", detail=True))
        collisions = find_collisions(path for path, kind in self._kinds.items() if kind != "folder")
        if collisions:
            one, other = collisions[0]
            text = f"{one!r} and {other!r} are one file where case is ignored"
            sink(Noticed(message=f"{filename}: {text}", detail=True))

    def _admit(self, name: str) -> str | None:
        """Return the clean path of a member; None when it is litter or the root itself."""
        self._members += 1
        if self._members > self._limits.members:
            raise MemberProblem(f"it has more than {self._limits.members:,} members", code="sdist-too-large")
        path = self._checked(name, name, allow_root=True)
        top, _, rest = path.partition("/")
        if not path or top == _LITTER_FOLDER or (not rest and (top in _LITTER_FILES or top.startswith("._"))):
            return None
        if self._top is None:
            self._top = top
        elif top != self._top:
            raise MemberProblem(
                f"it has more than one top-level entry: {self._top!r} and {top!r}", code="sdist-invalid"
            )
        return path

    def _checked(self, name: str, member: str, *, allow_root: bool = False) -> str:
        """Return *name* without ``./``, doubled and trailing slashes, or refuse it."""
        path = name if name.startswith("/") else "/".join(part for part in name.split("/") if part not in {"", "."})
        if not path and allow_root and name:
            return path
        problem = problem_with_member(path)
        if problem is None:
            return path
        about = problem if name == member else f"refers to {name!r}, which {problem}"
        if os.name == "nt" or problem_with_member(path, portable=False) is not None:
            raise MemberProblem(about, member=member)
        # From here on only Windows would mind. uWSGI, which is published as source alone, holds a file `logging.`.
        if not is_reserved(path):
            self._told.append(f"member {member!r} {about}")
        elif self._irregular:
            self._excused.append(f"member {member!r} {about}")
        else:
            raise MemberProblem(about, member=member, excusable=True)
        return path

    def _claim(self, path: str, kind: Literal["folder", "file", "link"], member: str) -> bool:
        """Note that *path* is taken, and make the folders above it; return False for a folder that is there."""
        known = self._kinds.get(path)
        if known == kind == "folder":
            return False
        if known is not None:
            raise MemberProblem(f"is there twice, as a {known} and as a {kind}", member=member)
        if kind != "folder" and "/" not in path:
            raise MemberProblem("is not in a folder", member=member, code="sdist-invalid")
        above = posixpath.dirname(path)
        if above and self._kinds.get(above) != "folder":
            self._claim(above, "folder", member)
            self._make_folder(above)
        self._kinds[path] = kind
        return True

    def _place(self, path: str) -> str:
        return os.path.join(self._folder, *path.split("/"))

    def _make_folder(self, path: str) -> None:
        place = self._place(path)
        try:
            os.mkdir(place)
        except FileExistsError:
            if not os.path.isdir(place):
                raise MemberProblem("meets another member on this file system", member=path) from None
        os.chmod(place, 0o755)  # noqa: S103 - what pip leaves under the usual umask; scratch itself is 0700

    def _write(self, path: str, member: str, read: Callable[[int], bytes]) -> None:
        try:
            file = open(self._place(path), "xb")  # noqa: SIM115 - closed below; only its opening may say "exists"
        except FileExistsError:
            raise MemberProblem("meets another member on this file system", member=member) from None
        with file:
            while chunk := read(CHUNK):
                self._written += len(chunk)
                self.check_size(self._written)
                file.write(chunk)

    def _expect_same(self, path: str, member: str, read: Callable[[int], bytes]) -> None:
        """Let a file pass that comes a second time with the same content, as in pyarrow's own archives."""
        with open(self._place(path), "rb") as file:
            while chunk := read(CHUNK):
                if chunk != file.read(len(chunk)):
                    break
            if chunk or file.read(1):
                raise MemberProblem("is there twice, with different content", member=member)
        self._told.append(f"member {member!r} is there twice")

    def check_size(self, size: int) -> None:
        """Refuse the archive when *size* unpacked bytes are too many."""
        if size <= self.allowed:
            return
        if size > self._limits.total:
            reason = f"it unpacks to more than {self._limits.total:,} bytes"
        else:
            reason = (
                f"it is a bomb: {self._packed:,} bytes unpack to more than {self._limits.ratio} times as much"
                f" (looked at above {self._limits.ratio_from:,} bytes)"
            )
        raise MemberProblem(reason, code="sdist-too-large")

    def _make_link(self, path: str, target: str) -> None:
        try:
            os.symlink(target, self._place(path))
        except FileExistsError:
            raise MemberProblem("meets another member on this file system", member=path) from None
        except (OSError, NotImplementedError):
            # Windows makes links for privileged users only; the file itself does as well.
            end = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
            if self._kinds.get(end) != "file":
                raise MemberProblem(f"is a link to {target!r}, which cannot be made here", member=path) from None
            with open(self._place(end), "rb") as file:
                self._write(path, path, file.read)
