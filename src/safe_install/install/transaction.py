"""Change an environment in place so that the change happens whole or not at all, a kill at any moment included.

Before anything is touched, a journal says what will be moved aside and what will be new. What goes is moved, never
deleted, until all is done; then the journal gets another name in one step, and what was moved is deleted::

    <root>/.safe-install/
      journal.json     the plan, while the change is under way: whoever finds it undoes the change
      done.json        the same file after the last step: whoever finds it only removes this folder
      aside/<n>        what stood at the n-th path that the journal moves aside
      pyvenv.cfg       of a new environment that is made in place: it becomes one with the last step

Undoing can itself be killed, and is then begun again: each of its steps leaves what a later one needs.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from typing import TYPE_CHECKING, Any

from ..errors import TargetError
from ..events import SteppedDown
from ..fs._system import system_path
from ..fs.atomic import write_atomically
from ..fs.failures import explain
from ..fs.remove import remove_file, remove_tree
from ..fs.retry import DEFAULT_BUDGET, retry
from ..interruption import shielded
from .bytecode import remove_torn
from .environment import CONFIGURATION, INNER_LOCK, JOURNAL_FOLDER, is_denied, read_only

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from types import TracebackType
    from typing import Self

    from ..events import EventSink

FORMAT = 1
_JOURNAL = "journal.json"
_DONE = "done.json"
_ASIDE = "aside"
# Of no environment: what a folder that counts as empty may hold (see `environment`).
_FOREIGN = re.compile(rf"{re.escape(INNER_LOCK)}(\.owner)?|lost\+found|{re.escape(JOURNAL_FOLDER)}")


class Transaction:
    """One change in place. A context manager: without `commit`, leaving it puts everything back.

    :param root: of the environment, which exists; the caller holds its lock and has called `recover`.
    :raises TargetError: on entry, ``environment-read-only``; nothing was changed.
    """

    def __init__(self, root: str, *, sink: EventSink) -> None:
        self._root = root
        self._sink = sink
        self._folder = os.path.join(root, JOURNAL_FOLDER)
        self._configuration = False

    def __enter__(self) -> Self:
        folders = (self._folder, os.path.join(self._folder, _ASIDE))
        try:
            for folder in folders:
                os.mkdir(system_path(folder), 0o700)
        except BaseException as error:
            for folder in reversed(folders):
                with contextlib.suppress(OSError):
                    os.rmdir(system_path(folder))
            if not isinstance(error, OSError):
                raise
            if is_denied(error):
                raise read_only(self._root, error) from error
            raise explain(error, doing="change an environment", path=self._root, option="--venv") from error
        return self

    @shielded
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None or not os.path.lexists(system_path(os.path.join(self._folder, _DONE))):
            recover(self._root, sink=self._sink)

    def begin_new(self) -> None:
        """Note that everything in the folder will be new."""
        self._write({"new_environment": True})

    def begin(self, *, aside: Sequence[str], new: Sequence[str], folders: Sequence[str]) -> None:
        """Note the change, and move *aside* what goes. All paths are relative to the root, with ``/``.

        :param aside: existing files, links or folders.
        :param new: files that may be made; there may be more of them than will be, and they may be in *aside* too.
        :param folders: that may be made; undoing removes those that are empty then.
        """
        self._write({"aside": list(aside), "new": list(new), "folders": list(folders)})
        for number, path in enumerate(aside):
            self._move(_at(self._root, path), os.path.join(self._folder, _ASIDE, str(number)))

    def prune(self, removed: Sequence[str], *, keep: Collection[str]) -> None:
        """Remove the folders that lost their last file with *removed*, but for *keep*. Undoing makes them again."""
        folders = {path.rpartition("/")[0] for path in removed}
        while folders:
            emptied = set()
            for folder in folders - set(keep):
                with contextlib.suppress(OSError):
                    os.rmdir(system_path(_at(self._root, folder)))
                    emptied.add(folder.rpartition("/")[0])
            folders = emptied

    def write(self, path: str, content: bytes) -> None:
        """Write a file that is among the new ones; what stood there was moved aside."""
        place = _at(self._root, path)
        try:
            write_atomically(place, content, sink=self._sink)
        except OSError as error:
            raise explain(error, doing="write a file of the environment", path=place, option="--venv") from error

    def withhold_configuration(self) -> None:
        """Take away the ``pyvenv.cfg`` that is there now until `commit`."""
        self._configuration = True
        self._move(os.path.join(self._root, CONFIGURATION), os.path.join(self._folder, CONFIGURATION))

    def commit(self) -> None:
        """The change is whole. After this, nothing is undone any more; only what was moved aside is deleted.

        :raises StoreError: the last step failed; leaving the body puts everything back.
        """
        if self._configuration:
            self._move(os.path.join(self._folder, CONFIGURATION), os.path.join(self._root, CONFIGURATION))
        self._move(os.path.join(self._folder, _JOURNAL), os.path.join(self._folder, _DONE))
        _remove_folder(self._folder, self._sink)

    def _write(self, plan: dict[str, Any]) -> None:
        data = json.dumps({"format": FORMAT, **plan}).encode("ascii")
        try:
            write_atomically(os.path.join(self._folder, _JOURNAL), data, flush=True)
        except OSError as error:
            raise explain(error, doing="write the journal of an environment", path=self._folder) from error

    def _move(self, source: str, target: str) -> None:
        old, new = system_path(source), system_path(target)
        try:
            retry(
                lambda: os.replace(old, new),
                what=f"rename {source} to {target}",
                budget=DEFAULT_BUDGET,
                sink=self._sink,
            )
        except OSError as error:
            raise explain(error, doing="move a file of the environment aside", path=source, option="--venv") from error


@shielded
def recover(root: str, *, sink: EventSink) -> None:
    """Finish or undo what a killed run began at *root*; nothing when there is nothing. Under the environment's lock.

    :raises TargetError: ``environment-unfinished``: it cannot be undone; the journal stays for the next try.
    """
    folder = os.path.join(root, JOURNAL_FOLDER)
    if not os.path.isdir(system_path(folder)):
        return
    try:
        if not os.path.lexists(system_path(os.path.join(folder, _DONE))):
            plan = _read(os.path.join(folder, _JOURNAL))
            if plan is not None:
                _undo(root, plan, sink)
                # From here on there is nothing to undo.
                os.replace(system_path(os.path.join(folder, _JOURNAL)), system_path(os.path.join(folder, _DONE)))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TargetError(
            f"an earlier change of {root} was not finished, and cannot be undone: {error}",
            code="environment-unfinished",
            context=(f"what it moved aside is in {folder}",),
            hint="remove the environment's folder and run the command again",
        ) from error
    _remove_folder(folder, sink)


def _read(path: str) -> dict[str, Any] | None:
    """Return the journal, or None when there is none: then nothing was changed yet."""
    try:
        with open(system_path(path), encoding="ascii") as file:
            document = json.load(file)
    except FileNotFoundError:
        return None
    if document["format"] != FORMAT:
        raise ValueError(f"its journal has the format {document['format']}, not {FORMAT}")
    return dict(document)


def _undo(root: str, plan: dict[str, Any], sink: EventSink) -> None:
    if plan.get("new_environment"):
        for name in os.listdir(system_path(root)):
            if not _FOREIGN.fullmatch(name):
                remove_tree(os.path.join(root, name), sink=sink)
        return
    aside = {path: os.path.join(root, JOURNAL_FOLDER, _ASIDE, str(n)) for n, path in enumerate(plan["aside"])}
    # Never trusted: the file lies where every job of this user can write.
    for path in (*aside, *plan["new"], *plan["folders"]):
        if path.startswith("/") or ".." in path.split("/") or os.path.isabs(path):
            raise ValueError(f"its journal names {path!a}")
    for path in plan["new"]:
        # One that is to be moved aside, and is not there, still stands in its place (or does so again).
        if path not in aside or os.path.lexists(system_path(aside[path])):
            with contextlib.suppress(NotADirectoryError):
                remove_file(_at(root, path), sink=sink)
    for path in sorted(plan["folders"], key=len, reverse=True):
        if path.endswith("__pycache__"):
            remove_torn(_at(root, path))
        with contextlib.suppress(OSError):
            os.rmdir(system_path(_at(root, path)))
    for path, moved in aside.items():
        if os.path.lexists(system_path(moved)):
            os.makedirs(system_path(os.path.dirname(_at(root, path))), exist_ok=True)
            os.replace(system_path(moved), system_path(_at(root, path)))


def _remove_folder(folder: str, sink: EventSink) -> None:
    """Remove the journal's folder; what somebody still holds open is left to the next run."""
    try:
        # In this order: as long as anything of the rest is there, so is the note that there is nothing to undo.
        remove_tree(os.path.join(folder, _ASIDE), sink=sink)
        remove_tree(folder, sink=sink)
    except OSError as error:
        text = f"could not remove {folder}: {error.strerror}; the next run for this environment tries again"
        sink(SteppedDown(kind="leftover", message=text))


def _at(root: str, path: str) -> str:
    return os.path.join(root, *path.split("/")) if path else root
