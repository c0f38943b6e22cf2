"""Every error that safe-install raises on purpose, and the exit code that each one becomes.

::

    SafeInstallError                     70  our own fault
    ├── RequirementsError                 1  the requirements cannot be met
    ├── InputError (ValueError)           2  usage, or an input file is wrong
    ├── NetworkError                      3  network or index
    ├── IntegrityError (ValueError)       4  a hash or an archive is wrong
    ├── LockTimeoutError (TimeoutError)   5  a lock that is really needed was not had in time
    ├── BuildError                        6  a build failed
    ├── StoreError                        7  store or file system
    ├── TargetError                       8  target environment or interpreter
    ├── PolicyError                       9  refused by policy
    └── InterruptionError               130  the user or the CI system stopped us

This module imports nothing of safe-install.
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What the process says when it ends; ``docs/reference/exit-codes.md`` repeats this table."""

    DONE = 0
    UNSATISFIABLE = 1
    USAGE = 2
    NETWORK = 3
    INTEGRITY = 4
    LOCK = 5
    BUILD = 6
    STORE = 7
    TARGET = 8
    POLICY = 9
    INTERNAL = 70
    INTERRUPTED = 130


class SafeInstallError(Exception):
    """The root: something went wrong that has a name.

    :param message: one sentence: what we were doing, on what, and what happened.
    :param code: a stable, searchable kebab-case name, such as ``hash-mismatch``.
    :param context: further facts, one a line, printed indented below the message.
    :param hint: what to do next, in the imperative.

    Nothing secret may go into any of these: pass URLs through `safe_install.redact.redact_url`.
    """

    exit_code: ClassVar[ExitCode] = ExitCode.INTERNAL

    def __init__(self, message: str, *, code: str, context: tuple[str, ...] = (), hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.context = context
        self.hint = hint

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only arguments are lost by the default protocol, and errors cross process borders.
        return (_rebuild, (type(self), self.message, self.code, self.context, self.hint))

    def __str__(self) -> str:
        return "\n  ".join((self.message, *self.context))


def _rebuild(
    kind: type[SafeInstallError], message: str, code: str, context: tuple[str, ...], hint: str | None
) -> SafeInstallError:
    return kind(message, code=code, context=context, hint=hint)


class RequirementsError(SafeInstallError):
    """The requirements contradict one another, or nothing on the indexes meets them."""

    exit_code = ExitCode.UNSATISFIABLE


class InputError(SafeInstallError, ValueError):
    """An option, a requirements file, a lock or a configuration file is wrong."""

    exit_code = ExitCode.USAGE


class NetworkError(SafeInstallError):
    """An index or a file could not be read, after every retry that the budget allowed."""

    exit_code = ExitCode.NETWORK


class IntegrityError(SafeInstallError, ValueError):
    """Bytes are not what was promised, or an archive is malformed or hostile."""

    exit_code = ExitCode.INTEGRITY


class LockTimeoutError(SafeInstallError, TimeoutError):
    """A lock without which the work would be wrong was not had in time."""

    exit_code = ExitCode.LOCK


class BuildError(SafeInstallError):
    """A build backend failed, or what it made is not what it was asked for."""

    exit_code = ExitCode.BUILD


class StoreError(SafeInstallError):
    """The store or another folder of ours cannot be read or written."""

    exit_code = ExitCode.STORE


class TargetError(SafeInstallError):
    """The environment or the interpreter to install into cannot be used."""

    exit_code = ExitCode.TARGET


class PolicyError(SafeInstallError):
    """Possible, but not allowed: hashes are required, a store is unsafe, a job is not trusted."""

    exit_code = ExitCode.POLICY


class InterruptionError(SafeInstallError):
    """Ctrl-C or SIGTERM; everything that was half done has been put back."""

    exit_code = ExitCode.INTERRUPTED
