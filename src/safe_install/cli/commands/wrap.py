"""``ci-install wrap``: run another installer with caches of this call's own."""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ...errors import InputError, InterruptionError, SafeInstallError, StoreError
from ...events import SteppedDown
from ...models import LinkMode, Trust
from ..call import Call, perform

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Self

    from ...wrapping.seed import ToolSeed
    from ...wrapping.tools import Tool

NOT_STARTED: Final = 125
"""The exit code when the command was not run, as that of `env` and `timeout`."""
_REMOVAL_BUDGET = 5.0


def run(
    options: Mapping[str, Any],
    *,
    command: Sequence[str],
    publish: bool,
    tool_seed: str | None,
    tools: Sequence[str],
) -> int:
    """Run *command*; return its exit code."""
    ended: list[int] = []

    def work(call: Call) -> None:
        if not command:
            raise InputError("there is no command to run", code="usage", hint="ci-install wrap -- uv sync")
        if call.settings.link_mode is LinkMode.HARDLINK:
            raise InputError(
                "--link-mode hardlink would share files between the environment and a cache that others begin with",
                code="setting-invalid",
                hint="leave it out, or choose reflink or copy",
            )
        with _Wrapped(call, command, tools, Path(tool_seed) if tool_seed else None) as wrapped:
            wrapped.run(ended)
            call.exit_code = ended[-1]
            call.details["wrap"] = {"command": list(command), "exit_code": call.exit_code, "runs": len(ended)}
            if publish and call.exit_code == 0:
                wrapped.publish()

    code = perform("wrap", options, None, work)
    if code == InterruptionError.exit_code:
        return code
    # What we could not do afterwards, such as writing a report, does not hide what the command said.
    return ended[-1] or code if ended else code and NOT_STARTED


class _Wrapped(contextlib.ExitStack):
    """One command with its caches, which are gone at the end."""

    def __init__(self, call: Call, command: Sequence[str], tools: Sequence[str], seed: Path | None) -> None:
        super().__init__()
        from ...wrapping.tools import TOOLS, tools_of

        self._call = call
        self._command = command
        self._own_tools = tools_of(command)
        self._tools = [TOOLS[name] for name in tools] or self._own_tools
        default = call.job.default_store
        self._seeds = seed or default.with_name(f"{default.name}-tools")
        self._root = default
        self._caches = default

    def __enter__(self) -> Self:
        super().__enter__()
        from ...fs.scratch import Scratch
        from ...locks.processes import own_tag

        job = self._call.job.job
        parent = self._call.settings.scratch or Path(tempfile.gettempdir())
        if job.own_folder is not None and job.is_emptied:
            # What a killed call leaves there, the platform removes.
            parent = job.own_folder
        elif job.slot_folder is not None:
            parent = job.slot_folder
        _remove_of_the_dead(parent)
        self._root = self.enter_context(Scratch(parent, tag=own_tag(), sink=self._call.sink)).root
        return self

    def run(self, ended: list[int]) -> None:
        """Run the command, and once more with fresh caches after a failure that passes.

        :param ended: gets the exit code of each run.
        :raises StoreError: there is no place for the caches, or the command cannot be started.
        """
        from ...wrapping.passing import passing_failure
        from ..running import run_command

        first = run_command(self._command, self._variables())
        ended.append(first.code)
        # What a script of several steps did is not for us to do twice.
        failure = passing_failure(first.output) if first.code and self._own_tools else None
        if failure is None:
            return
        message = f"{self._command[0]} ended with exit code {first.code}, because {failure.cause} ({failure.report})"
        self._call.sink(SteppedDown(kind="run-again", message=f"{message}; it is run once more, with fresh caches"))
        try:
            ended.append(run_command(self._command, self._variables()).code)
        except StoreError as error:
            self._call.sink(SteppedDown(kind="not-run-again", message=error.message))

    def publish(self) -> None:
        """Let later jobs begin with these caches. A failure is told, and fails nothing: the command has succeeded."""
        call = self._call
        if call.settings.trust is Trust.UNTRUSTED:
            reason = call.job.distrust or "its settings say so"
            call.sink(SteppedDown(kind="untrusted", message=f"this job publishes no caches: {reason}"))
            return
        if not self._tools:
            message = f"nothing is known of a cache of {self._command[0]}; --tool names one"
            call.sink(SteppedDown(kind="not-published", message=message))
        for tool in self._tools:
            try:
                self._seed(tool).publish(
                    self._caches / tool.name, lock_timeout=call.settings.lock_timeout, job=call.job.url
                )
            except SafeInstallError as error:
                call.sink(SteppedDown(kind="not-published", message=error.message))

    def _variables(self) -> dict[str, str]:
        """Make caches that begin as the seeds, and return the variables that name them.

        :raises StoreError: there is no place for them.
        """
        from ...wrapping.tools import TOOLS

        # A new name each time: what somebody still holds of an earlier one is in nobody's way.
        self._caches = self._root / secrets.token_hex(4)
        found = dict(self._call.environ)
        # Poetry keeps environments below its cache, and these are to stay.
        before = found.get("POETRY_CACHE_DIR") or _cache_folder("pypoetry")
        found.setdefault("POETRY_VIRTUALENVS_PATH", os.path.join(before, "virtualenvs"))
        for tool in TOOLS.values():
            found[tool.variable] = str(self._caches / tool.name)
        for tool in self._tools:
            self._seed(tool).fill(self._caches / tool.name)
        scratch = self._call.settings.scratch
        if scratch is not None:
            found.update(dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(scratch.absolute())))
        found["UV_LOCK_TIMEOUT"] = str(int(self._call.settings.lock_timeout))
        # An environment shares no file with a cache that is published, or gone when the command ends.
        found["UV_LINK_MODE"] = "clone" if self._call.settings.link_mode is LinkMode.REFLINK else "copy"
        return found

    def _seed(self, tool: Tool) -> ToolSeed:
        from ...wrapping.seed import ToolSeed

        return ToolSeed(self._seeds / tool.name, sink=self._call.sink)


def _cache_folder(name: str) -> str:
    import platformdirs

    return platformdirs.user_cache_dir(name, appauthor=False)


def _remove_of_the_dead(folder: Path) -> None:
    """Remove what calls that were killed have left in *folder*."""
    from ...fs.remove import remove_tree
    from ...locks.processes import is_tag_of_the_dead

    for path in folder.glob("safe-install-*.*"):
        if is_tag_of_the_dead(path.name.rpartition(".")[2]):
            with contextlib.suppress(OSError):
                remove_tree(path, budget=_REMOVAL_BUDGET)
