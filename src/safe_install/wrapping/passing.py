"""Failures of other installers that come from jobs sharing a disk, and pass: the same command works a moment later.

Each has been met by somebody; the number says where. What is not in this table is not tried again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One failure that passes. :param pattern: of a line; :param report: who met it; :param cause: in words."""

    pattern: re.Pattern[str]
    report: str
    cause: str


def _failure(pattern: str, report: str, cause: str) -> Failure:
    return Failure(pattern=re.compile(pattern, re.IGNORECASE), report=report, cause=cause)


_HELD_ON_NFS = "somebody holds a file of that folder open (NFS)"
_OPEN_ON_WINDOWS = "another process has the file open (Windows)"
FAILURES: Final = (
    _failure(r"Directory not empty \(os error 39\)|\[Errno 39\] Directory not empty", "uv#12036", _HELD_ON_NFS),
    _failure(r"Device or resource busy \(os error 16\)|\[Errno 16\] Device or resource busy", "uv#12036", _HELD_ON_NFS),
    _failure(r"Stale file handle", "apache/tvm-ffi#667", "another host has replaced the file (NFS)"),
    _failure(r"Access is denied\. \(os error 5\)", "uv#2810", _OPEN_ON_WINDOWS),
    _failure(r"used by another process\.? \(os error 32\)", "uv#11002", _OPEN_ON_WINDOWS),
    _failure(
        r"locked a portion of the file\.? \(os error 33\)",
        "uv#2810",
        "another process has locked a part of the file (Windows)",
    ),
    _failure(r"\(os error 1224\)", "uv#14017", "another process has the file mapped (Windows)"),
)
"""In the order in which they are looked for."""


def passing_failure(output: str) -> Failure | None:
    """Return the first failure of the table that *output* tells of."""
    return next((failure for failure in FAILURES if failure.pattern.search(output)), None)
