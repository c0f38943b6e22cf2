"""Find the line of a requirements file or lock that an error is about, for a platform that shows errors beside it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_PLACE = re.compile(r"(?<!\S)(?P<file>\S[^\n]*?):(?P<line>[1-9][0-9]*)(?![0-9])")
_PIN = re.compile(r"\s*(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*==\s*(?P<version>[^\s;\\,]+)")
_KEY = re.compile(r'\s*(?P<key>name|version)\s*=\s*"(?P<value>[^"]+)"')
_LONGEST = 32 * 1024 * 1024
_MOST_TEXT = 4000  # characters of an error that are read


class Place(NamedTuple):
    """A line of a file, counted from 1."""

    file: str
    line: int


def locate(texts: Sequence[str], files: Sequence[str], folder: Path) -> Place | None:
    """Return the line that *texts* name, or that of the distribution that they speak of.

    :param texts: message and facts of an error.
    :param files: that were read, relative to *folder* or absolute.
    """
    texts = [text[:_MOST_TEXT] for text in texts]
    for text in texts:
        for match in _PLACE.finditer(text):
            # "asked for by requirements.txt:1": the name is what follows one of the spaces.
            words = match["file"].split(" ")
            for name in (" ".join(words[start:]) for start in range(len(words))):
                if name and _is_file(folder / name):
                    return Place(name, int(match["line"]))
    said = _plain(" ".join(texts))
    for name in files:
        for number, pin in _pins(folder / name):
            if re.search(rf"(?<![\w-]){re.escape(pin)}(?![\w])", said):
                return Place(name, number)
    return None


def _pins(path: Path) -> Iterator[tuple[int, str]]:
    """The distributions of a file, each with its line: as wheels and requirements spell them, ``name-version``."""
    if not _is_file(path) or path.stat().st_size > _LONGEST:
        return
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    named = 0, ""
    for number, line in enumerate(lines, 1):
        if path.suffix != ".toml":
            if match := _PIN.match(line):
                yield number, _plain(f"{match['name']}-{match['version']}")
        elif match := _KEY.match(line):
            if match["key"] == "name":
                named = number, match["value"]
            elif named[0]:
                yield named[0], _plain(f"{named[1]}-{match['value']}")
                named = 0, ""


def _plain(text: str) -> str:
    return re.sub(r"[._]|==", "-", text).lower()


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False  # a text that is no path
