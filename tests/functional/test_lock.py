"""``ci-install lock``, and that what it writes is what ``sync`` installs."""

from __future__ import annotations

import subprocess
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from helpers.missing_parts import program
from helpers.wheels import make_sdist, write_sdist, write_source_tree, write_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from helpers.command import Command
    from helpers.stocked_index import StockedIndex


@pytest.fixture(autouse=True)
def offered(index: StockedIndex) -> None:
    index.wheel("app", requires_dist=["lib>=1", "fast ; extra == 'fast'"], extras=["fast"])
    index.wheel("lib", "1.5")
    index.sdist("lib", "1.5")
    index.wheel("fast", "3.0")


def read(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def test_lock_names_every_file_with_size_and_hash(command: Command, index: StockedIndex) -> None:
    command("lock", "app", "-o", "pylock.toml")
    lock = read(command.folder / "pylock.toml")
    packages = {package["name"]: package for package in lock["packages"]}
    assert lock["lock-version"] == "1.0"
    assert {name: package["version"] for name, package in packages.items()} == {"app": "1.0", "lib": "1.5"}
    filename, content = make_sdist("lib", "1.5")
    sdist = packages["lib"]["sdist"]
    assert sdist["size"] == len(content)
    assert sdist["url"] == index.file_url(filename)
    assert len(sdist["hashes"]["sha256"]) == 64
    assert packages["lib"]["wheels"][0]["size"] > 0


def test_same_question_gives_the_same_bytes(command: Command, tmp_path: Path) -> None:
    command("lock", "app[fast]", "-o", "pylock.one.toml")
    command("lock", "app[fast]", "-o", "pylock.two.toml", SAFE_INSTALL_CACHE_DIR=str(tmp_path / "home" / "fresh"))
    command("lock", "fast", "app[fast]", "-o", "pylock.three.toml")
    texts = [(command.folder / f"pylock.{name}.toml").read_bytes() for name in ("one", "two")]
    assert texts[0] == texts[1]
    assert (command.folder / "pylock.three.toml").exists()


def test_locked_set_is_installed_and_kept(command: Command) -> None:
    command("lock", "app[fast]", "-o", "pylock.toml")
    command("sync", "pylock.toml")
    assert command.installed() == {"app": "1.0", "lib": "1.5", "fast": "3.0"}
    with command.unchanged():
        result = command("sync", "pylock.toml")
    assert set(result.actions.values()) == {"kept"}


def test_lock_goes_to_standard_output_without_a_name(command: Command) -> None:
    result = command("lock", "lib")
    assert tomllib.loads(result.stdout)["packages"][0]["name"] == "lib"


def test_lock_and_report_do_not_share_standard_output(command: Command) -> None:
    result = command("lock", "lib", "--json", code=2)
    assert "-o" in result.stderr
    assert result.stdout.strip().startswith("{")


def test_locking_fetches_no_whole_file(command: Command, index: StockedIndex) -> None:
    command("lock", "app", "-o", "pylock.toml")
    assert index.files_read() == 0


def test_locking_changes_no_environment(command: Command) -> None:
    command("install", "lib")
    before = command.installed()
    command("lock", "app")
    assert command.installed() == before


def test_failed_lock_leaves_the_old_one(command: Command) -> None:
    command("lock", "lib", "-o", "pylock.toml")
    with command.unchanged():
        command("lock", "lib>=99", "-o", "pylock.toml", code=1)


def test_local_paths_are_written_relative_to_the_lock(command: Command) -> None:
    write_wheel(command.folder / "dist", "beta")
    write_sdist(command.folder / "dist", "gamma")
    command("lock", "./dist/beta-1.0-py3-none-any.whl", "./dist/gamma-1.0.tar.gz", "-o", "locks/pylock.toml")
    text = (command.folder / "locks" / "pylock.toml").read_text()
    assert '"../dist/beta-1.0-py3-none-any.whl"' in text
    assert '"../dist/gamma-1.0.tar.gz"' in text
    assert str(command.folder) not in text
    moved = command.folder.rename(command.folder.parent / "moved")
    command.folder.mkdir()
    command("sync", "locks/pylock.toml", folder=moved)
    assert command.installed(moved / ".venv") == {"beta": "1.0", "gamma": "1.0"}


def test_find_links_are_locked_by_where_they_are(command: Command) -> None:
    write_wheel(command.folder / "links", "beta")
    command("lock", "beta", "--no-index", "--find-links", "links", "-o", "pylock.toml")
    command("sync", "pylock.toml", "--no-index")
    assert command.installed() == {"beta": "1.0"}


def test_files_without_a_digest_on_their_index_are_fetched_for_it(command: Command, index: StockedIndex) -> None:
    offered = index.wheel("beta", hashes=False)
    command("lock", "beta", "-o", "pylock.toml")
    [package] = read(command.folder / "pylock.toml")["packages"]
    assert package["wheels"][0]["hashes"] == {"sha256": offered.sha256}


def test_lock_of_a_git_repository_names_the_commit(command: Command) -> None:
    git = program("git", "install git")
    root = write_source_tree(command.home)
    identity = ["-c", "user.name=t", "-c", "user.email=t@t.test"]
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "one"]):
        subprocess.run([git, *identity, *arguments], check=True, cwd=root, env=command.variables)
    head = subprocess.run([git, "rev-parse", "HEAD"], check=True, cwd=root, capture_output=True, text=True).stdout
    command("lock", f"demo @ git+{root.as_uri()}", "-o", "pylock.toml")
    [package] = read(command.folder / "pylock.toml")["packages"]
    assert package["vcs"]["commit-id"] == head.strip()


def test_lock_for_another_python_is_refused_before_anything_is_fetched(command: Command, index: StockedIndex) -> None:
    command("lock", "lib", "-o", "pylock.toml")
    text = (command.folder / "pylock.toml").read_text()
    lines = [line for line in text.splitlines() if not line.startswith("requires-python")]
    position = next(number for number, line in enumerate(lines) if line.startswith("lock-version"))
    lines.insert(position + 1, 'requires-python = ">=4"')
    command.write("pylock.toml", "\n".join(lines) + "\n")
    index.forget()
    with command.unchanged():
        result = command("sync", "pylock.toml", code=1)
    assert ">=4" in result.stderr
    assert index.count() == 0
