"""``ci-install run``: run a command in an environment of its own, which is gone afterwards."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...errors import InputError, InterruptionError
from ...models import Isolation, LinkMode
from ..call import Call, perform
from .wrap import NOT_STARTED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...engine.report import Outcome


def run(
    options: Mapping[str, Any],
    *,
    command: Sequence[str],
    requirements: Sequence[str],
    extras: Sequence[str],
    groups: Sequence[str],
) -> int:
    """Make an environment of what *requirements* say, run *command* in it, remove it; return the exit code."""
    ended: list[int] = []

    def work(call: Call) -> Outcome:
        from ...engine.session import Session
        from ...engine.sync import sync
        from ...fs.scratch import Scratch
        from ..running import run_command
        from ..surroundings import look_around

        hint = "ci-install run -r pylock.toml -- pytest"
        if not requirements:
            raise InputError("there is no lock to run with", code="usage", hint=hint)
        if not command:
            raise InputError("there is no command to run", code="usage", hint=hint)
        settings = call.settings
        if settings.link_mode is LinkMode.AUTO and settings.isolation is Isolation.SHARED:
            settings = replace(settings, link_mode=LinkMode.ATTACH)
        with Scratch(settings.scratch, sink=call.sink) as scratch:
            settings = replace(settings, venv=scratch.root / "environment")
            with Session(settings, look_around(call), call.sink) as session:
                outcome = sync(session, requirements, extras=extras, groups=groups)
            python = outcome.layout["python"]
            ended.append(run_command(command, _variables(call.environ, settings.venv, os.path.dirname(python))).code)
        call.exit_code = ended[-1]
        call.details["run"] = {"command": list(command), "exit_code": call.exit_code}
        return outcome

    code = perform("run", options, None, work)
    if code == InterruptionError.exit_code:
        return code
    # What we could not do afterwards, such as writing a report, does not hide what the command said.
    return ended[-1] or code if ended else code and NOT_STARTED


def _variables(environ: Mapping[str, str], root: os.PathLike[str], scripts: str) -> dict[str, str]:
    """What activating the environment would set."""
    found = {name: value for name, value in environ.items() if name != "PYTHONHOME"}
    found["VIRTUAL_ENV"] = os.fspath(root)
    found["PATH"] = os.pathsep.join([scripts, *filter(None, [environ.get("PATH", "")])])
    return found
