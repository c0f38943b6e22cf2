"""``ci-install wrap``: run another installer with a cache of this job's own."""

from __future__ import annotations

import contextlib
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ...errors import InputError, InterruptionError, SafeInstallError
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
_DEADLINE = 20.0
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
    started = False

    def work(call: Call) -> None:
        nonlocal started
        if not command:
            raise InputError("there is no command to run", code="usage", hint="ci-install wrap -- uv sync")
        with _Wrapped(call, command, tools, Path(tool_seed) if tool_seed else None) as wrapped:
            variables = wrapped.variables()
            call.exit_code = wrapped.run(variables)
            started = True
            call.details["wrap"] = {"command": list(command), "exit_code": call.exit_code}
            if publish and call.exit_code == 0:
                wrapped.publish()

    code = perform("wrap", options, None, work)
    return code if started or not code or code == InterruptionError.exit_code else NOT_STARTED


class _Wrapped(contextlib.ExitStack):
    """One command with its caches."""

    def __init__(self, call: Call, command: Sequence[str], tools: Sequence[str], seed: Path | None) -> None:
        super().__init__()
        from ...wrapping.tools import TOOLS, tools_of

        self._call = call
        self._command = command
        self._tools = [TOOLS[name] for name in tools] or tools_of(command)
        default = call.job.default_store
        self._seeds = seed or default.with_name(f"{default.name}-tools")
        self._caches = default

    def __enter__(self) -> Self:
        super().__enter__()
        self._caches = self._place()
        return self

    def variables(self) -> dict[str, str]:
        """Fill the caches, and return the variables that name them.

        :raises StoreError: there is no place for them; or no layout works here.
        """
        from ...wrapping.tools import TOOLS

        found = dict(self._call.environ)
        for tool in TOOLS.values():
            found[tool.variable] = str(self._caches / tool.name)
        self._fill()
        scratch = self._call.settings.scratch
        if scratch is not None:
            found.update(dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(scratch.absolute())))
        found["UV_LOCK_TIMEOUT"] = str(int(self._call.settings.lock_timeout))
        mode = self._link_mode()
        if mode is not None:
            found["UV_LINK_MODE"] = mode
        return found

    def run(self, variables: Mapping[str, str]) -> int:
        """Run the command, and once more with fresh caches after a failure that passes."""
        from ...wrapping.passing import passing_failure
        from ..running import run_command

        ended = run_command(self._command, variables)
        if ended.code == 0 or (failure := passing_failure(ended.output)) is None:
            return ended.code
        self._call.sink(
            SteppedDown(
                kind="run-again",
                message=f"{self._command[0]} ended with exit code {ended.code}, because {failure.cause} "
                f"({failure.report}); it is run once more, with fresh caches",
            )
        )
        from ...fs.remove import remove_tree

        with contextlib.suppress(OSError):
            remove_tree(self._caches, budget=_REMOVAL_BUDGET)
        self._fill()
        return run_command(self._command, variables).code

    def publish(self) -> None:
        """Let later jobs begin with these caches. A failure is told, and fails nothing: the command has succeeded."""
        call = self._call
        if call.settings.trust is Trust.UNTRUSTED:
            reason = call.job.distrust or "its settings say so"
            call.sink(SteppedDown(kind="untrusted", message=f"this job publishes no caches: {reason}"))
            return
        for tool in self._tools:
            try:
                self._seed(tool).publish(
                    self._caches / tool.name, lock_timeout=call.settings.lock_timeout, job=call.job.url
                )
            except SafeInstallError as error:
                call.sink(SteppedDown(kind="not-published", message=error.message))

    def _place(self) -> Path:
        """The folder for this job's caches: that of the job where the platform empties it, else one of this call."""
        job = self._call.job.job
        if job.own_folder is not None and job.is_emptied:
            return job.own_folder / "tools"
        from ...fs.scratch import Scratch

        scratch = self.enter_context(Scratch(self._call.settings.scratch, sink=self._call.sink))
        return scratch.root / f"tools-{secrets.token_hex(4)}"

    def _fill(self) -> None:
        for tool in self._tools:
            if not (self._caches / tool.name).exists():
                self._seed(tool).fill(self._caches / tool.name)

    def _seed(self, tool: Tool) -> ToolSeed:
        from ...wrapping.seed import ToolSeed

        return ToolSeed(self._seeds / tool.name, sink=self._call.sink)

    def _link_mode(self) -> str | None:
        """What uv is to do between its cache and the environment; None: what it would do by itself.

        Its cache is this job's own, so that hard links into an environment are shared with nobody.
        """
        from ...fs.filesystem import is_network

        mode = self._call.settings.link_mode
        if mode is LinkMode.AUTO:
            places = (str(self._caches.parent), str(self._call.settings.venv.absolute().parent))
            return "copy" if any(map(is_network, places)) else None
        return "clone" if mode is LinkMode.REFLINK else str(mode.value)
