"""Write `reference/settings.md` from the table of options: ``python3 dev.py run python docs/settings_page.py``.

A test compares the two, so the page cannot lag behind.
"""

from __future__ import annotations

from pathlib import Path

import click

from safe_install.cli.options import TableOption
from safe_install.settings import GROUP_TITLES, OPTIONS, Option

PAGE = Path(__file__).parent / "reference" / "settings.md"
INTRODUCTION = """\
# Settings

Each setting is an option of the command line, a variable, and a key of `[tool.safe-install]` in `pyproject.toml` or of
`safe-install.toml` (the option without its dashes). The command line beats the variable, the variable the file, and the
file the default. In a variable, the values of an option that may be repeated are separated by white space, and `1`,
`true`, `yes` and `on` switch a flag on.

This page is made by `docs/settings_page.py` from the table in `src/safe_install/settings.py`.
"""
_CONTEXT = click.Context(click.Command("ci-install"))
_HEAD = "| option | variable | means | commands |\n| --- | --- | --- | --- |\n"


def settings_page() -> str:
    """Return the page: a table for each subject, in the order of the help texts."""
    sections = [INTRODUCTION]
    for group, title in GROUP_TITLES.items():
        rows = "".join(map(_row, (option for option in OPTIONS if option.group == group)))
        sections.append(f"## {title}\n\n{_HEAD}{rows}")
    return "\n".join(sections)


def _row(option: Option) -> str:
    shown = TableOption(option)
    spellings = " ".join(f"`{name}`" for name in (*shown.opts, *shown.secondary_opts))
    values = "" if option.kind == "flag" else "|".join(option.choices) or shown.make_metavar(_CONTEXT)
    cells = (
        f"{spellings} {values}{' (repeatable)' if option.repeatable else ''}".strip(),
        f"`{option.variable}`",
        (shown.help or "").replace("  [", " ["),
        ", ".join(sorted(option.commands)),
    )
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |\n"


if __name__ == "__main__":
    PAGE.write_text(settings_page(), encoding="utf-8", newline="\n")
