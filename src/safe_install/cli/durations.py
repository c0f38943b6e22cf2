"""Lengths of time on the command line: ``90``, ``30m``, ``48h``, ``7d``."""

from __future__ import annotations

import re

from ..errors import InputError

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_TEXT = re.compile(r"(\d+(?:\.\d+)?)([smhdw]?)")


def read_duration(text: str, where: str) -> float:
    """Return the seconds that *text* means.

    :param where: for messages, such as ``--min-age``.
    :raises InputError: ``setting-invalid``.
    """
    match = _TEXT.fullmatch(text.strip())
    if match is None:
        raise InputError(f"{where}: expected a time such as 30m, 48h or 7d, not {text!r}", code="setting-invalid")
    return float(match[1]) * _UNITS[match[2]]
