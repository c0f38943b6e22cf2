"""Refuse environments with paths that Windows' own limit hides from every other program (uv#2810).

We could write such files, but Python could not import them: the environment would be broken for whoever uses it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import TargetError
from ..fs._system import longest_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .environment import Environment
    from .merging import Merged

# The longest path that the virtualenv library makes.
_OF_EVERY_ENVIRONMENT = "Lib/site-packages/_virtualenv.py"


def refuse_long_paths(environment: Environment, merged: Merged, *, limit: int | None = None) -> None:
    """Look at the paths of all files of *merged* in *environment*, before any is made.

    :param limit: characters of a path; the system's own by default, which only Windows has.
    :raises TargetError: ``path-too-long``.
    """
    limit = limit or longest_path()
    if limit is None:
        return
    room = limit - len(environment.path("x")) + 1
    too_long = [path for path in _files(merged) if len(path) > room]
    if not too_long:
        return
    worst = max(too_long, key=len)
    fitting = len(environment.root) - len(worst) + room
    shorter = f"name a folder with a path of at most {fitting} characters with --venv, or " if fitting > 2 else ""
    more = f", and {len(too_long) - 1} more" if len(too_long) > 1 else ""
    raise TargetError(
        f"the path of the environment {environment.root} is too long by {len(worst) - room} characters",
        code="path-too-long",
        context=(
            f"Windows' programs open paths of at most {limit} characters, as long as long paths are not enabled",
            f"it would get {worst}{more}",
        ),
        hint=f"{shorter}let an administrator enable long paths: "
        r"reg add HKLM\SYSTEM\CurrentControlSet\Control\FileSystem /v LongPathsEnabled /t REG_DWORD /d 1 /f",
    )


def _files(merged: Merged) -> Iterator[str]:
    yield _OF_EVERY_ENVIRONMENT
    for folder, sizes in merged.sizes.items():
        for name in sizes:
            yield f"{folder}/{name}" if folder else name
    for placement in merged.placements:
        yield placement.record_path
