"""Change an environment in place so that the change happens whole or not at all, a kill at any moment included.

Before anything is touched, a journal says what will be moved aside and what will be new. What goes is moved, never
deleted, until all is done; then the journal gets another name in one step, and what was moved is deleted::

    <root>/.safe-install/
      journal.json     the plan, while the change is under way: whoever finds it undoes the change
      done.json        the same file after the last step: whoever finds it only removes this folder
      aside-<r>/<n>    what stood at the n-th path that the journal moves aside
      left.json        folders that were to go with their last file, and were held by somebody
      pyvenv.cfg       of a new environment that is made in place: it becomes one with the last step

Undoing can itself be killed, and is then begun again: each of its steps leaves what a later one needs.

What cannot be deleted in the end, because somebody has it open (a name `.nfsXXXX`, a sharing violation), is no reason
to fail: it stays in this folder, a note says so, and each later run tries again, and works beside it.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import secrets
import time
from typing import TYPE_CHECKING, Any

from ..errors import TargetError
from ..events import SteppedDown
from ..fs._system import system_path
from ..fs.atomic import write_atomically
from ..fs.failures import explain
from ..fs.remove import remove_file, remove_tree
from ..fs.retry import DEFAULT_BUDGET, retry
from ..interruption import shielded
from .contents import CACHE_FOLDER
from .environment import CONFIGURATION, INNER_LOCK, JOURNAL, JOURNAL_FOLDER, is_denied, read_only

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from types import TracebackType
    from typing import Self

    from ..events import EventSink

FORMAT = 1
_DONE = "done.json"
_LEFT = "left.json"
# What `rmdir` says of a folder that is used, gone, or somebody's link.
_IN_USE = frozenset({errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT, errno.ENOTDIR})
_ASIDE = re.compile(r"aside(-[0-9a-f]{16})?")
_REMOVAL_BUDGET = 5.0
"""Seconds to wait for what somebody holds and nobody needs; the next run tries again."""
_SHORT_BUDGET = 0.5
"""The same at the beginning of the next run."""
# Of no environment: what a folder that counts as empty may hold (see `environment`).
_FOREIGN = re.compile(rf"{re.escape(INNER_LOCK)}(\.owner)?|lost\+found|{re.escape(JOURNAL_FOLDER)}")


class Transaction:
    """One change in place. A context manager: without `commit`, leaving it puts everything back.

    :param root: of the environment, which exists; the caller holds its lock and has called `recover`.
    :param budget: seconds for errors that pass.
    :raises TargetError: on entry, ``environment-read-only``; nothing was changed.
    """

    def __init__(self, root: str, *, sink: EventSink, budget: float = DEFAULT_BUDGET) -> None:
        self._root = root
        self._sink = sink
        self._budget = budget
        self._folder = os.path.join(root, JOURNAL_FOLDER)
        # What an earlier change could not delete may still lie in the folder.
        self._aside = os.path.join(self._folder, f"aside-{secrets.token_hex(8)}")
        self._configuration = False
        self._left: list[str] = []

    def __enter__(self) -> Self:
        made = []
        try:
            if not _is_at_rest(self._folder):
                made.append(self._folder)
                os.mkdir(system_path(self._folder), 0o700)
            made.append(self._aside)
            os.mkdir(system_path(self._aside), 0o700)
            # From here to the journal there is nothing to undo, which is what this file says of the time after it.
            remove_file(os.path.join(self._folder, _DONE), budget=self._budget, sink=self._sink)
        except BaseException as error:
            for folder in reversed(made):
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
        name = os.path.basename(self._aside)
        self._write({"aside_folder": name, "aside": list(aside), "new": list(new), "folders": list(folders)})
        for number, path in enumerate(aside):
            self._move(_at(self._root, path), os.path.join(self._aside, str(number)))

    def prune(self, removed: Sequence[str], *, keep: Collection[str]) -> None:
        """Remove the folders that lost their last file with *removed*, but for *keep*. Undoing makes them again.

        Of those that somebody holds a note is kept, for the end of this change, and for later ones.
        """
        kept = set(keep)
        removing = _Removing(self._root, self._sink, min(self._budget, _REMOVAL_BUDGET))
        folders = {path.rpartition("/")[0] for path in removed}
        while folders := folders - kept:
            folders = {folder.rpartition("/")[0] for folder in folders if removing.empty_folder(folder)}
        for folder in list(removing.held):
            while folder and folder not in kept:
                self._left.append(folder)
                folder = folder.rpartition("/")[0]  # noqa: PLW2901 - upwards, as far as it may go

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
        if self._left:
            self._note_left()
        if self._configuration:
            self._move(os.path.join(self._folder, CONFIGURATION), os.path.join(self._root, CONFIGURATION))
        self._move(os.path.join(self._folder, JOURNAL), os.path.join(self._folder, _DONE))
        # What an earlier change left has been told, when this one began.
        fresh = {JOURNAL_FOLDER, f"{JOURNAL_FOLDER}/{os.path.basename(self._aside)}", *self._left}
        _remove_folder(self._root, self._sink, min(self._budget, _REMOVAL_BUDGET), told=fresh)

    def _note_left(self) -> None:
        place = os.path.join(self._folder, _LEFT)
        folders = sorted({*_read_left(place), *self._left})
        try:
            write_atomically(place, json.dumps(folders).encode("ascii"), sink=self._sink)
        except OSError:
            pass  # an empty folder stays for good; that is no reason to fail

    def _write(self, plan: dict[str, Any]) -> None:
        data = json.dumps({"format": FORMAT, **plan}).encode("ascii")
        try:
            write_atomically(os.path.join(self._folder, JOURNAL), data, flush=True)
        except OSError as error:
            raise explain(error, doing="write the journal of an environment", path=self._folder) from error

    def _move(self, source: str, target: str) -> None:
        old, new = system_path(source), system_path(target)
        try:
            retry(
                lambda: os.replace(old, new),
                what=f"rename {source} to {target}",
                budget=self._budget,
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
            plan = _read(os.path.join(folder, JOURNAL))
            if plan is not None:
                _undo(root, plan, sink)
                # From here on there is nothing to undo.
                os.replace(system_path(os.path.join(folder, JOURNAL)), system_path(os.path.join(folder, _DONE)))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TargetError(
            f"an earlier change of {root} was not finished, and cannot be undone: {error}",
            code="environment-unfinished",
            context=(f"what it moved aside is in {folder}",),
            hint="remove the environment's folder and run the command again",
        ) from error
    # It has been waited for once.
    _remove_folder(root, sink, _SHORT_BUDGET)


def _is_at_rest(folder: str) -> bool:
    """Whether the journal's folder is there, and speaks of no change that is under way."""
    return os.path.isdir(system_path(folder)) and not os.path.lexists(system_path(os.path.join(folder, JOURNAL)))


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
    # Never trusted: the file lies where every job of this user can write.
    for path in (*plan["aside"], *plan["new"], *plan["folders"]):
        if not _is_inside(path):
            raise ValueError(f"its journal names {path!a}")
    name = plan.get("aside_folder", "aside")
    if not _ASIDE.fullmatch(name):
        raise ValueError(f"its journal names {name!a}")
    aside = {path: os.path.join(root, JOURNAL_FOLDER, name, str(n)) for n, path in enumerate(plan["aside"])}
    for path in plan["new"]:
        # One that is to be moved aside, and is not there, still stands in its place (or does so again).
        if path not in aside or os.path.lexists(system_path(aside[path])):
            with contextlib.suppress(NotADirectoryError):
                remove_file(_at(root, path), sink=sink)
    for path in sorted(plan["folders"], key=len, reverse=True):
        if path.endswith(CACHE_FOLDER):
            from .bytecode import remove_torn

            remove_torn(_at(root, path))
        with contextlib.suppress(OSError):
            os.rmdir(system_path(_at(root, path)))
    for path, moved in aside.items():
        if os.path.lexists(system_path(moved)):
            os.makedirs(system_path(os.path.dirname(_at(root, path))), exist_ok=True)
            os.replace(system_path(moved), system_path(_at(root, path)))


