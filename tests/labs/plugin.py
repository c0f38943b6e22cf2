"""``--lab NAME``: run the chosen tests in a laboratory, on a system that this machine is not.

Each laboratory has a folder here. Without the option its tests that need it skip, and all others run on this machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

LABS = ("nfs", "windows")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.getgroup("laboratories").addoption(
        "--lab",
        choices=LABS,
        help="run the tests in this laboratory: 'nfs' has network disks and several hosts, 'windows' is a Windows CPython",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Hand the whole run over to a laboratory that is another system; pytest runs there once more."""
    if config.getoption("--lab") != "windows":
        return None
    from labs.windows.running import run

    return run(_without_option(config.invocation_params.args), root=config.rootpath)


def _without_option(arguments: Sequence[str]) -> list[str]:
    kept: list[str] = []
    following = iter(map(str, arguments))
    for argument in following:
        if argument == "--lab":
            next(following, None)
        elif not argument.startswith("--lab="):
            kept.append(argument)
    return kept
