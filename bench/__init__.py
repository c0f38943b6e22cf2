"""Measurements of `ci-install` beside uv and pip. Start it with ``python3 dev.py bench``; see ``bench/README.md``."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SETS = ROOT / "bench" / "sets"

# Where `helpers` lies, which is shared with the tests.
sys.path.insert(0, str(ROOT / "tests"))
