"""The group of commands that look after a store."""

from __future__ import annotations

import click

from .options import CONTEXT, new_command


def cache_commands() -> click.Group:
    """``ci-install cache …``."""
    from .commands.cache import run_dir, run_info
    from .commands.cache_carrying import run_export, run_import
    from .commands.cache_checking import run_init, run_repair, run_verify
    from .commands.cache_cleanup import run_clean, run_gc, run_unlock
    from .commands.cache_listing import run_ls

    group = click.Group("cache", help="Look after the store.", context_settings=CONTEXT)
    names = click.Argument(["names"], nargs=-1, metavar="[NAME]...")
    dry_run = click.Option(["--dry-run"], is_flag=True, help="Remove nothing; tell what would be.")
    group.add_command(
        new_command(
            "init",
            run_init,
            "Make the store, or share one that is there in another way.\n\n"
            "Others may use it: nobody (private), the members of a group (group), or everybody to read from it "
            "(public). A folder with the set-group-id bit that its group can write becomes a group's store by itself.",
            [
                click.Option(
                    ["--shared", "sharing"],
                    type=click.Choice(["private", "group", "public"]),
                    help="Who else may use it.  [default: what the folder says, else private]",
                ),
                click.Option(
                    ["--group", "group"],
                    metavar="NAME",
                    help="The group, by name or number.  [default: that of the folder]",
                ),
            ],
            shared="cache",
        )
    )
    group.add_command(
        new_command(
            "verify",
            run_verify,
            "Read every byte of the store, and list what is damaged and why; exit code 4 on damage.",
            shared="cache",
        )
    )
    group.add_command(
        new_command(
            "repair",
            run_repair,
            "As verify, and put modes and times back, and what is damaged into quarantine.",
            shared="cache",
        )
    )
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
    group.add_command(
        new_command(
            "export",
            run_export,
            "Write what the store holds to one tar file, the same bytes for the same entries.\n\n"
            "Prints its SHA-256. Index pages stay behind: they may be private.",
            [
                click.Argument(["file"], metavar="FILE"),
                click.Option(
                    ["--lock", "locks"],
                    multiple=True,
                    metavar="LOCK",
                    help="Only what belongs to the projects and versions of this lock or pinned requirements file.",
                ),
            ],
            shared="cache",
        )
    )
    group.add_command(
        new_command(
            "import",
            run_import,
            "Bring what an exported file holds into the store.\n\n"
            "Every path and digest in it is checked. Who made the file decides what is installed from it, as with "
            "any wheel: give --sha256 where the way it came is not trusted.",
            [
                click.Argument(["file"], metavar="FILE"),
                click.Option(
                    ["--sha256"], metavar="DIGEST", help="Refuse any other file than the one with this digest."
                ),
            ],
            shared="cache",
        )
    )
    return group
