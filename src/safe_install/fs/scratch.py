"""A private temporary folder of one process, on a local disk, gone at the end."""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from ..events import Noticed, ignore
from ..interruption import shielded
from .failures import explain
from .remove import remove_tree

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from ..events import EventSink

# What is left open at the end is rarely closed later; the system's own cleaning of temporary files finds it.
_REMOVAL_BUDGET = 5.0


class Scratch:
    """A context manager that makes the folder on entry and removes it, with all its content, on exit.

    :param parent: where; the system's temporary folder by default. It is made when missing.
    :param tag: ends its name, for whoever looks for what the dead have left.
    :raises StoreError: on entry, when the folder cannot be made. Nothing is left.

    Leaving what was never entered, or whose entering was interrupted, removes what there is of it; so it can be
    registered for its end before it begins.
    """

    def __init__(self, parent: Path | None = None, *, tag: str = "", sink: EventSink = ignore) -> None:
        self._parent = parent
        self._ending = f".{tag}" if tag else ""
        self._sink = sink
        self._root: Path | None = None

    @property
    def root(self) -> Path:
        """The folder itself; only between entry and exit."""
        if self._root is None:
            raise RuntimeError("this scratch folder is not open")
        return self._root

    def folder(self, prefix: str) -> Path:
        """Make a new empty folder in it, named after *prefix*."""
        path = self.root / f"{prefix}-{secrets.token_hex(6)}"
        try:
            os.mkdir(path, 0o700)
        except OSError as error:
            raise explain(error, doing="make a scratch folder", path=path) from error
        return path

    def __enter__(self) -> Self:
        parent = self._parent or Path(tempfile.gettempdir())
        root = parent.absolute() / f"safe-install-{secrets.token_hex(8)}{self._ending}"
        try:
            parent.mkdir(parents=True, exist_ok=True)
            self._root = root
            os.mkdir(root, 0o700)
        except OSError as error:
            self._root = None
            raise explain(error, doing="make the scratch folder", path=root, option="--scratch") from error
        return self

    @shielded
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        root, self._root = self._root, None
        if root is None:
            return
        try:
            remove_tree(root, budget=_REMOVAL_BUDGET, sink=self._sink)
        except OSError as failure:
            self._sink(Noticed(message=f"could not remove the scratch folder {root}: {failure.strerror}"))
