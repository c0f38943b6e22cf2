"""The examples of the pages that users read, and a shell for those of a console.

An example is a block between fences. It is known by its page and its number there, from 0 on.
"""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING, NamedTuple

from helpers.act import ROOT
from helpers.missing_parts import program

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_FOLDERS = ("actions", "docs", "gitlab", "jenkins", "templates")
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "README.md", *(page for folder in _FOLDERS for page in (ROOT / folder).rglob("*.md")))
)
"""The pages that tell users how to use it. What developers read is not among them."""
_FENCE = re.compile(r"^ *(?:```|~~~)(.*)$", re.MULTILINE)
_PROMPT = "$ "


class Example(NamedTuple):
    """One block. :param language: the word behind the opening fence."""

    language: str
    text: str


def examples(page: str) -> list[Example]:
    """All blocks of a page, in their order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    fences = list(_FENCE.finditer(text))
    assert len(fences) % 2 == 0, f"{page} has a fence that does not end"
    return [
        Example(begin[1].strip(), text[begin.end() + 1 : end.start()])
        for begin, end in zip(fences[::2], fences[1::2], strict=True)
    ]


def commands(text: str) -> str:
    """The script that a console shows, behind prompts or without any. What its commands print is not shown."""
    lines = text.splitlines(keepends=True)
    prompted = [line.removeprefix(_PROMPT) for line in lines if line.startswith(_PROMPT)]
    assert len(prompted) in {0, len(lines)}, f"lines that are no commands: {text}"
    return "".join(prompted or lines)


class Console:
    """A shell of a user with an empty home, and ``ci-install`` on its path.

    :param folder: for everything it writes.
    :param variables: on top of what a login has.
    """

    def __init__(self, folder: Path, variables: Mapping[str, str]) -> None:
        self.home, self.folder = folder / "home", folder / "work"
        temporary = folder / "temporary"
        for each in (self.home, self.folder, temporary):
            each.mkdir()
        beside = program("ci-install", "pip install --editable .").parent
        self.variables = {
            "PATH": os.pathsep.join((str(beside), os.environ["PATH"])),
            "HOME": str(self.home),
            "TMPDIR": str(temporary),
            "LC_ALL": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "1",
            **variables,
        }

    def write(self, name: str, text: str) -> Path:
        """Write a file of the working folder."""
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path

    def run(self, text: str) -> str:
        """Run the commands of a console, all of which must succeed. Return what they printed, each behind its command."""
        done = subprocess.run(
            ["/bin/sh", "-eux", "-c", commands(text)],
            cwd=self.folder,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            timeout=500,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout
