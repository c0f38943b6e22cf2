"""The command line, made from the table of options; a function for each command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from .. import __version__
from .options import CONTEXT, new_command

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


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


def _deadline() -> click.Parameter:
    return click.Option(
        ["--deadline"],
        type=float,
        default=20.0,
        show_default=True,
        metavar="SECONDS",
        help="Stop probes that take longer: a call on a dead network file system may hang for ever.",
    )


class LazyGroup(click.Group):
    """A group whose commands are made when they are asked for: each has thirty options, and imports what it needs.

    :param makers: by name.
    """

    def __init__(self, name: str, makers: Mapping[str, Callable[[], click.Command]], **options: Any) -> None:  # noqa: ANN401 - those of click
        super().__init__(name, **options)
        self._makers = makers

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The names of all, sorted."""
        return sorted(self._makers)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """One command; None when there is none of that name."""
        if cmd_name in self._makers and cmd_name not in self.commands:
            self.add_command(self._makers[cmd_name]())
        return super().get_command(ctx, cmd_name)


def build_parser() -> click.Group:
    """The whole command line."""
    return LazyGroup(
        "ci-install",
        {
            "sync": _sync_command,
            "install": _install_command,
            "lock": _lock_command,
            "fetch": _fetch_command,
            "venv": _venv_command,
            "layout": _layout_command,
            "report": _report_command,
            "doctor": _doctor_command,
            "run": _run_command,
            "wrap": _wrap_command,
            "init": _init_command,
            "door": _door_command,
            "cache": _cache_commands,
            "seed": _seed_commands,
        },
        context_settings=CONTEXT,
        help="Install Python dependencies so that no CI job can break another.",
        params=[
            click.Option(
                ["--version"],
                is_flag=True,
                expose_value=False,
                is_eager=True,
                callback=_print_version,
                help="Print the version and leave.",
            )
        ],
    )


def _lock_selection() -> list[click.Parameter]:
    return [click.Argument(["files"], nargs=-1, required=True, metavar="FILE..."), *_choices_of_lock()]


def _choices_of_lock() -> list[click.Parameter]:
    return [
        click.Option(["--extra", "extras"], multiple=True, metavar="NAME", help="An extra of the lock (PEP 751)."),
        click.Option(["--group", "groups"], multiple=True, metavar="NAME", help="A dependency group of the lock."),
    ]


def _sync_command() -> click.Command:
    from .commands.sync import run

    return new_command(
        "sync",
        run,
        "Make an environment exactly what a lock says.\n\n"
        "FILE is a pylock.toml (PEP 751) or a requirements file in which everything is pinned.",
        _lock_selection(),
    )


def _install_command() -> click.Command:
    from .commands.install import run

    return new_command(
        "install", run, "Resolve requirements and add them to an environment.", _requirement_parameters()
    )


def _lock_command() -> click.Command:
    from .commands.lock import run

    output = click.Option(
        ["-o", "--output", "output"], metavar="FILE", help="Where to write it; standard output if not given."
    )
    return new_command(
        "lock", run, "Resolve requirements and write a pylock.toml (PEP 751).", [*_requirement_parameters(), output]
    )


def _fetch_command() -> click.Command:
    from .commands.fetch import run

    return new_command("fetch", run, "Fill the store with what a lock needs; install nothing.", _lock_selection())


def _venv_command() -> click.Command:
    from .commands.venv import run

    return new_command(
        "venv",
        run,
        "Make an empty environment.",
        [
            click.Argument(["folder"], default=".venv", metavar="[DIR]"),
            click.Option(["--with-pip"], is_flag=True, help="Put pip into it."),
        ],
    )


def _layout_command() -> click.Command:
    from .commands.layout import FORMATS, run

    return new_command(
        "layout",
        run,
        "Show the layout of this job, or write it as variables.\n\n"
        "Which stores, environment and scratch folder, link mode and locks the other commands use here, and how "
        "far the platform trusts this job. As variables it also tells other tools where to keep the caches of this "
        "job. Exit code 7 when no layout works here.",
        [
            click.Option(
                ["--format", "form"],
                type=click.Choice(FORMATS),
                default="text",
                show_default=True,
                help="For people, as JSON, for a POSIX shell (env), for GitLab's dotenv reports, for the file that "
                "GITHUB_ENV names (github), for PowerShell, or for a batch file (cmd).",
            ),
            click.Option(["--with-tmpdir"], is_flag=True, help="Set TMPDIR too; long paths break sockets in it."),
            _deadline(),
        ],
    )


def _report_command() -> click.Command:
    from .commands.report import run

    return new_command(
        "report",
        run,
        "Show a report again, as text or as a page.\n\nFILE is what --report of another command wrote.",
        [
            click.Argument(["file"], metavar="FILE"),
            click.Option(["--html", "as_html"], is_flag=True, help="One page that needs nothing else."),
            click.Option(["-o", "--output", "output"], metavar="FILE", help="Where to; standard output if not given."),
        ],
    )


