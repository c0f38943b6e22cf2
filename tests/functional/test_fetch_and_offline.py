"""``ci-install fetch`` fills the store, and what is in the store needs no network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from helpers.stocked_index import StockedIndex
from helpers.wheels import write_wheel

if TYPE_CHECKING:
    from helpers.command import Command


def test_what_was_fetched_installs_offline_with_the_index_gone(command: Command) -> None:
    with StockedIndex() as gone:
        command.use(gone)
        gone.wheel("app", requires_dist=["lib"])
        gone.wheel("lib", "2.0")
        gone.sdist("demo")
        command("lock", "app", "demo", "-o", "pylock.toml")
        result = command("fetch", "pylock.toml")
        assert result.actions == {"app": "fetched", "lib": "fetched", "demo": "fetched"}
        assert not command.venv.exists()
    result = command("sync", "pylock.toml", "--offline")
    assert command.installed() == {"app": "1.0", "demo": "1.0", "lib": "2.0"}
    assert result.counts["bytes_fetched"] == 0


def test_fetched_requirements_with_hashes_install_offline(command: Command) -> None:
    with StockedIndex() as gone:
        command.use(gone)
        offered = gone.wheel("lib", "2.0")
        command.write("requirements.txt", f"lib==2.0 --hash=sha256:{offered.sha256}\n")
        command("fetch", "requirements.txt")
    command("sync", "requirements.txt", "--offline")
    assert command.installed() == {"lib": "2.0"}


def test_pages_that_were_read_serve_offline(command: Command) -> None:
    with StockedIndex() as gone:
        command.use(gone)
        gone.wheel("app", requires_dist=["lib"])
        gone.wheel("lib", "2.0")
        command("install", "app")
    command("install", "app", "--offline", "--venv", "second")
    assert command.installed(command.folder / "second") == {"app": "1.0", "lib": "2.0"}


def test_unchanged_pages_are_revalidated_and_not_sent_again(command: Command, index: StockedIndex) -> None:
    index.wheel("lib")
    command("install", "lib")
    index.forget()
    command("install", "lib", "--venv", "second")
    assert index.count("/simple/lib/") == 1
    assert index.bytes_sent["/simple/lib/"] == 0


def test_what_is_missing_offline_is_told(command: Command, index: StockedIndex) -> None:
    index.wheel("lib")
    with command.unchanged():
        result = command("install", "lib", "--offline", code=3)
    assert "--offline" in result.stderr
    assert index.count() == 0


def test_lock_with_something_missing_offline_changes_nothing(command: Command, index: StockedIndex) -> None:
    index.wheel("lib")
    index.wheel("other")
    command("install", "lib")
    command("lock", "lib", "other", "-o", "pylock.toml")
    with command.unchanged():
        result = command("sync", "pylock.toml", "--offline", code=3)
    assert "other" in result.stderr


def test_local_files_count_as_offline(command: Command) -> None:
    write_wheel(command.folder / "wheels", "lib")
    command("install", "lib", "--offline", "--no-index", "--find-links", "wheels")
    assert command.installed() == {"lib": "1.0"}
