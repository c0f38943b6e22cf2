"""The process that probes one place, and tells each step and its result in a line of JSON at once.

It may hang in any call, and is then killed; what it had told by then is known. Its parent removes what it made, if it
could not do so itself. It is told what to do in one line of standard input::

    {"do": "place", "path": …, "roles": […], "write": whether anything may be made there}
    {"do": "links", "layer": …, "sample": …, "environment": …, "mode": …, "own_files": …}
    {"do": "remove", "path": …}
    {"do": "serve"}                      the second process of `exclusion`
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import exclusion, steps
from .facts import LinkTrial, Role, write_facts

if TYPE_CHECKING:
    from collections.abc import Mapping

_START = (
    "import sys; sys.path.insert(0, sys.argv[1]); from safe_install.probe.child import main; main()",
    str(Path(__file__).parents[2]),
)


def command() -> list[str]:
    """What starts this process; nothing is imported from the folder that it is started in."""
    return [sys.executable, "-P", "-c", *_START]


def main() -> None:
    """Read the request, and do it."""
    request = json.loads(sys.stdin.readline())
    match request["do"]:
        case "place":
            _probe_place(request["path"], [Role(each) for each in request["roles"]], write=request["write"])
        case "links":
            _probe_links(request)
        case "remove":
            _remove(request["path"])
        case "serve":
            exclusion.serve(_write)


def _probe_place(path: str, roles: list[Role], *, write: bool) -> None:
    trial = steps.Trial(path, roles)
    trial.where = steps.where(trial)
    _tell(step="where", facts=write_facts(trial.where))
    for step in ("mount", "rights", "room", "names", "store", "left_overs"):
        _run(step, lambda step=step: getattr(steps, step)(trial))
    if not write:
        _tell(done=True)
        return
    folder = trial.choose_folder()
    _tell(folder=folder)
    try:
        if _run("writing", lambda: steps.writing(trial)):
            _try_out(trial)
    finally:
        _remove(folder)


def _try_out(trial: steps.Trial) -> None:
    _run("abilities", lambda: steps.abilities(trial))
    _run("clock", lambda: steps.clock(trial))
    partner = exclusion.Partner(command())
    try:
        partner.tell(do="serve")
        for step in ("exclusion", "claim_lock", "native_lock"):
            _run(step, lambda step=step: getattr(exclusion, step)(trial, partner))
    finally:
        partner.close()


def _run(step: str, probe: Any) -> bool:  # noqa: ANN401 - from nothing to facts
    """Tell what a probe finds; return whether nothing went wrong."""
    _tell(begin=step)
    try:
        facts = probe()
    except OSError as error:
        _tell(step=step, failed=error.strerror or str(error))
        return False
    _tell(step=step, facts=write_facts(facts))
    return not getattr(facts, "kind", "")


def _probe_links(request: Mapping[str, Any]) -> None:
    """Place one file of a layer in the environment, as an installation would."""
    from ..errors import StoreError
    from ..events import ignore
    from ..fs.link import LinkEntry, Linker
    from ..models import LinkMode

    target = steps.Trial(request["environment"], [Role.ENVIRONMENT])
    target.where = steps.where(target)
    source = steps.Trial(request["layer"], [Role.STORE])
    source.where = steps.where(source)
    _tell(folder=target.choose_folder())
    sample = request["sample"]
    if not sample:
        _tell(folder=source.choose_folder())
    linker = Linker(
        LinkMode(request["mode"]), sink=ignore, own_files=request["own_files"], retry_budget=request["budget"]
    )
    problem = ""
    try:
        os.mkdir(target.private, 0o700)
        if not sample:
            os.mkdir(source.private, 0o700)
            sample = source.file("sample", b"x" * 8192)
        folder, name = os.path.split(sample)
        linker.link_files(folder, target.private, [LinkEntry(name, executable=False)])
    except OSError as error:
        problem = error.strerror or str(error)
    except StoreError as error:
        problem = "; ".join((error.message, *error.context))
    finally:
        for trial in (target, source):
            if trial.folder is not None:
                _remove(trial.folder)
    mode = next((mode.value for mode, count in linker.used.items() if count), "")
    facts = LinkTrial(
        layer=request["layer"],
        mode=mode,
        reason=linker.reason or "",
        problem=problem or ("" if mode else "no file was placed"),
        foreign=bool(request["sample"]),
    )
    _tell(step="links", facts=write_facts(facts))


def _remove(path: str) -> None:
    """Remove what was made, and tell that nothing is left."""
    from ..fs.remove import remove_tree

    try:
        remove_tree(path, budget=1.0)
    except OSError as error:
        _tell(kept=path, reason=error.strerror or str(error))
        return
    _tell(removed=path)


def _tell(**message: object) -> None:
    _write(json.dumps(message).encode() + b"\n")


def _write(line: bytes) -> None:
    # Standard output is the pipe to the parent, and nothing for people.
    while line:
        line = line[os.write(1, line) :]
