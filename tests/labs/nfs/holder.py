"""Stands for an indexer, a scanner or a backup: opens every file that appears below a folder, and holds it for a while.

``python holder.py FOLDER SECONDS``; says ``holding`` when it has begun.
"""

from __future__ import annotations

import os
import sys
import time
from collections import deque

_MOST = 500
_PAUSE = 0.005


def hold_all(folder: str, seconds: float) -> None:
    """Never returns."""
    held: deque[tuple[float, int]] = deque()
    print("holding", flush=True)  # noqa: T201 - that is how its caller knows
    while True:
        for place, _, files in os.walk(folder):
            for name in files:
                try:
                    held.append((time.monotonic(), os.open(os.path.join(place, name), os.O_RDONLY)))
                except OSError:
                    continue
                while held and (len(held) > _MOST or held[0][0] < time.monotonic() - seconds):
                    os.close(held.popleft()[1])
        time.sleep(_PAUSE)
        while held and held[0][0] < time.monotonic() - seconds:
            os.close(held.popleft()[1])


if __name__ == "__main__":
    hold_all(sys.argv[1], float(sys.argv[2]))
