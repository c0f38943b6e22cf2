"""Run pytest on a Windows CPython that Wine executes: ``pytest --lab windows [--lab-python 3.13] …``.

What this shows, and what not, was measured against what Windows documents (`sitecustomize`): error codes of files that
are open, of locks, loaded libraries and long paths are those of Windows; regions that another process locked can be
read, and there are no junctions, no deletion of open files and no NTFS.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from labs.windows.setting_up import Lab

if TYPE_CHECKING:
    from collections.abc import Sequence

# Besides the repository's own files, what tests inside may be told from outside.
_PASSED_ON = ("CI", "SAFE_INSTALL_TESTS_", "HYPOTHESIS_", "WINEDEBUG")
# A part that the laboratory does not have (git, an index) skips there: the run on this machine demands it.
_NOT_PASSED_ON = frozenset({"SAFE_INSTALL_TESTS_REQUIRE_ALL"})


def run(arguments: Sequence[str], *, root: Path, version: str = "3.12") -> int:
    """Run pytest of Python *version* with *arguments* on a copy of the checkout *root*; return its exit code."""
    lab = Lab.of(root)
    with lab.lock():
        lab.make()
        _copy_checkout(root, lab.work / "checkout")
        variables = {
            name: value
            for name, value in os.environ.items()
            if name.startswith(_PASSED_ON) and name not in _NOT_PASSED_ON
        }
        command = ["-m", "pytest", "-p", "no:cacheprovider", *(_inside(argument, root) for argument in arguments)]
        return lab.run_python(version, command, variables)


def _inside(argument: str, root: Path) -> str:
    """Make the path of a test file one of the copy."""
    path, separator, name = argument.partition("::")
    if path.startswith("-") or not Path(path).exists():
        return argument
    relative = os.path.relpath(os.path.abspath(path), root)
    return PurePosixPath(relative).as_posix() + separator + name


def _copy_checkout(root: Path, target: Path) -> None:
    """Make *target* hold what git knows of *root*, and what is new there; bytecode of what did not change stays."""
    listing = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    )
    wanted = {name for name in listing.stdout.split("\0") if name and (root / name).is_file()}
    for name in wanted:
        source, place = root / name, target / name
        state = source.stat()
        if not place.exists() or (place.stat().st_size, place.stat().st_mtime_ns) != (state.st_size, state.st_mtime_ns):
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, place)
    for place in list(target.rglob("*")):
        if place.is_file() and place.suffix != ".pyc" and place.relative_to(target).as_posix() not in wanted:
            place.unlink()
