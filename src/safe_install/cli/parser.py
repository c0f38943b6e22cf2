"""The command line, made from the table of options; a function for each command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .. import __version__
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
_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


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
    """The options of the table that *command* takes."""
    return [TableOption(option) for option in OPTIONS if command in option.commands]


def _command(
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
        context_settings=_CONTEXT,
    )


def _requirement_parameters() -> list[click.Parameter]:
    return [
        click.Argument(["requirements"], nargs=-1, metavar="[REQUIREMENT]..."),
        click.Option(["-r", "--requirement", "files"], multiple=True, metavar="FILE", help="Install from a file."),
        click.Option(
            ["-e", "--editable", "editables"], multiple=True, metavar="DIR", help="Install a source tree in place."
        ),
        click.Option(
            ["--group", "groups"],
            multiple=True,
            metavar="[FILE:]NAME",
            help="Install a dependency group (PEP 735) of pyproject.toml.",
        ),
    ]


def build_parser() -> click.Group:
    """The whole command line."""
    # Light: each command imports its work when it runs.
    from .commands.cache import run_dir, run_info
    from .commands.fetch import run as fetch
    from .commands.install import run as install
    from .commands.lock import run as lock
    from .commands.sync import run as sync
    from .commands.venv import run as venv

    group = click.Group(
        "ci-install",
        context_settings=_CONTEXT,
        help="Install Python dependencies so that no CI job can break another.",
    )
    group.params.append(
        click.Option(
            ["--version"],
            is_flag=True,
            expose_value=False,
            is_eager=True,
            callback=_print_version,
            help="Print the version and leave.",
        )
    )
    lock_selection = [
        click.Argument(["files"], nargs=-1, required=True, metavar="FILE..."),
        click.Option(["--extra", "extras"], multiple=True, metavar="NAME", help="An extra of the lock (PEP 751)."),
        click.Option(["--group", "groups"], multiple=True, metavar="NAME", help="A dependency group of the lock."),
    ]
    group.add_command(
        _command(
            "sync",
            sync,
            "Make an environment exactly what a lock says.\n\n"
            "FILE is a pylock.toml (PEP 751) or a requirements file in which everything is pinned.",
            lock_selection,
        )
    )
    group.add_command(
        _command("install", install, "Resolve requirements and add them to an environment.", _requirement_parameters())
    )
    output = click.Option(
        ["-o", "--output", "output"], metavar="FILE", help="Where to write it; standard output if not given."
    )
    group.add_command(
        _command(
            "lock",
            lock,
            "Resolve requirements and write a pylock.toml (PEP 751).",
            [*_requirement_parameters(), output],
        )
    )
    group.add_command(
        _command("fetch", fetch, "Fill the store with what a lock needs; install nothing.", lock_selection)
    )
    group.add_command(
        _command(
            "venv",
            venv,
            "Make an empty environment.",
            [
                click.Argument(["folder"], default=".venv", metavar="[DIR]"),
                click.Option(["--with-pip"], is_flag=True, help="Put pip into it."),
            ],
        )
    )
    store = click.Group("cache", help="Look at the store.", context_settings=_CONTEXT)
    store.add_command(_command("dir", run_dir, "Print where the store is.", shared="cache"))
    store.add_command(_command("info", run_info, "Print what the store holds.", shared="cache"))
    group.add_command(store)
    group.add_command(_seed_commands())
    return group


def _seed_commands() -> click.Group:
    from .commands.seed import run_gc, run_list, run_publish, run_rollback, run_show, run_verify

    root = click.Argument(["root"], metavar="SEED")
    reference = click.Argument(["reference"], metavar="SEED[@DIGEST]")
    help_text = "Publish and look after seeds: stores that many hosts read."
    group = click.Group("seed", help=help_text, context_settings=_CONTEXT)
    group.add_command(
        _command(
            "publish",
            run_publish,
            "Make what locks need a new generation, and the current one.\n\n"
            "SOURCE is a pylock.toml, a requirements file in which everything is pinned, a folder of wheels, a "
            "store, or another seed. What is missing is fetched and built. Prints the generation's digest.",
            [
                root,
                click.Argument(["sources"], nargs=-1, required=True, metavar="SOURCE..."),
                click.Option(["--add"], is_flag=True, help="Keep what the current generation lists."),
                click.Option(["--extra", "extras"], multiple=True, metavar="NAME", help="An extra of the locks."),
                click.Option(["--group", "groups"], multiple=True, metavar="NAME", help="A group of the locks."),
            ],
            shared="seed publish",
        )
    )
    group.add_command(_command("list", run_list, "Print the generations of a seed.", [root], shared="seed"))
    group.add_command(_command("show", run_show, "Print what a generation lists.", [reference], shared="seed"))
    group.add_command(
        _command("verify", run_verify, "Hash everything that a generation lists.", [reference], shared="seed")
    )
    group.add_command(
        _command(
            "rollback",
            run_rollback,
            "Make a generation the current one: the one named, or the one before.",
            [reference],
            shared="seed",
        )
    )
    group.add_command(
        _command(
            "gc",
            run_gc,
            "Remove what no generation that is kept lists.",
            [
                root,
                click.Option(
                    ["--keep-generations", "keep"],
                    type=click.IntRange(min=1),
                    default=3,
                    show_default=True,
                    metavar="N",
                    help="How many of the latest generations stay, the current one among them.",
                ),
                click.Option(
                    ["--min-age"],
                    default="48h",
                    show_default=True,
                    metavar="TIME",
                    help="How long a replaced generation, and an entry that none lists, stay at least.",
                ),
                click.Option(["--dry-run"], is_flag=True, help="Remove nothing; tell what would be."),
            ],
            shared="seed",
        )
    )
    return group


def _print_version(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        click.echo(f"ci-install {__version__}")
        ctx.exit()
