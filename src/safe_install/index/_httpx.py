"""The HTTP library without its own command line, which it imports where click and rich are installed.

That would bring rich and pygments, 7 MiB and 0.1 s, into every job that asks an index.
"""

from __future__ import annotations

import sys

_COMMAND_LINE = "httpx._main"

if _COMMAND_LINE not in sys.modules:
    # None makes the import fail as if the module were missing, which the library expects.
    sys.modules[_COMMAND_LINE] = None  # type: ignore[assignment]  # documented in "The import system", 5.3.1
    try:
        import httpx
    finally:
        del sys.modules[_COMMAND_LINE]
else:
    import httpx

__all__ = ["httpx"]
