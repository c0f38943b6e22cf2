"""Read what ``strace -ff -y`` wrote, and find a way to hit each call of it alone.

``strace -e inject=CALL:when=N`` counts, in each thread by itself, those calls of one kind that pass the filter ``-P PATH``:
those that are given this very path, or a descriptor of it. So a call is addressed by its kind, one of its paths, and the
number of calls before it in its thread that the same filter lets through.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

_LINE = re.compile(r"(?P<name>[a-z]\w*)\((?P<arguments>.*?)\)\s+= (?P<result>\S.*)")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_DESCRIPTOR = re.compile(r"(?<![\w\"])\d+<(/[^>]*)>")
# Calls whose quoted arguments are paths, and how many of these count; that of the others is data.
_PATH_ARGUMENTS = {
    **dict.fromkeys(("renameat", "renameat2", "link", "linkat", "symlink", "symlinkat"), 2),
    "rename": 1,  # strace 6.1 does not look at the other one
    **dict.fromkeys(
        ("open", "openat", "openat2", "creat", "mkdir", "mkdirat", "rmdir", "unlink", "unlinkat", "execve"), 1
    ),
    **dict.fromkeys(
        ("stat", "lstat", "newfstatat", "statx", "access", "faccessat", "faccessat2", "readlink", "readlinkat"), 1
    ),
    **dict.fromkeys(
        ("chmod", "fchmodat", "chown", "lchown", "fchownat", "utime", "utimes", "utimensat", "truncate"), 1
    ),
    **dict.fromkeys(
        ("chdir", "statfs", "getxattr", "lgetxattr", "listxattr", "llistxattr", "setxattr", "lsetxattr"), 1
    ),
}
_CHANGING = re.compile(
    "rename|link|mkdir|rmdir|creat|write|truncate|chmod|chown|utim|sync|sendfile|copy_file|setxattr|flock"
)
_READING = re.compile("readlink")


@dataclass(frozen=True)
class Traced:
    """One call of a traced run. :param paths: absolute ones that it was given, by name or as descriptors."""

    thread: int
    name: str
    paths: tuple[str, ...]
    text: str

    @property
    def changes(self) -> bool:
        """Whether it is of a kind that changes something on the disk."""
        if self.name.startswith("open"):
            return "O_CREAT" in self.text or "O_TRUNC" in self.text
        return bool(_CHANGING.search(self.name)) and not _READING.search(self.name)


@dataclass(frozen=True)
class Target:
    """How to hit one call.

    :param path: for ``-P``. :param when: counted from 1.
    :param others: how many calls of other threads are hit as well.
    """

    call: Traced
    path: str
    when: int
    others: int


def read_trace(folder: Path) -> list[Traced]:
    """Read what ``strace -ff -y -o folder/trace`` wrote, thread by thread, in the order of their numbers."""
    found = []
    for thread, log in enumerate(sorted(folder.iterdir(), key=lambda path: int(path.suffix[1:]))):
        for line in log.read_text(encoding="utf-8", errors="backslashreplace").splitlines():
            match = _LINE.match(line)
            if match is not None:
                name, arguments = match["name"], match["arguments"]
                found.append(Traced(thread, name, tuple(_paths(name, arguments)), line))
    return found


def _paths(name: str, arguments: str) -> Iterator[str]:
    yield from (text for text in _DESCRIPTOR.findall(arguments) if not text.startswith("/proc/"))
    limit = _PATH_ARGUMENTS.get(name, 0)
    # What a symbolic link says is a text for strace, and no path.
    first = 1 if name.startswith("symlink") else 0
    yield from (text for text in _QUOTED.findall(arguments)[first:limit] if text.startswith("/"))


def targets(traced: Sequence[Traced], wanted: Iterable[Traced], below: Sequence[str]) -> list[Target]:
    """Say for each *wanted* call of a run how to hit it. :param below: folders that the paths used lie in."""
    # By kind and path: the calls, in order, of each thread.
    passing: dict[tuple[str, str], Counter[int]] = defaultdict(Counter)
    number: dict[int, dict[str, int]] = {}
    for call in traced:
        number[id(call)] = {}
        for path in dict.fromkeys(call.paths):
            counts = passing[call.name, path]
            counts[call.thread] += 1
            number[id(call)][path] = counts[call.thread]

    def target(call: Traced) -> Target:
        candidates = []
        for path, when in number[id(call)].items():
            if not is_below(path, below):
                continue
            counts = passing[call.name, path]
            others = sum(count >= when for thread, count in counts.items() if thread != call.thread)
            candidates.append(Target(call, path, when, others))
        return min(candidates, key=lambda each: (each.others, each.when))

    return [target(call) for call in wanted]


def is_below(path: str, folders: Sequence[str]) -> bool:
    """Whether *path* is one of *folders* or lies in one."""
    return any(path == folder or path.startswith(folder + "/") for folder in folders)
