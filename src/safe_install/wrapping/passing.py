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


FAILURES: Final = (
    _failure(r"Directory not empty \(os error 39\)", "uv#12036", "somebody holds a file of that folder open (NFS)"),
    _failure(r"\[Errno 39\] Directory not empty", "pip#9034", "two processes remove or fill one folder"),
    _failure(r"Access is denied\. \(os error 5\)", "uv#2810", "another process has the file open (Windows)"),
    _failure(r"used by another process\.? \(os error 32\)", "uv#11002", "another process has the file open (Windows)"),
    _failure(r"\[WinError (5|32)\]", "uv#2810", "another process has the file open (Windows)"),
    _failure(r"locked a portion of the file\.? \(os error 33\)", "uv#2810", "another process has locked it (Windows)"),
    _failure(r"\(os error 1224\)", "uv#14017", "another process has the file mapped (Windows)"),
    _failure(r"Stale (NFS )?file handle|Stale NFS", "uv#9050", "another host has replaced the file (NFS)"),
    _failure(r"Device or resource busy \(os error 16\)", "uv#12036", "somebody holds a file open (NFS)"),
    _failure(r"\[Errno 16\] Device or resource busy", "uv#12036", "somebody holds a file open (NFS)"),
    _failure(
        r"Text file busy \(os error 26\)|\[Errno 26\] Text file busy", "uv#9050", "the program runs in another job"
    ),
    _failure(r"Timeout \(\d+s\) when waiting for lock", "uv#19317", "another job holds the lock of a cache"),
)
"""In the order in which they are looked for."""


def passing_failure(output: str) -> Failure | None:
    """Return the first failure of the table that *output* tells of."""
    return next((failure for failure in FAILURES if failure.pattern.search(output)), None)
