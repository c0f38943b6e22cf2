"""A `sync` of a known lock imports nothing that it does not use: half of its time would be spent on that."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from helpers.capabilities import linux_only
from helpers.stocked_index import pins

if TYPE_CHECKING:
    from helpers.command import Command
    from helpers.stocked_index import StockedIndex

pytestmark = linux_only

OTHERS = {"click", "filelock", "platformdirs"}
"""What is not of the standard library."""
# HTTP clients, resolvers, template engines, readers of TOML and of archives, and what builds.
UNUSED = {
    *(
        "asyncio",
        "csv",
        "email",
        "http",
        "jinja2",
        "packaging",
        "resolvelib",
        "ssl",
        "tarfile",
        "tomllib",
        "virtualenv",
    ),
    *("subprocess", "xml", "yaml", "zipfile"),
}
PARTS = {
    "build", "index", "resolve", "wrapping", "install.apply", "install.bytecode", "install.creation", "install.filling", "install.interpreter",
    "install.merging", "install.placement", "install.removal", "install.survey", "engine.artifacts", "engine.builds",
    "engine.bytecode", "engine.environments", "engine.images", "engine.inputs", "engine.supply", "engine.workshop",
}  # fmt: skip
"""Parts of ours that only other calls need."""
_LINE = re.compile(r"import time:[\d |]+\|\s+(\S+)$", re.MULTILINE)


@pytest.mark.parametrize(
    ("mode", "venv", "used"),
    [
        ("hardlink", "again", "install.image"),
        ("attach", "again", "install.attaching"),
        ("hardlink", ".venv", "install.listing"),
    ],
    ids=["linked", "attached", "nothing to do"],
)
def test_a_known_lock_imports_only_what_installs_it(
    command: Command, index: StockedIndex, mode: str, venv: str, used: str
) -> None:
    (command.folder / "lock.txt").write_text(pins(index.wheel("alpha"), index.wheel("beta")))
    arguments = ["sync", "lock.txt", "--link-mode", mode, "--isolation", "shared", "--venv"]
    # The second one asks the environment's own Python what it is.
    for _ in range(2):
        command(*arguments, ".venv")
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "safe_install", *arguments, venv],
        cwd=command.folder,
        env=command.variables,
        capture_output=True,
        text=True,
        check=True,
    )
    imported = set(_LINE.findall(done.stderr))
    assert f"safe_install.{used}" in imported
    tops = {name.partition(".")[0] for name in imported}
    installed = {name for name in tops if not name.startswith("_") and name not in sys.stdlib_module_names}
    # The last one is asked for by `copy`, in case this is Jython.
    assert installed - {"safe_install", "sitecustomize", "usercustomize", "org"} == OTHERS
    assert sorted(tops & UNUSED) == []
    ours = {name.removeprefix("safe_install.") for name in imported if name.startswith("safe_install.")}
    assert sorted(part for part in PARTS if part in ours or any(name.startswith(f"{part}.") for name in ours)) == []