def _doctor_command() -> click.Command:
    from .commands.doctor import run

    return new_command(
        "doctor",
        run,
        "Try what the folders of an installation can do; say what is wrong and what mends it.\n\n"
        "Looks at store, seeds, environment, scratch, home and temporary files, and at every PATH; then names the "
        "layout that works here. Exit code 7 when an installation with these settings cannot succeed.",
        [
            click.Argument(["paths"], nargs=-1, metavar="[PATH]..."),
            click.Option(["--fix"], is_flag=True, help="Put right what is safe, and say what was done."),
            _deadline(),
        ],
    )


def _init_command() -> click.Command:
    from .commands.init import TARGETS, run

    return new_command(
        "init",
        run,
        "Write a pipeline file for the project at hand.\n\n"
        "It installs the lock that is found, and runs the tests with every Python that the project supports. "
        "A file that is there already is replaced with --force alone, and the difference is shown before.",
        [
            click.Argument(["platform"], type=click.Choice(list(TARGETS))),
            click.Option(["--check"], is_flag=True, help="Write nothing; exit code 2 when it is not up to date."),
            click.Option(["--force"], is_flag=True, help="Replace a file that says something else."),
            click.Option(["--test-command", "test"], metavar="CMD", help="What runs the tests.  [default: found out]"),
            click.Option(
                ["--source"], metavar="NAME", help="How the file names safe-install, such as org/safe-install@v1."
            ),
        ],
    )


def _door_command() -> click.Command:
    from .commands.door import PLATFORMS, run

    return click.Command(
        "door",
        callback=run,
        params=[click.Argument(["platform"], type=click.Choice(PLATFORMS))],
        help="What the adapters of CI platforms start: do what the variables SAFE_INSTALL_INPUT_* ask for.",
        hidden=True,
    )


def _cache_commands() -> click.Group:
    from .cache_parser import cache_commands

    return cache_commands()


def _run_command() -> click.Command:
    from .commands.run import run

    command = new_command(
        "run",
        run,
        "Run a command in an environment of its own, made of a lock and gone afterwards.\n\n"
        "With --isolation shared the environment refers to an image, which takes no longer for many distributions than "
        "for few. The exit code is that of the command; 125 when it was not run.",
        [
            click.Argument(["command"], nargs=-1, type=click.UNPROCESSED, metavar="-- CMD..."),
            click.Option(
                ["-r", "--requirement", "requirements"],
                multiple=True,
                metavar="FILE",
                help="A pylock.toml, or a requirements file in which everything is pinned.",
            ),
            *_choices_of_lock(),
        ],
    )
    # What follows the command belongs to it, also without the dashes.
    command.allow_interspersed_args = False
    return command


def _wrap_command() -> click.Command:
    from ..wrapping.tools import TOOLS
    from .commands.wrap import run as wrap

    command = new_command(
        "wrap",
        wrap,
        "Run another installer with caches of this job's own: uv, pip, poetry, pdm, pip-tools, pipenv, tox.\n\n"
        "They begin as copies of what a trusted job published, so that no job waits for another or meets its files. "
        "A failure that is known to pass is told, and the command is run once more. The exit code is that of the "
        "command; 125 when it was not run.",
        [
            click.Argument(["command"], nargs=-1, type=click.UNPROCESSED, metavar="-- CMD..."),
            click.Option(
                ["--tool", "tools"],
                multiple=True,
                type=click.Choice(list(TOOLS)),
                help="Whose caches begin as copies, where the command itself does not say it, as a script.",
            ),
            click.Option(["--publish"], is_flag=True, help="Let later jobs begin with these caches, if it succeeds."),
            click.Option(
                ["--tool-seed"], metavar="DIR", help="Where they are published.  [default: beside the runner's store]"
            ),
        ],
    )
    # What follows the command belongs to it, also without the dashes.
    command.allow_interspersed_args = False
    return command


def _seed_commands() -> click.Group:
    from .commands.seed import run_gc, run_list, run_publish, run_rollback, run_show, run_verify

    root = click.Argument(["root"], metavar="SEED")
    reference = click.Argument(["reference"], metavar="SEED[@DIGEST]")
    help_text = "Publish and look after seeds: stores that many hosts read."
    group = click.Group("seed", help=help_text, context_settings=CONTEXT)
    group.add_command(
        new_command(
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
    group.add_command(new_command("list", run_list, "Print the generations of a seed.", [root], shared="seed"))
    group.add_command(new_command("show", run_show, "Print what a generation lists.", [reference], shared="seed"))
    group.add_command(
        new_command("verify", run_verify, "Hash everything that a generation lists.", [reference], shared="seed")
    )
    group.add_command(
        new_command(
            "rollback",
            run_rollback,
            "Make a generation the current one: the one named, or the one before.",
            [reference],
            shared="seed",
        )
    )
    group.add_command(
        new_command(
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
