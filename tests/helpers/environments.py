"""Environments for tests: wheels unpacked as a store would hold them, and one call that installs them."""

from __future__ import annotations

import functools
import hashlib
import os
import secrets
import stat
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.utils import parse_wheel_filename

from helpers.wheels import make_wheel
from safe_install.events import ignore
from safe_install.install.apply import apply
from safe_install.install.environment import Environment
from safe_install.install.holding import hold_environment
from safe_install.install.installed import read_installed
from safe_install.install.interpreter import probe
from safe_install.install.making import Applied, ApplyOptions
from safe_install.install.placement import PreparedWheel
from safe_install.install.wheel import unpack_wheel
from safe_install.models import Digest, Interpreter, LinkMode, Pin
from safe_install.store.trees import TreeWriter, WheelTree

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from multiprocessing.queues import Queue
    from multiprocessing.synchronize import Barrier

    from safe_install.events import EventSink


@functools.cache
def this_interpreter() -> Interpreter:
    """The Python behind the one that runs the tests."""
    return probe(getattr(sys, "_base_executable", None) or sys.executable)


def other_interpreters() -> list[Path]:
    """What a version manager keeps on this machine; nothing where there is none."""
    return sorted(Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")).glob("versions/*/bin/python"))


def prepared(
    folder: Path, filename: str, content: bytes, *, direct_url: Mapping[str, Any] | None = None, requested: bool = False
) -> PreparedWheel:
    """Unpack a wheel below *folder*, as a store entry is."""
    name, version, _, _ = parse_wheel_filename(filename)
    digest = Digest(hashlib.sha256(content).hexdigest())
    place = folder / f"{digest[:16]}-{secrets.token_hex(4)}"
    place.mkdir(parents=True)
    archive = place / "archive.whl"
    archive.write_bytes(content)
    writer = TreeWriter(place)
    unpack_wheel(archive, writer, filename=filename, name=name, version=version, irregular=False, sink=ignore)
    archive.unlink()
    tree = WheelTree(digest=digest, folder=place, manifest=writer.finish(digest=digest, filename=filename))
    return PreparedWheel(pin=Pin(name=name, version=version, requested=requested), tree=tree, direct_url=direct_url)


def wheel(
    folder: Path,
    name: str = "demo",
    version: str = "1.0",
    *,
    direct_url: Mapping[str, Any] | None = None,
    requested: bool = False,
    **options: Any,
) -> PreparedWheel:
    """Make a wheel with `make_wheel`'s options and unpack it below *folder*."""
    return prepared(folder, *make_wheel(name, version, **options), direct_url=direct_url, requested=requested)


def install(
    root: Path,
    wheels: Sequence[PreparedWheel],
    *,
    scratch: Path,
    remove: Iterable[str] = (),
    interpreter: Interpreter | None = None,
    sink: EventSink = ignore,
    **options: Any,
) -> Applied:
    """Hold the environment at *root*, and install *wheels* after removing what they replace, and *remove*.

    :param options: of `ApplyOptions`; no bytecode and copies, unless they say otherwise.
    """
    chosen = replace(
        ApplyOptions(app_data=lambda: scratch / "app-data", link_mode=LinkMode.COPY, compile_bytecode=False), **options
    )
    with hold_environment(root, timeout=60, sink=sink) as state:
        environment = Environment.at(root, interpreter or this_interpreter())
        present = read_installed(environment) if state.exists else {}
        going = {*remove, *(wheel.name for wheel in wheels)}
        removed = [item for name, items in present.items() if name in going for item in items]
        return apply(state, environment, wheels, removed, options=chosen, sink=sink)


def install_with_others(
    root: Path, wheels: Sequence[PreparedWheel], scratch: Path, barrier: Barrier, answers: Queue[str]
) -> None:
    """What one of several processes does: meet the others, install, and answer with an error or an empty text."""
    try:
        barrier.wait(60)
        install(root, wheels, scratch=scratch)
    except BaseException as error:
        answers.put(repr(error))
        raise
    answers.put("")


def environment_at(root: Path) -> Environment:
    """The environment that `install` makes at *root*."""
    return Environment.at(root, this_interpreter())


def tree_of(root: Path) -> dict[str, tuple[int, bytes | str]]:
    """Every file and link below *root*: its mode, and its content or target. Empty folders with an empty text."""
    found: dict[str, tuple[int, bytes | str]] = {}
    for folder, names, files in os.walk(root):
        for name in (*files, *names):
            path = Path(folder, name)
            relative = path.relative_to(root).as_posix()
            state = path.lstat()
            if stat.S_ISLNK(state.st_mode):
                found[relative] = (0, os.readlink(path))
            elif stat.S_ISREG(state.st_mode):
                found[relative] = (stat.S_IMODE(state.st_mode), path.read_bytes())
            elif not os.listdir(path):
                found[relative + "/"] = (0, "")
    return found
