"""One job of a herd: imports everything first, says so, waits for the word, and runs the command.

``HERD_CLOCK_SHIFT`` lets its clock go wrong by so many seconds.
"""

from __future__ import annotations

import os
import sys
import time

# What a cold run needs, so that all begin at the same moment.
import safe_install.engine.builds
import safe_install.engine.install
import safe_install.engine.sync
import safe_install.index.client
import safe_install.store.flight  # noqa: F401 - as all of them
from safe_install.cli import main


def run() -> int:
    if shift := float(os.environ.pop("HERD_CLOCK_SHIFT", "0")):
        right = time.time
        time.time = lambda: right() + shift
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    return main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(run())
