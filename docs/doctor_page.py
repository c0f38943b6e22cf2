"""Write `reference/doctor.md` from the table of findings: ``python3 dev.py run python docs/doctor_page.py``.

A test compares the two, so the page cannot lag behind.
"""

from __future__ import annotations

import re
from pathlib import Path

from safe_install.probe.facts import Role
from safe_install.probe.findings import Level, Rule, WholeRule
from safe_install.probe.mending import MENDED
from safe_install.probe.rules import PLACE_RULES, WHOLE_RULES

PAGE = Path(__file__).parent / "reference" / "doctor.md"
INTRODUCTION = """\
# What the doctor finds

`ci-install doctor [PATH]...` looks at the store, seeds, environment, scratch, home and temporary files that an
installation with the same settings would use, and at every PATH. What a folder can do is found by doing it there: with
files of its own, in a folder of its own that is removed again, by processes that are stopped when they do not come back
(`--deadline`). Nothing is made in seeds, nor, by an untrusted job, in any store that others read.

It ends with the layout that works here: layers, environment, scratch, link mode and kinds of locks. The exit code is 7
when an installation with these settings cannot succeed, and else 0. `--json` and `--report FILE` give
[the report](report.md) with `findings`, `places`, `links`, `machine`, `mended` and `not_mended`, and its `layout` is
the one that works. `--fix` puts right what is marked with \N{HEAVY CHECK MARK} below, in folders of this user alone,
and says what it did.

A word in capitals, such as PATH, stands for what was found. *Stops* names the uses of a folder in which the finding
lets no installation succeed.

This page is made by `docs/doctor_page.py` from the tables in `src/safe_install/probe/rules.py`.
"""
_TITLES = {
    Level.DANGER: "## Danger",
    Level.NOTICE: "## Notice",
    Level.OK: "## Ok",
}
_HEAD = "| finding | cause | effect | what mends it | fix | stops |\n| --- | --- | --- | --- | --- | --- |\n"


def doctor_page() -> str:
    """Return the page: a table for each level, in the order of the code."""
    rules: tuple[Rule | WholeRule, ...] = (*PLACE_RULES, *WHOLE_RULES)
    sections = [INTRODUCTION]
    for level, title in _TITLES.items():
        rows = "".join(_row(rule) for rule in rules if rule.level is level)
        sections.append(f"{title}\n\n{_HEAD}{rows}")
    return "\n".join(sections)


def _row(rule: Rule | WholeRule) -> str:
    stops = ", ".join(role.value for role in Role if role in rule.blocks) if isinstance(rule, Rule) else ""
    fix = "\N{HEAVY CHECK MARK}" if rule.code in MENDED else ""
    cells = (f"`{rule.code}`", *map(_text, (rule.cause, rule.effect, rule.mend)), fix, stops)
    return f"| {' | '.join(cells)} |\n".replace("  ", " ")


def _text(template: str) -> str:
    shown = re.sub(r"\{(\w+)\}", lambda match: match[1].upper(), template)
    return shown.replace("QUOTED", "PATH").replace("SHELL", "FOLDER").replace("|", "&#124;")


if __name__ == "__main__":
    PAGE.write_text(doctor_page(), encoding="utf-8", newline="\n")
