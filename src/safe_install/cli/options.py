"""Make commands from the table of options, with a help that shows the options by subject."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ..settings import GROUP_TITLES, OPTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..settings import Option

_EPILOG = (
    "Each option under a title of its own is also a variable, such as SAFE_INSTALL_LINK_MODE, and a key of "
    "[tool.safe-install] in pyproject.toml or of safe-install.toml. The command line beats the variable, "
    "and the variable beats the file."
)
_METAVARS = {"seconds": "SECONDS", "count": "N", "time": "TIME", "size": "SIZE", "duration": "TIME"}
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class GroupedCommand(click.Command):
    """A command whose help shows its own options first, and the shared ones by subject."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options under the titles of `GROUP_TITLES`."""
        by_title: dict[str, list[tuple[str, str]]] = {"Options": []}
        by_title |= {title: [] for title in GROUP_TITLES.values()}
        for parameter in self.get_params(ctx):
            record = None if isinstance(parameter, click.Argument) else parameter.get_help_record(ctx)
            if record is not None:
                title = parameter.title if isinstance(parameter, TableOption) else "Options"
                by_title[title].append(record)
        for title, records in by_title.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


class TableOption(click.Option):
    """An option of the table. :param title: the section of the help it stands in."""

    def __init__(self, option: Option) -> None:
        self.title = GROUP_TITLES[option.group]
        names = [f"--{option.name}"]
        if option.short:
            names.insert(0, f"-{option.short}")
        if option.no_flag:
            names = [f"{'/'.join((names[-1], '--' + option.no_flag))}"]
        metavar = option.metavar or _METAVARS.get(option.kind)
        super().__init__(
            [*names, option.field],
            help=option.help + _default_text(option),
            metavar=None if option.kind in {"flag", "choice"} else metavar or "TEXT",
            is_flag=option.kind == "flag",
            default=None,
            multiple=option.repeatable,
            type=click.Choice(option.choices) if option.kind == "choice" else (bool if option.kind == "flag" else str),
        )


def _default_text(option: Option) -> str:
    """The default in the help, unless the help says it in words or it is nothing."""
    if option.default in (None, (), {}, False) or "[default:" in option.help:
        return ""
    if option.default is True:
        return "  [default: yes]"
    return f"  [default: {option.default:g} s]" if option.kind == "seconds" else f"  [default: {option.default}]"


def shared_options(command: str) -> list[click.Parameter]:
    """The options of the table that *command*, or the group it belongs to, takes."""
    names = {command, command.partition(" ")[0]}
    return [TableOption(option) for option in OPTIONS if not names.isdisjoint(option.commands)]


def new_command(
    name: str,
    run: Callable[..., int],
    help_text: str,
    parameters: Sequence[click.Parameter] = (),
    *,
    shared: str | None = None,
) -> click.Command:
    """Make a command whose callback gets ``options`` (the shared ones, raw) and its own parameters."""
    table = {option.field: option.name for option in OPTIONS}

    def callback(**values: Any) -> int:  # noqa: ANN401 - click hands over whatever the parameters are
        options = {table[key]: value for key, value in values.items() if key in table}
        own = {key: value for key, value in values.items() if key not in table}
        return run(options, **own)

    return GroupedCommand(
        name,
        callback=callback,
        params=[*parameters, *shared_options(shared or name)],
        help=help_text,
        short_help=help_text.partition("\n")[0],
        epilog=_EPILOG,
        context_settings=CONTEXT,
    )
