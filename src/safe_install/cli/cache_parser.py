"""The group of commands that look after a store."""

from __future__ import annotations

import click

from .options import CONTEXT, new_command


def cache_commands() -> click.Group:
    """``ci-install cache …``."""
    from .commands.cache import run_dir, run_info
    from .commands.cache_cleanup import run_clean, run_gc, run_unlock
    from .commands.cache_listing import run_ls

    group = click.Group("cache", help="Look after the store.", context_settings=CONTEXT)
    names = click.Argument(["names"], nargs=-1, metavar="[NAME]...")
    dry_run = click.Option(["--dry-run"], is_flag=True, help="Remove nothing; tell what would be.")
    group.add_command(new_command("dir", run_dir, "Print where the store is.", shared="cache"))
    group.add_command(new_command("info", run_info, "Print what the store holds.", shared="cache"))
    group.add_command(
        new_command(
            "ls",
            run_ls,
            "List the entries of the store, of all projects or of those named.\n\n"
            "Tells size, last use, whether it was built or fetched, and who uses it.",
            [names],
            shared="cache ls",
        )
    )
    group.add_command(
        new_command(
            "gc",
            run_gc,
            "Remove left-overs, and what exceeds the limits, longest unused first.\n\n"
            "Runs beside busy jobs: what they use stays, and none of them waits. Without a limit only left-overs of "
            "processes that ended too early are removed.",
            [
                click.Option(
                    ["--keep-generations", "keep"],
                    type=click.IntRange(min=1),
                    metavar="N",
                    help="Of a seed, keep this many generations, and what they list; as `seed gc`.",
                ),
                dry_run,
            ],
            shared="cache gc",
        )
    )
    group.add_command(
        new_command(
            "clean",
            run_clean,
            "Remove everything from the store, or what belongs to the projects named; not what jobs use now.",
            [names, dry_run],
            shared="cache",
        )
    )
    group.add_command(
        new_command(
            "unlock",
            run_unlock,
            "Remove locks of dead holders.\n\n"
            "Only where locks are made of hard links, on some network file systems: others free themselves.",
            [dry_run],
            shared="cache",
        )
    )
    return group
