"""Remove the private store of a job that is over, wherever it lies.

It stays recognisable as a store until nothing else is left of it, so that a clean-up that was killed is finished by the
next one. Links in it are removed, never followed.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..fs._system import system_path
from ..fs.remove import remove_file, remove_tree
from .layout import Layout

if TYPE_CHECKING:
    from pathlib import Path

    from ..events import EventSink

_BUDGET = 1.0


def remove_job_layer(root: Path, *, sink: EventSink) -> None:
    """Remove the store at *root*, which `jobs.is_job_layer` has recognised; what is not ours in it stays.

    :raises OSError: a part could not be removed.
    """
    layout = Layout(root)
    for name in sorted(os.listdir(system_path(root))):
        if layout.is_known(name) and name != layout.marker.name:
            remove_tree(root / name, budget=_BUDGET, sink=sink)
    remaining = os.listdir(system_path(root))
    if remaining == [layout.marker.name]:
        remove_file(layout.marker, budget=_BUDGET, sink=sink)
        os.rmdir(system_path(root))
