"""The command line, made from the table of options; a function for each command."""

from __future__ import annotations

import click

from .. import __version__
from .options import CONTEXT, new_command


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


def build_parser() -> click.Group:
    """The whole command line."""
    # Light: each command imports its work when it runs.
    from .cache_parser import cache_commands
    from .commands.doctor import run as doctor
    from .commands.door import PLATFORMS
    from .commands.door import run as door
    from .commands.fetch import run as fetch
    from .commands.init import TARGETS
    from .commands.init import run as init
    from .commands.install import run as install
    from .commands.layout import FORMATS
    from .commands.layout import run as layout
    from .commands.lock import run as lock
    from .commands.report import run as report
    from .commands.sync import run as sync
    from .commands.venv import run as venv

    group = click.Group(
        "ci-install",
        context_settings=CONTEXT,
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
        new_command(
            "sync",
            sync,
            "Make an environment exactly what a lock says.\n\n"
            "FILE is a pylock.toml (PEP 751) or a requirements file in which everything is pinned.",
            lock_selection,
        )
    )
    group.add_command(
        new_command(
            "install", install, "Resolve requirements and add them to an environment.", _requirement_parameters()
        )
    )
    output = click.Option(
        ["-o", "--output", "output"], metavar="FILE", help="Where to write it; standard output if not given."
    )
    group.add_command(
        new_command(
            "lock",
            lock,
            "Resolve requirements and write a pylock.toml (PEP 751).",
            [*_requirement_parameters(), output],
        )
    )
    group.add_command(
        new_command("fetch", fetch, "Fill the store with what a lock needs; install nothing.", lock_selection)
    )
    group.add_command(
        new_command(
            "venv",
            venv,
            "Make an empty environment.",
            [
                click.Argument(["folder"], default=".venv", metavar="[DIR]"),
                click.Option(["--with-pip"], is_flag=True, help="Put pip into it."),
            ],
        )
    )
    group.add_command(
        new_command(
            "layout",
            layout,
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
    )
    group.add_command(
        new_command(
            "report",
            report,
            "Show a report again, as text or as a page.\n\nFILE is what --report of another command wrote.",
            [
                click.Argument(["file"], metavar="FILE"),
                click.Option(["--html", "as_html"], is_flag=True, help="One page that needs nothing else."),
                click.Option(
                    ["-o", "--output", "output"], metavar="FILE", help="Where to; standard output if not given."
                ),
            ],
        )
    )
    group.add_command(
        new_command(
            "doctor",
            doctor,
            "Try what the folders of an installation can do; say what is wrong and what mends it.\n\n"
            "Looks at store, seeds, environment, scratch, home and temporary files, and at every PATH; then names the "
            "layout that works here. Exit code 7 when an installation with these settings cannot succeed.",
            [
                click.Argument(["paths"], nargs=-1, metavar="[PATH]..."),
                click.Option(["--fix"], is_flag=True, help="Put right what is safe, and say what was done."),
                _deadline(),
            ],
        )
    )
    group.add_command(_run_command())
    group.add_command(_wrap_command())
    group.add_command(
        new_command(
            "init",
            init,
            "Write a pipeline file for the project at hand.\n\n"
            "It installs the lock that is found, and runs the tests with every Python that the project supports. "
            "A file that is there already is replaced with --force alone, and the difference is shown before.",
            [
                click.Argument(["platform"], type=click.Choice(list(TARGETS))),
                click.Option(["--check"], is_flag=True, help="Write nothing; exit code 2 when it is not up to date."),
                click.Option(["--force"], is_flag=True, help="Replace a file that says something else."),
                click.Option(
                    ["--test-command", "test"], metavar="CMD", help="What runs the tests.  [default: found out]"
                ),
                click.Option(
                    ["--source"], metavar="NAME", help="How the file names safe-install, such as org/safe-install@v1."
                ),
            ],
        )
    )
    group.add_command(
        click.Command(
            "door",
            callback=door,
            params=[click.Argument(["platform"], type=click.Choice(PLATFORMS))],
            help="What the adapters of CI platforms start: do what the variables SAFE_INSTALL_INPUT_* ask for.",
            hidden=True,
        )
    )
    group.add_command(cache_commands())
    group.add_command(_seed_commands())
    return group


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
                ["-r", "--requirements", "requirements"],
                multiple=True,
                metavar="FILE",
                help="A pylock.toml, or a requirements file in which everything is pinned.",
            ),
            click.Option(["--extra", "extras"], multiple=True, metavar="NAME", help="An extra of the lock (PEP 751)."),
            click.Option(["--group", "groups"], multiple=True, metavar="NAME", help="A dependency group of the lock."),
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
