"""Make a store, or change how one is shared (``cache init``)."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING

from ..fs._system import system_path
from ..fs.failures import explain
from ..models import Sharing
from .layout import Layout
from .opening import open_layout, write_marker
from .sharing import find_group, share_content, share_root

if TYPE_CHECKING:
    from pathlib import Path

    from ..events import EventSink
    from .opening import Marker


def create_store(root: Path, sharing: Sharing | None, group: str | None, *, budget: float, sink: EventSink) -> Marker:
    """Make the store at *root*, or give the one that is there another sharing mode; return what is known of it.

    A store that was refused because strangers could write it is one of its owner again.

    :param sharing: None for what the folder says, or private.
    :param group: name or number; None for the group that the folder has.
    :raises InputError: ``group-unknown``.
    :raises StoreError: and *PolicyError*: as `open_layout`; ``permission-denied``: only the owner can share it.
    """
    number = None if group is None else find_group(group)
    layout = Layout(root)
    if sharing is None:
        return open_layout(layout, budget=budget, sink=sink)
    present = _is_store(layout)
    try:
        os.makedirs(system_path(root.parent), exist_ok=True)
        if not os.path.isdir(system_path(root)):
            os.mkdir(system_path(root), 0o700)
    except OSError as error:
        raise explain(error, doing="make the store", path=root) from error
    if not present and os.listdir(system_path(root)):
        # Says that it is not ours, before anything of it is changed.
        open_layout(layout, budget=budget, sink=sink)
    if present:
        # Closed while it is changed; and what is below it first, so that nobody meets what he cannot open.
        share_root(root, Sharing.PRIVATE, None)
        share_content(root, sharing, number)
    share_root(root, sharing, number)
    return _mark(layout, sharing, budget=budget, sink=sink)


def _is_store(layout: Layout) -> bool:
    return os.path.isfile(system_path(layout.marker))


def _mark(layout: Layout, sharing: Sharing, *, budget: float, sink: EventSink) -> Marker:
    """Say it in ``store.json`` too, and make what is missing."""
    marker = open_layout(layout, sharing=sharing, budget=budget, sink=sink)
    if marker.sharing is sharing:
        return marker
    marker = dataclasses.replace(marker, sharing=sharing)
    try:
        write_marker(layout, marker, budget=budget, sink=sink)
    except OSError as error:
        raise explain(error, doing="share the store", path=layout.root) from error
    return marker
