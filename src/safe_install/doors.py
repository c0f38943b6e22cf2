"""What all doors take and give: the GitHub action, the GitLab component and the Jenkins step have the same inputs.

They are made from the table of options (`safe_install.settings`), so that an option has one name, one meaning and one
help text wherever it is used. An adapter hands each input over as a variable, whose text is data and nothing else;
`safe_install.cli.doors` reads them. This module imports nothing but that table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .settings import OPTIONS

if TYPE_CHECKING:
    from .settings import Option

COMMANDS: Final = ("sync", "install", "fetch")
"""What a door can do; the first one when nothing is said."""
LOCK_NAMES: Final = ("pylock.toml", "requirements.txt")
"""Where a door looks for what to install when nothing is said: the first that is there."""
# Of the terminal alone: a door shows progress as its platform does, and hands the report over as a file.
_WITHOUT: Final = frozenset({"json", "progress"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One input of every door.

    :param name: in kebab-case; `camel_case` in Jenkins.
    :param help: one sentence or two.
    :param option: that it sets; None for those that only doors have.
    """

    name: str
    help: str
    option: Option | None = None

    @property
    def variable(self) -> str:
        """The variable that an adapter hands it over in."""
        return "SAFE_INSTALL_INPUT_" + self.name.replace("-", "_").upper()

    @property
    def is_list(self) -> bool:
        """Whether it may hold several values, one a line."""
        return self.name == "files" or (self.option is not None and self.option.repeatable)

    @property
    def camel_case(self) -> str:
        """Its name in Groovy."""
        first, *rest = self.name.split("-")
        return first + "".join(word.capitalize() for word in rest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One thing that later steps of a job can ask for."""

    name: str
    help: str


def _help(option: Option) -> str:
    parts = [option.help.partition("  [")[0]]
    if option.choices:
        parts.append(f"One of {', '.join(option.choices)}.")
    elif option.kind == "flag":
        parts.append("true or false.")
    elif option.repeatable:
        parts.append("One a line.")
    return " ".join(parts)


INPUTS: Final[tuple[Input, ...]] = (
    Input(
        name="command",
        help="What to do: make an environment exactly what a lock says (sync, the default), resolve requirements and "
        "add them to an environment (install), or only fill the store (fetch).",
    ),
    Input(
        name="files",
        help="Locks or requirements files, one a line. Without any, the first of "
        f"{' and '.join(LOCK_NAMES)} that is there.",
    ),
    Input(
        name="args",
        help="Further arguments of the command, in the quotes of a POSIX shell; nothing in them is expanded.",
    ),
    *(
        Input(name=option.name, help=_help(option), option=option)
        for option in OPTIONS
        if option.name not in _WITHOUT and not option.commands.isdisjoint(COMMANDS)
    ),
)
"""The inputs, in the order of the help."""

OUTPUTS: Final[tuple[Output, ...]] = (
    Output(name="outcome", help="done or failed."),
    Output(name="exit-code", help="The exit code of ci-install."),
    Output(name="venv", help="The environment, as an absolute path."),
    Output(name="python", help="The interpreter of the environment, as an absolute path."),
    Output(name="layout", help="Store, environment, link mode, scope and trust, as JSON."),
    Output(name="link-mode", help="How files got from the store into the environment."),
    Output(name="cache-hit", help="true when nothing had to be fetched or built."),
    Output(name="fetched-bytes", help="How many bytes came over the network."),
    Output(name="distributions", help="How many distributions the environment has been given or keeps."),
    Output(name="repaired", help="How many damaged entries of the store were put right."),
    Output(name="step-downs", help="In how many ways it was done in a lesser way than planned; the report says why."),
    Output(name="report", help="The file with the whole report, one JSON document."),
)
"""What a door gives, in the order of its description."""