def _is_inside(path: str) -> bool:
    return not (path.startswith("/") or ".." in path.split("/") or os.path.isabs(path))


def _remove_folder(root: str, sink: EventSink, budget: float, *, told: Collection[str] | None = None) -> None:
    """Remove the journal's folder, and the folders it names; what somebody still holds is left to the next run.

    :param told: of what stays, only this is told.
    """
    folder = os.path.join(root, JOURNAL_FOLDER)
    removing = _Removing(root, sink, budget)
    # In this order: as long as anything of the rest is there, so is the note that there is nothing to undo.
    with contextlib.suppress(OSError):
        for name in os.listdir(system_path(folder)):
            if _ASIDE.fullmatch(name):
                removing.tree(f"{JOURNAL_FOLDER}/{name}")
    for path in sorted(_read_left(os.path.join(folder, _LEFT)), key=len, reverse=True):
        removing.empty_folder(path)
    if not removing.held:
        removing.tree(JOURNAL_FOLDER)
    for path, reason in removing.held.items():
        if told is None or path in told:
            text = f"could not remove {_at(root, path)}: {reason}; the next run for this environment tries again"
            sink(SteppedDown(kind="leftover", message=text))
            break


def _read_left(path: str) -> list[str]:
    """The folders of `_LEFT`; none where there is no such file, or somebody else has written it."""
    try:
        with open(system_path(path), encoding="ascii") as file:
            found = json.load(file)
    except (OSError, ValueError):
        return []
    if not isinstance(found, list):
        return []
    return [each for each in found if isinstance(each, str) and each and _is_inside(each)]


class _Removing:
    """Removes what nobody needs. All paths are relative to the root.

    :param budget: seconds to wait for all of it together.
    """

    def __init__(self, root: str, sink: EventSink, budget: float) -> None:
        self.held: dict[str, str] = {}
        """What cannot be removed now, and why."""
        self._root = root
        self._sink = sink
        self._deadline = time.monotonic() + budget

    def tree(self, path: str) -> None:
        """Remove a folder with all that is in it."""
        try:
            remove_tree(_at(self._root, path), budget=self._seconds(), sink=self._sink)
        except OSError as error:
            self.held[path] = error.strerror or str(error)

    def empty_folder(self, path: str) -> bool:
        """Remove a folder when it is empty; return whether it was, and is gone."""
        place = _at(self._root, path)
        try:
            retry(lambda: os.rmdir(system_path(place)), what=f"remove {place}", budget=self._seconds(), sink=self._sink)
        except OSError as error:
            if error.errno not in _IN_USE:
                self.held[path] = error.strerror or str(error)
            return False
        return True

    def _seconds(self) -> float:
        return max(0.0, self._deadline - time.monotonic())


def _at(root: str, path: str) -> str:
    return os.path.join(root, *path.split("/")) if path else root
