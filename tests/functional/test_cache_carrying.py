"""``ci-install cache export`` and ``cache import``."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from helpers.command import Command
    from helpers.stocked_index import StockedIndex


def answer(command: Command, *arguments: str) -> Any:
    return json.loads(command("cache", *arguments, "--json").stdout)


def test_imported_store_installs_without_the_network(command: Command, index: StockedIndex) -> None:
    wheel, sdist = index.wheel("lib"), index.sdist("made")
    lines = f"lib==1.0 --hash=sha256:{wheel.sha256}\nmade==1.0 --hash=sha256:{sdist.sha256}\n"
    command.write("requirements.txt", lines)
    command("sync", "requirements.txt")
    digest = command("cache", "export", "store.tar").stdout.strip()
    assert hashlib.sha256((command.folder / "store.tar").read_bytes()).hexdigest() == digest
    brought = answer(command, "import", "store.tar", "--sha256", digest, "--cache-dir", "new")
    assert (brought["wheels"], brought["known"], brought["sha256"]) == (2, 0, "")
    index.forget()
    command("sync", "requirements.txt", "--cache-dir", "new", "--venv", "env", "--offline")
    assert command.installed(command.folder / "env") == {"lib": "1.0", "made": "1.0"}
    assert index.count() == 0


def test_export_of_a_lock_leaves_out_what_it_does_not_name(command: Command, index: StockedIndex) -> None:
    index.wheel("lib")
    index.wheel("lib", "2.0")
    index.wheel("more")
    for name in ("lib==1.0", "lib==2.0", "more"):
        command("install", name)
    command.write("requirements.txt", "Lib==1.0.0\n")
    command("lock", "more", "-o", "pylock.toml")
    assert answer(command, "export", "a.tar", "--lock", "requirements.txt")["wheels"] == 1
    assert answer(command, "export", "b.tar", "--lock", "requirements.txt", "--lock", "pylock.toml")["wheels"] == 2
    assert answer(command, "export", "c.tar")["wheels"] == 3


def test_lock_that_is_missing_is_told(command: Command) -> None:
    for name in ("pylock.toml", "requirements.txt"):
        assert "file-not-found" in command("cache", "export", "a.tar", "--lock", name, code=2).stderr
    assert not (command.folder / "a.tar").exists()


def test_archive_that_is_none_is_refused(command: Command) -> None:
    command.write("a.tar", "no tar")
    with command.unchanged():
        assert "archive-malformed" in command("cache", "import", "a.tar", code=4).stderr


def test_archive_that_is_missing_is_told(command: Command) -> None:
    assert "io-error" in command("cache", "import", "a.tar", code=7).stderr
