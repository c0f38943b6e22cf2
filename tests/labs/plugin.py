"""``--lab NAME``: run the chosen tests in a laboratory, on a system that this machine is not.

Each laboratory has a folder here. Without the option its tests that need it skip, and all others run on this machine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

LABS = ("nfs", "windows")
WINDOWS_PYTHONS = ("3.12", "3.13")


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Add the options."""
    pluginmanager.import_plugin("labs.nfs.plugin")
    group = parser.getgroup("laboratories")
    group.addoption(
        "--lab",
        choices=LABS,
        help="run the tests in this laboratory: 'nfs' has network disks and several hosts, 'windows' is a Windows CPython",
    )
    group.addoption(
        "--rounds",
        type=int,
        default=2,
        help="how often a race of a report is run; 20 are the whole evidence, default: %(default)s",
    )
    group.addoption(
        "--lab-python", choices=WINDOWS_PYTHONS, default=WINDOWS_PYTHONS[0], help="which one '--lab windows' runs"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Hand the whole run over to a laboratory that is another system; pytest runs there once more."""
    if config.getoption("--lab") != "windows":
        return None
    from labs.windows.running import run

    arguments = _without_options(config.invocation_params.args)
    return run(arguments, root=config.rootpath, version=config.getoption("--lab-python"))


def _without_options(arguments: Sequence[str]) -> list[str]:
    kept: list[str] = []
    following = iter(map(str, arguments))
    for argument in following:
        if argument in {"--lab", "--lab-python"}:
            next(following, None)
        elif not argument.startswith(("--lab=", "--lab-python=")):
            kept.append(argument)
    return kept
