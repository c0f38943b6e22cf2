"""The names of `_unix` or `_windows`, whichever fits this machine."""

from __future__ import annotations

import sys

if sys.platform == "win32":
    from ._windows import acl_writers, free_files, has_default_acl, leave_group, length, limits, scanners
else:
    from ._unix import acl_writers, free_files, has_default_acl, leave_group, length, limits, scanners

__all__ = ["acl_writers", "free_files", "has_default_acl", "leave_group", "length", "limits", "scanners"]
