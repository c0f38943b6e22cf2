"""RECORD: the list of what an installed distribution consists of (PEP 376, as the packaging specifications keep it).

Written row for row as pip does, so that either tool can uninstall what the other one installed.
"""

from __future__ import annotations

import hashlib
import io
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Row(NamedTuple):
    """One line. :param path: relative to the folder of the ``.dist-info``; :param digest: ``sha256=…`` or empty."""

    path: str
    digest: str
    size: str


def row_of(path: str, content: bytes) -> Row:
    """Return the row of a file that was written with *content*."""
    digest = urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode("ascii")
    return Row(path, f"sha256={digest}", str(len(content)))


def installed_record(
    record: str, *, moved: Mapping[str, str], own: Iterable[Row], unhashed: Iterable[str], unlisted: Iterable[str]
) -> bytes:
    """Return the RECORD of an installed wheel.

    :param record: the text of the wheel's RECORD.
    :param moved: path in the wheel to path of the installed file, both relative, where they differ.
    :param own: rows of what the installer wrote; they replace the wheel's for the same path.
    :param unhashed: paths of bytecode files, listed without digest.
    :param unlisted: files of the wheel that its RECORD may leave out; listed without digest where it does.
    """
    import csv

    written = {row.path: row for row in own}
    rows = []
    seen = set()
    for values in csv.reader(record.splitlines()):
        if not values:
            continue
        # What is not in *moved* keeps its path; that includes the wrappers which `scripts.is_command` leaves out.
        path = moved.get(values[0], values[0])
        seen.add(path)
        if path not in written:
            rows.append((path, *(values[1:3] if len(values) > 2 else ("", ""))))
    rows += written.values()
    rows += [(path, "", "") for path in unlisted if path not in seen and path not in written]
    rows += [(path, "", "") for path in unhashed]
    rows.sort()
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def read_record(content: bytes) -> list[str]:
    """Return the paths of an installed RECORD, as written."""
    import csv

    text = content.decode("utf-8", "surrogateescape")
    return [values[0] for values in csv.reader(text.splitlines()) if values and values[0]]
