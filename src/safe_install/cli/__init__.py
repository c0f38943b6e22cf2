"""The command ``ci-install``: the only part that reads the environment, prints and exits."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from .. import __version__
from ..errors import ExitCode, InputError, InterruptionError

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    :param argv: the arguments after the program's name; None takes those of the process.
    :returns: the exit code of `safe_install.errors.ExitCode`.
    """
    arguments: list[str] = []
    try:
        arguments += sys.argv[1:] if argv is None else argv
        _open_closed_streams()
        if arguments == ["--version"]:  # scripts ask for this often, and it needs nothing else
            sys.stdout.write(f"ci-install {__version__}\n")
            return ExitCode.DONE
        from .signals import interrupt_on_signals  # takes long enough to be struck by a Ctrl-C

        interrupt_on_signals()
        code = answer(arguments)
    except KeyboardInterrupt:
        code = _interrupted(arguments)
    if argv is None:
        from .signals import settle_exit_code

        settle_exit_code()
    return code


def _open_closed_streams() -> None:
    """Let what was closed by our caller lead nowhere: else the next file that is opened would be taken for it."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            import os

            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
            setattr(sys, name, open(number, "r" if number == 0 else "w", encoding="utf-8", closefd=False))  # noqa: SIM115 - as long as the process


def answer(arguments: list[str]) -> int:
    """Do what *arguments* say and return the exit code; nothing escapes but a broken interpreter."""
    import click

    from .parser import build_parser

    try:
        result = build_parser().main(arguments, prog_name="ci-install", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as shown:
        shown.show()
        return ExitCode.USAGE
    except click.ClickException as error:
        from .call import refuse

        context = getattr(error, "ctx", None)
        command = context.command_path if context else "ci-install"
        code = refuse(InputError(error.format_message(), code="usage", hint=f"{command} --help"), arguments)
        if command in {"ci-install run", "ci-install wrap"}:
            from .commands.wrap import NOT_STARTED

            return NOT_STARTED
        return code
    except (click.Abort, KeyboardInterrupt):
        return _interrupted(arguments)
    return int(result or 0)


def _interrupted(arguments: list[str]) -> int:
    from .call import refuse

    return refuse(InterruptionError("interrupted before anything was begun", code="interrupted"), arguments)
