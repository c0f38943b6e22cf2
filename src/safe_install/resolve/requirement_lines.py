"""Turn the bytes of a requirements file into logical lines that remember where they came from.

The steps and their order are pip's ("Requirements File Format" in its documentation): decode, join lines that end in
a backslash, drop comments, put in environment variables. Because a value is put in last, a ``#`` or a backslash in
it means nothing; because lines are joined first, a comment hides what a backslash at its end continues, unless the
comment has the line to itself.
"""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# PEP 263. pip looks for it in the first two lines, and only where they begin with `#`.
_CODING = re.compile(rb"#.*coding[:=]\s*([-\w.]+)")
# The longer marks first: UTF-16's is the beginning of UTF-32's.
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
)
_COMMENT = re.compile(r"(?:^|\s+)#.*$", re.DOTALL)
_ONLY_COMMENT = re.compile(r"\s*#")
# Upper case only, as in POSIX (IEEE Std 1003.1); pip's documentation: "only the POSIX format ... is supported".
_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")


class Place(NamedTuple):
    """A position in a file. :param number: of the line, from 1; :param column: from 0; :param line: its text."""

    number: int
    column: int
    line: str


class _Piece(NamedTuple):
    """A part of a logical line. :param copied: False for the value of a variable, all of which is at one place."""

    text: str
    place: Place
    copied: bool


class LogicalLine:
    """One line after joining, without comments, variables put in, and stripped; never empty."""

    def __init__(self, pieces: list[_Piece]) -> None:
        whole = "".join(piece.text for piece in pieces)
        self.text = whole.strip()
        self._pieces = pieces
        self._stripped = len(whole) - len(whole.lstrip())

    def place(self, offset: int = 0) -> Place:
        """Where in the file the character at *offset* of `text` stands."""
        rest = offset + self._stripped
        for piece in self._pieces:
            if rest < len(piece.text) or piece is self._pieces[-1]:
                number, column, line = piece.place
                return Place(number, column + (min(rest, len(piece.text)) if piece.copied else 0), line)
            rest -= len(piece.text)
        raise AssertionError("a logical line has at least one piece")


def decode(data: bytes) -> str:
    """Decode a requirements file: byte order mark, else PEP 263's coding line, else UTF-8.

    :raises ValueError: it is not in that encoding, or the encoding is unknown.
    """
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding)
    for line in data.split(b"\n", 2)[:2]:
        if line.startswith(b"#") and (found := _CODING.search(line)):
            try:
                return data.decode(found[1].decode("ascii"))
            except LookupError as error:
                raise ValueError(str(error)) from error
    return data.decode("utf-8")


def logical_lines(text: str, environ: Mapping[str, str]) -> Iterator[LogicalLine]:
    """Yield the lines of a requirements file that say something.

    :param environ: variables for ``${NAME}``; one that is missing or empty is left as it stands, as pip does.
    """
    for pieces in _joined(text):
        line = LogicalLine(_expanded(_without_comment(pieces), environ))
        if line.text:
            yield line


def _joined(text: str) -> Iterator[list[_Piece]]:
    pieces: list[_Piece] = []
    for number, line in enumerate(text.splitlines(), start=1):
        only_comment = _ONLY_COMMENT.match(line) is not None
        if only_comment and pieces:
            # What continues into a comment needs the space before `#` that makes it one.
            pieces.append(_Piece(" ", Place(number, 0, line), copied=False))
        if line.endswith("\\") and not only_comment:
            pieces.append(_Piece(line.rstrip("\\"), Place(number, 0, line), copied=True))
            continue
        pieces.append(_Piece(line, Place(number, 0, line), copied=True))
        yield pieces
        pieces = []
    if pieces:
        yield pieces


def _without_comment(pieces: list[_Piece]) -> list[_Piece]:
    comment = _COMMENT.search("".join(piece.text for piece in pieces))
    if comment is None:
        return pieces
    kept = []
    room = comment.start()
    for piece in pieces:
        kept.append(piece._replace(text=piece.text[:room]))
        room -= len(kept[-1].text)
    return kept


def _expanded(pieces: list[_Piece], environ: Mapping[str, str]) -> list[_Piece]:
    result = []
    for piece in pieces:
        done = 0
        for found in _VARIABLE.finditer(piece.text):
            value = environ.get(found[1])
            if value:
                result.append(_part(piece, done, found.start()))
                result.append(_Piece(value, _part(piece, found.start(), found.end()).place, copied=False))
                done = found.end()
        result.append(_part(piece, done, len(piece.text)))
    return result


def _part(piece: _Piece, start: int, end: int) -> _Piece:
    number, column, line = piece.place
    return _Piece(piece.text[start:end], Place(number, column + start, line), piece.copied)
