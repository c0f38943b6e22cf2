"""A new environment is made beside its place, and appears there in one step.

The staging folder holds a folder with the environment's own name, so that a path in it differs from the final one by
one plain part, and any script that quotes it quotes both in the same way::

    project/.safe-install-<which>-<random>/.venv/bin/activate
    project/.venv/bin/activate
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from typing import TYPE_CHECKING

from ..errors import TargetError
from ..events import SteppedDown
from ..fs._system import system_path
from ..fs.atomic import publish_folder
from ..fs.failures import explain
from ..fs.remove import remove_tree
from ..fs.retry import retry
from ..interruption import shielded
from .environment import is_denied, read_only

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..events import EventSink

_REMOVAL_BUDGET = 5.0
"""Seconds to wait for what somebody holds and nobody needs; the next run tries again."""
_SHORT_BUDGET = 0.5
"""The same at the beginning of the next run."""


@contextlib.contextmanager
def staged(root: str, *, sink: EventSink) -> Iterator[str]:
    """Yield the path where the environment for *root* is to be made; what is there at the end is removed.

    :raises TargetError: ``environment-read-only``.
    :raises StoreError: ``disk-full`` and the like.
    """
    folder = os.path.join(os.path.dirname(root), f"{_prefix(root)}{secrets.token_hex(8)}")
    try:
        _make(folder, root)
        yield os.path.join(folder, os.path.basename(root))
    finally:
        try:
            _discard(folder, sink)
        except BaseException:
            # Ctrl-C; a second one is not waited for.
            _discard(folder, sink)
            raise


def _make(folder: str, root: str) -> None:
    try:
        os.mkdir(system_path(folder))
    except OSError as error:
        if is_denied(error):
            raise read_only(root, error) from error
        raise explain(error, doing="make an environment", path=folder, option="--venv") from error


def publish(place: str, root: str, *, sink: EventSink) -> None:
    """Let the finished environment at *place* appear at *root*, which must not exist.

    :raises TargetError: ``environment-not-ours``: something appeared there meanwhile. It is left alone.
    :raises StoreError: the rename failed. In both cases the environment is still at *place*.
    """
    try:
        published = publish_folder(place, root, sink=sink)
    except OSError as error:
        raise explain(error, doing="rename the finished environment", path=root, option="--venv") from error
    if not published:
        raise TargetError(
            f"something appeared at {root} while its environment was being made",
            code="environment-not-ours",
            hint="find out which other tool writes there, remove the folder, and run the command again",
        )


@shielded
def replace(place: str, root: str, *, sink: EventSink) -> None:
    """Let the finished environment at *place* take the place of that at *root*, which goes with the staging folder.

    :raises StoreError: that cannot be moved, since it is a mount point or somebody uses it. It is still there.
    """
    aside = os.path.join(os.path.dirname(place), "replaced")
    old, new = system_path(root), system_path(aside)
    try:
        retry(lambda: os.rename(old, new), what=f"replace {root}", budget=_REMOVAL_BUDGET, sink=sink)
    except OSError as error:
        raise explain(error, doing="replace an environment", path=root, option="--venv") from error
    try:
        publish(place, root, sink=sink)
    except BaseException:
        os.rename(new, old)
        raise


def final_path(path: str, place: str, root: str) -> str:
    """Return where *path* below *place* will be once that is published as *root*."""
    return root + path[len(place) :]


def rewrite_paths(place: str, root: str, folders: tuple[str, ...]) -> None:
    """Let the text files of *folders*, relative to *place*, name *root* instead of *place*.

    :raises StoreError: one of them cannot be read or written.
    """
    token = os.path.basename(os.path.dirname(place))
    assert os.path.basename(place) == os.path.basename(root)
    for folder in folders:
        try:
            for entry in list(os.scandir(system_path(os.path.join(place, folder)))):
                if entry.is_file(follow_symlinks=False):
                    _rewrite(entry.path, token)
        except OSError as error:
            raise explain(error, doing="finish the scripts of an environment", path=place, option="--venv") from error


def remove_leftovers(root: str, *, sink: EventSink) -> None:
    """Remove the staging folders that killed runs left for *root*. To be called under the environment's lock."""
    parent, prefix = os.path.dirname(root), _prefix(root)
    with contextlib.suppress(OSError):
        for name in os.listdir(system_path(parent)):
            if name.startswith(prefix):
                # It has been waited for once.
                _discard(os.path.join(parent, name), sink, _SHORT_BUDGET)


def _rewrite(path: str, token: str) -> None:
    """Take the part *token* out of the paths in a file, keeping its mode. Programs are left as they are."""
    with open(path, "rb") as file:
        old = file.read()
    name = token.encode()
    # A separator stands on either side; on Windows some scripts double theirs.
    new = old
    for separator in (b"/", b"\\\\", b"\\"):
        new = new.replace(separator + name + separator, separator)
    if new != old and b"\0" not in old:
        with open(path, "wb") as file:
            file.write(new)


def _prefix(root: str) -> str:
    which = hashlib.sha256(os.path.basename(root).encode("utf-8", "surrogateescape")).hexdigest()[:12]
    return f".safe-install-{which}-"


@shielded
def _discard(folder: str, sink: EventSink, budget: float = _REMOVAL_BUDGET) -> None:
    try:
        remove_tree(folder, budget=budget, sink=sink)
    except OSError as error:
        text = f"could not remove {folder}: {error.strerror}; the next run for this environment tries again"
        sink(SteppedDown(kind="leftover", message=text))
