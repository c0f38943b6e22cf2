"""Call the hooks of a build backend, each in a process of its own (PEP 517, PEP 660).

A backend is a program of strangers. It gets exactly the variables that the caller names and a limit in seconds, and
what it answers is checked before it is used.
"""

from __future__ import annotations

import contextlib
import json
import time
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

from ..errors import BuildError
from .process import CancelledError, TimeUsedUpError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from packaging.requirements import Requirement

    from .backend import BuildSystem
    from .log import BuildLog
    from .process import ProcessRunner

_LARGEST_METADATA = 64 << 20
# `signal.SIGKILL`, which Windows lacks; what the system sends when memory runs out.
_SIGKILL = 9


class BuildKind(Enum):
    """What is built; the value is the end of the hooks' names."""

    WHEEL = "wheel"
    EDITABLE = "editable"


class Frontend:
    """The hooks of one source tree.

    :param python: the interpreter of the build environment.
    :param variables: all that the backend sees of the environment.
    :param time_limit: seconds for all hooks together.
    :param subject: what is built, for messages.

    Every method raises `BuildError`: ``build-failed``, ``build-timeout``, ``build-cancelled``, ``build-not-started``,
    ``backend-missing``, or what its own text names; its context tells where the log is and shows the end of it.
    """

    def __init__(
        self,
        tree: Path,
        system: BuildSystem,
        *,
        python: str,
        variables: Mapping[str, str],
        runner: ProcessRunner,
        log: BuildLog,
        time_limit: float,
        subject: str,
    ) -> None:
        from pyproject_hooks import BuildBackendHookCaller

        self._system = system
        self._variables = variables
        self._runner = runner
        self._log = log
        self._time_limit = time_limit
        self._left = time_limit
        self._subject = subject
        self._caller = BuildBackendHookCaller(
            str(tree),
            system.backend,
            backend_path=list(system.backend_path),
            runner=self._run,
            python_executable=python,
        )

    def requires(self, kind: BuildKind, settings: Mapping[str, Any] | None) -> tuple[Requirement, ...]:
        """Return what else the backend needs.

        :raises BuildError: also ``build-answer-wrong``.
        """
        from packaging.requirements import InvalidRequirement, Requirement

        hook = f"get_requires_for_build_{kind.value}"
        answer = self._call(hook, settings)
        try:
            if isinstance(answer, str):
                raise TypeError
            return tuple(Requirement(text) for text in answer)
        except (TypeError, AttributeError, InvalidRequirement):
            raise self._wrong(hook, f"{answer!r}, which is no list of requirements") from None

    def metadata(self, kind: BuildKind, folder: Path, settings: Mapping[str, Any] | None) -> bytes | None:
        """Return METADATA as prepared in *folder*, which is empty; None when the backend cannot without building.

        :raises BuildError: also ``build-answer-wrong``.
        """
        from pyproject_hooks import HookMissing

        hook = f"prepare_metadata_for_build_{kind.value}"
        try:
            name: object = self._call(hook, str(folder), settings, _allow_fallback=False)
        except HookMissing:
            return None
        file = folder / name / "METADATA" if _is_plain(name, ".dist-info") else None
        if file is None or file.parent.is_symlink() or file.is_symlink() or not file.is_file():
            raise self._wrong(hook, f"{name!r}, which is no .dist-info folder with METADATA")
        if file.stat().st_size > _LARGEST_METADATA:
            raise self._wrong(hook, f"{name!r}, whose METADATA is larger than {_LARGEST_METADATA:,} bytes")
        return file.read_bytes()

    def wheel(self, kind: BuildKind, folder: Path, settings: Mapping[str, Any] | None) -> Path:
        """Build into *folder*, which is empty, and return the wheel's path.

        :raises BuildError: also ``build-answer-wrong``, ``editable-unsupported``.
        """
        from pyproject_hooks import HookMissing

        hook = f"build_{kind.value}"
        try:
            name: object = self._call(hook, str(folder), settings)
        except HookMissing:
            raise BuildError(
                f"{self._subject} cannot be installed in editable mode: its backend {self._system.backend}"
                " has no such hook (PEP 660)",
                code="editable-unsupported",
                hint="install it without --editable, or use a newer release of its backend",
            ) from None
        path = folder / name if _is_plain(name, ".whl") else None
        if path is None or path.is_symlink() or not path.is_file():
            raise self._wrong(hook, f"{name!r}, which is no wheel in the folder it was given")
        return path

    def _call(self, hook: str, *arguments: object, **options: object) -> Any:  # noqa: ANN401 - whatever it answers
        from pyproject_hooks import BackendUnavailable

        function: Callable[..., Any] = getattr(self._caller, hook)
        try:
            return function(*arguments, **options)
        except BackendUnavailable as error:
            self._log.add(error.traceback)
            raise BuildError(
                f"{self._subject} cannot be built: its backend {self._system.backend} cannot be imported",
                code="backend-missing",
                context=self._log.evidence(),
                hint="its build-system.requires may lack the backend; without isolation it has to be installed before",
            ) from error
        except (OSError, ValueError, KeyError, AttributeError) as error:
            # The answer is a file that the process writes last; it may have left early, or lied.
            raise self._failure(hook, f"ended without an answer ({error})") from error

    def _run(self, cmd: Sequence[str], cwd: str | None = None, extra_environ: Mapping[str, str] | None = None) -> None:
        """Run one hook's process: the runner that `pyproject_hooks` asks for."""
        hook = cmd[-2]
        began = time.monotonic()
        try:
            with self._log.open(hook) as output:
                code = self._runner.run(
                    cmd,
                    folder=cwd or ".",
                    variables={**self._variables, **(extra_environ or {})},
                    output=output,
                    time_limit=self._left,
                )
        except TimeUsedUpError:
            raise BuildError(
                f"building {self._subject} was stopped: it took longer than {self._time_limit:g} s",
                code="build-timeout",
                context=(f"it was in the hook {hook}", *self._log.evidence()),
                hint="raise the limit with --build-timeout",
            ) from None
        except CancelledError:
            raise BuildError(f"building {self._subject} was stopped", code="build-cancelled") from None
        except OSError as error:
            raise BuildError(
                f"building {self._subject} could not start: {cmd[0]}: {error.strerror}", code="build-not-started"
            ) from error
        finally:
            self._left -= time.monotonic() - began
        if code != 0:
            raise self._failure(hook, _ending(code))
        self._take_warnings(Path(cmd[-1]))

    def _take_warnings(self, control: Path) -> None:
        """Move the backend's warnings from its answer into the log.

        `pyproject_hooks` would issue them here, where they are printed, or raised, by the filters of this process.
        """
        with contextlib.suppress(OSError, ValueError, AttributeError, TypeError):
            file = control / "output.json"
            answer = json.loads(file.read_text(encoding="utf-8"))
            for warning in answer.pop("warnings", ()):
                self._log.add(f"warning: {warning['message']}")
            file.write_text(json.dumps(answer), encoding="utf-8")

    def _failure(self, hook: str, what: str) -> BuildError:
        return BuildError(
            f"building {self._subject} failed: the hook {hook} of its backend {self._system.backend} {what}",
            code="build-failed",
            context=self._log.evidence(),
            hint="the cause is in the output above; it is not an error of the installation itself",
        )

    def _wrong(self, hook: str, what: str) -> BuildError:
        return BuildError(
            f"building {self._subject} failed: the hook {hook} of its backend {self._system.backend} answered {what}",
            code="build-answer-wrong",
            context=self._log.evidence(),
        )


def _is_plain(name: object, ending: str) -> TypeGuard[str]:
    """Whether *name* is a name, not a path, on every system."""
    return isinstance(name, str) and name.endswith(ending) and not any(mark in name for mark in "/\\:\0")


def _ending(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    text = f"was ended by signal {-code}"
    return f"{text}; perhaps the machine ran out of memory" if -code == _SIGKILL else text
