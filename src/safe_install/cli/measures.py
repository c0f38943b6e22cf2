"""Sizes and lengths of time as people write them: ``500 MB``, ``2GiB``, ``30m``, ``7d``."""

from __future__ import annotations

import math
import re

from ..errors import InputError

_PREFIXES = ("", "k", "m", "g", "t", "p")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:([kmgtp]?)(i?)b|([kmgtp]?))", re.ASCII | re.IGNORECASE)
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])\s*", re.ASCII)
_DURATION = re.compile(rf"(?:{_PART.pattern})+", re.ASCII)
_NUMBER = re.compile(r"\d+(?:\.\d+)?", re.ASCII)


def size(value: object) -> int:
    """Return the bytes that *value* means: ``500 MB`` and ``10G`` (powers of 1000), ``2GiB`` (of 1024), ``4096``.

    :raises ValueError: it is no size.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"expected a size such as 500MB, 10GB or 2GiB, not {value!r}")
    number, prefix, binary, alone = match.groups()
    return int(float(number) * (1024 if binary else 1000) ** _PREFIXES.index((prefix or alone or "").lower()))


def duration(value: object) -> float:
    """Return the seconds that *value* means: ``30m``, ``48h``, ``7d``, ``1d12h``, or a number of seconds.

    :raises ValueError: it is no length of time.
    """
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0:
        return float(value)
    text = value.strip().lower() if isinstance(value, str) else ""
    if _NUMBER.fullmatch(text):
        return float(text)
    if not _DURATION.fullmatch(text):
        raise ValueError(f"expected a time such as 30m, 48h or 7d, not {value!r}")
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))


def read_duration(text: str, where: str) -> float:
    """Return the seconds that *text* means.

    :param where: for messages, such as ``--min-age``.
    :raises InputError: ``setting-invalid``.
    """
    try:
        return duration(text)
    except ValueError as error:
        raise InputError(f"{where}: {error}", code="setting-invalid") from error
