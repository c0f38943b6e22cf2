"""``ci-install seed``: what can be published, what is seen of it, going back, and clearing up."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from helpers.stores import state_of
from helpers.wheels import write_wheel

from safe_install.locks import hold
from safe_install.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from helpers.command import Command, Result
    from helpers.stocked_index import StockedIndex


@pytest.fixture(autouse=True)
def _stocked(index: StockedIndex) -> None:
    index.wheel("app", requires_dist=["lib"])
    index.wheel("lib", "2.0")
    index.sdist("built")


@pytest.fixture
def seed(command: Command) -> Path:
    return command.folder / "seed"


def publish(command: Command, *arguments: str | Path) -> str:
    """Publish; return the generation."""
    return command("seed", "publish", "seed", *arguments).stdout.strip()


def show(command: Command, reference: str = "seed") -> dict[str, Any]:
    shown: dict[str, Any] = json.loads(command("seed", "show", reference, "--json").stdout)
    return shown


def names(command: Command, reference: str = "seed") -> list[str]:
    """The wheels of a generation, without their tags."""
    return [each["filename"].removesuffix("-py3-none-any.whl") for each in show(command, reference)["wheels"]]


def generations(command: Command) -> list[str]:
    """All generations, the current one first."""
    listed = json.loads(command("seed", "list", "seed", "--json").stdout)
    return [each["generation"] for each in listed["generations"]]


def installs_from_it(command: Command, index: StockedIndex, *arguments: str) -> Result:
    """Install offline with an empty store and the seed alone."""
    shutil.rmtree(command.store, ignore_errors=True)
    index.forget()
    result = command("sync", *arguments, "--seed", "seed", "--offline", "--venv", "offline")
    assert index.count() == 0
    assert result.report is not None
    assert {each["layer"] for each in result.report["distributions"]} == {"seed 1"}
    return result


def test_what_was_built_before_is_published_with_the_way_to_it(command: Command, index: StockedIndex) -> None:
    """The store of this user knows the wheel and its build; the seed has to know both as well."""
    built = index.sdist("built")
    command.write("lock.txt", f"built==1.0 --hash=sha256:{built.sha256}\n")
    command("fetch", "lock.txt")
    publish(command, "lock.txt")
    assert names(command) == ["built-1.0"]
    result = installs_from_it(command, index, "lock.txt")
    assert result.counts["built"] == 0


class TestPublishing:
    def test_a_lock(self, command: Command, index: StockedIndex) -> None:
        command("lock", "app", "built", "-o", "pylock.toml")
        digest = publish(command, "pylock.toml")
        assert names(command) == ["app-1.0", "built-1.0", "lib-2.0"]
        assert show(command)["generation"] == digest
        installs_from_it(command, index, "pylock.toml")

    def test_pins_with_hashes(self, command: Command, index: StockedIndex) -> None:
        offered = index.wheel("hashed")
        command.write("requirements.txt", f"hashed==1.0 --hash=sha256:{offered.sha256}\n")
        publish(command, "requirements.txt")
        installs_from_it(command, index, "requirements.txt")

    def test_pins_without_hashes(self, command: Command, index: StockedIndex) -> None:
        """Nothing but the index's page tells which file such a pin means, so pages are published too."""
        command.write("requirements.txt", "app==1.0\nlib==2.0\nbuilt==1.0\n")
        publish(command, "requirements.txt")
        assert show(command)["pages"] == 3
        installs_from_it(command, index, "requirements.txt")

    def test_pins_of_an_index_that_the_file_names(self, command: Command, index: StockedIndex) -> None:
        index.wheel("other", root="second")
        command.write("requirements.txt", f"--extra-index-url {index.root('second')}\nother==1.0\n")
        publish(command, "requirements.txt")
        installs_from_it(command, index, "requirements.txt")

    def test_pins_whose_wheels_lie_in_a_folder(self, command: Command, index: StockedIndex) -> None:
        """The jobs that read the seed do not have the folder."""
        path = write_wheel(command.folder / "wheels", "local")
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        command.write("requirements.txt", f"local==1.0 --hash=sha256:{digest}\n")
        publish(command, "requirements.txt", "--no-index", "--find-links", "wheels")
        shutil.rmtree(command.folder / "wheels")
        installs_from_it(command, index, "requirements.txt")

    def test_several_locks_may_disagree(self, command: Command, index: StockedIndex) -> None:
        index.wheel("lib", "1.0")
        command.write("one.txt", "lib==1.0\n")
        command.write("two.txt", "lib==2.0\n")
        publish(command, "one.txt", "two.txt")
        assert names(command) == ["lib-1.0", "lib-2.0"]

    def test_a_folder_of_wheels(self, command: Command, index: StockedIndex) -> None:
        command("lock", "app", "-o", "pylock.toml")
        for name, version in (("app", "1.0"), ("lib", "2.0")):
            options: dict[str, Any] = {"requires_dist": ["lib"]} if name == "app" else {}
            write_wheel(command.folder / "wheels", name, version, **options)
        index.forget()
        publish(command, "wheels", "--no-shared")
        assert index.count() == 0
        assert names(command) == ["app-1.0", "lib-2.0"]
        installs_from_it(command, index, "pylock.toml")

    def test_a_store(self, command: Command, index: StockedIndex) -> None:
        command("lock", "app", "built", "-o", "pylock.toml")
        command("fetch", "pylock.toml", "--cache-dir", "other")
        before = state_of(command.folder / "other")
        index.forget()
        publish(command, "other")
        assert index.count() == 0
        assert names(command) == ["app-1.0", "built-1.0", "lib-2.0"]
        assert state_of(command.folder / "other") == before
        installs_from_it(command, index, "pylock.toml")

    def test_another_seed_or_one_of_its_generations(self, command: Command, index: StockedIndex) -> None:
        command.write("one.txt", "app==1.0\n")
        command.write("two.txt", "lib==2.0\n")
        old = command("seed", "publish", "other", "one.txt").stdout.strip()
        new = command("seed", "publish", "other", "two.txt").stdout.strip()
        index.forget()
        assert publish(command, "other") == new
        assert publish(command, f"other@{old[:9]}") == old
        assert index.count() == 0
        installs_from_it(command, index, "one.txt")

    def test_what_the_users_store_has_is_not_fetched_again(self, command: Command, index: StockedIndex) -> None:
        command("lock", "app", "built", "-o", "pylock.toml")
        command("fetch", "pylock.toml")
        index.forget()
        before = state_of(command.store)
        publish(command, "pylock.toml")
        assert index.files_read() == 0
        assert state_of(command.store) == before
        installs_from_it(command, index, "pylock.toml")

    def test_what_is_there_already_is_neither_fetched_nor_written(self, command: Command, index: StockedIndex) -> None:
        index.wheel("new")
        for number in range(30):
            index.wheel(f"name{number}")
        pins = [f"name{number}==1.0\n" for number in range(30)]
        old = publish(command, command.write("one.txt", "".join(pins)))
        before = entries_of(command.folder / "seed")
        index.forget()
        new = publish(command, command.write("two.txt", "".join(pins[1:]) + "new==1.0\n"))
        assert new != old
        assert index.files_read() == 1
        after = entries_of(command.folder / "seed")
        assert before.items() <= after.items()
        added = {name.split("/")[2] for name in after.keys() - before.keys() if name.startswith("wheels-1/")}
        assert len(added) == 1

    def test_the_same_set_is_the_same_generation(self, command: Command) -> None:
        command.write("requirements.txt", "app==1.0\n")
        first = publish(command, "requirements.txt")
        pointer = (command.folder / "seed" / "current").read_bytes()
        assert publish(command, "requirements.txt") == first
        assert (command.folder / "seed" / "current").read_bytes() == pointer

    def test_adding_keeps_what_was_there(self, command: Command) -> None:
        publish(command, command.write("one.txt", "app==1.0\n"))
        publish(command, command.write("two.txt", "lib==2.0\n"), "--add")
        assert names(command) == ["app-1.0", "lib-2.0"]
        publish(command, "two.txt")
        assert names(command) == ["lib-2.0"]

    def test_what_depends_on_this_machine_is_left_out_and_told(self, command: Command, index: StockedIndex) -> None:
        (command.folder / "mine").mkdir()
        command.write("mine/pyproject.toml", '[project]\nname = "mine"\nversion = "1"\n')
        command.write("requirements.txt", "mine @ ./mine\napp==1.0\n")
        result = command("seed", "publish", "seed", "requirements.txt")
        assert result.report is not None
        assert [each["kind"] for each in result.report["step_downs"]] == ["not-published"]
        assert names(command) == ["app-1.0"]

    def test_the_report_names_seed_and_generation(self, command: Command, seed: Path) -> None:
        command.write("requirements.txt", "app==1.0\n")
        result = command("seed", "publish", "seed", "requirements.txt", "--json")
        document = json.loads(result.stdout)
        assert document["layout"]["seed"] == str(seed)
        assert document["layout"]["generation"] == generations(command)[0]
        assert [(each["name"], each["action"]) for each in document["distributions"]] == [("app", "published")]


def entries_of(root: Path) -> dict[str, tuple[object, ...]]:
    """The files of all wheels and files of a seed."""
    state = state_of(root)
    return {name: what for name, what in state.items() if name.startswith(("wheels-1", "files-1")) and what[3]}


class TestPublishingThatFails:
    @pytest.mark.parametrize(
        ("source", "code", "error"),
        [
            ("absent.txt", 2, "file-not-found"),
            ("unpinned.txt", 2, "requirement-not-pinned"),
            ("unknown.txt", 1, "no-such-project"),
            ("empty", 2, "no-wheels"),
            ("misnamed", 2, "wheel-name-invalid"),
            ("seed@0123456789", 2, "generation-missing"),
            ("nowhere@0123456789", 7, "store-missing"),
        ],
    )
    def test_the_old_generation_stays_current(
        self, command: Command, seed: Path, source: str, code: int, error: str
    ) -> None:
        old = publish(command, command.write("requirements.txt", "app==1.0\n"))
        command.write("unpinned.txt", "app\n")
        command.write("unknown.txt", "unknown==1.0\n")
        (command.folder / "empty").mkdir()
        command.write("misnamed/wheel.whl", "")
        result = command("seed", "publish", "seed", source, code=code)
        assert result.error == error
        assert generations(command) == [old]

    def test_a_damaged_wheel_is_not_published(self, command: Command) -> None:
        old = publish(command, command.write("requirements.txt", "app==1.0\n"))
        path = write_wheel(command.folder / "wheels", "lib", "2.0")
        path.write_bytes(path.read_bytes()[:-30])
        command("seed", "publish", "seed", "wheels", code=4)
        assert generations(command) == [old]

    def test_a_lock_that_is_held_is_waited_for_and_then_told(self, command: Command, seed: Path) -> None:
        old = publish(command, command.write("requirements.txt", "app==1.0\n"))
        place = Store.open(seed).layout.lock("seed")
        with hold(place, timeout=0, what="a test", sink=lambda event: None):
            for arguments in (("publish", "seed", "requirements.txt"), ("rollback", "seed"), ("gc", "seed")):
                result = command("seed", *arguments, "--lock-timeout", "0", code=5)
                assert "error[lock-timeout]" in result.stderr
                assert str(seed) in result.stderr
        assert generations(command) == [old]

    @pytest.mark.parametrize("kind", ["file", "foreign"])
    def test_a_place_that_is_no_seed_is_left_alone(self, command: Command, seed: Path, kind: str) -> None:
        command.write("requirements.txt", "app==1.0\n")
        command.write("seed" if kind == "file" else "seed/precious", "x")
        before = state_of(command.folder)
        result = command("seed", "publish", "seed", "requirements.txt", code=7)
        assert result.error == {"file": "store-not-a-folder", "foreign": "store-not-ours"}[kind]
        assert state_of(command.folder) == before

    def test_something_to_publish_has_to_be_named(self, command: Command, seed: Path) -> None:
        command("seed", "publish", "seed", code=2)
        assert not seed.exists()


class TestLooking:
    def test_the_current_generation_is_marked_and_first(self, command: Command) -> None:
        old = publish(command, command.write("one.txt", "app==1.0\n"))
        new = publish(command, command.write("two.txt", "lib==2.0\n"))
        lines = command("seed", "list", "seed").stdout.splitlines()
        assert lines[0].startswith(f"* {new}")
        assert lines[1].startswith(f"  {old}")

    def test_showing_names_every_wheel_with_its_digest(self, command: Command, index: StockedIndex) -> None:
        offered = index.wheel("hashed")
        digest = publish(command, command.write("one.txt", "hashed==1.0\n"))
        shown = command("seed", "show", f"seed@{digest[:8]}").stdout
        assert f"hashed-1.0-py3-none-any.whl  sha256:{offered.sha256}" in shown

    @pytest.mark.parametrize("what", ["list", "show", "verify", "rollback", "gc"])
    @pytest.mark.parametrize(
        ("kind", "error"), [("missing", "store-missing"), ("file", "store-not-a-folder"), ("plain", "not-a-seed")]
    )
    def test_what_is_no_seed(self, command: Command, seed: Path, what: str, kind: str, error: str) -> None:
        if kind == "file":
            command.write("seed", "x")
        elif kind == "plain":
            Store.open(seed)
        before = state_of(command.folder)
        result = command("seed", what, "seed", code=7)
        assert f"error[{error}]" in result.stderr
        assert state_of(command.folder) == before


class TestVerifying:
    def test_a_whole_one(self, command: Command, seed: Path) -> None:
        publish(command, command.write("one.txt", "app==1.0\nbuilt==1.0\n"))
        before = state_of(seed)
        assert "all whole" in command("seed", "verify", "seed").stdout
        assert state_of(seed) == before

    @pytest.mark.parametrize("damage", ["flipped", "truncated", "missing", "extra", "manifest", "file"])
    def test_damage_of_any_kind(self, command: Command, seed: Path, damage: str) -> None:
        publish(command, command.write("one.txt", "app==1.0\n"))
        (entry,) = seed.glob("wheels-1/*/*")
        module = entry / "tree" / "app" / "__init__.py"
        match damage:
            case "flipped":
                flip(module)
            case "truncated":
                truncate(module)
            case "missing":
                module.unlink()
            case "extra":
                (module.parent / "extra.py").write_text("x")
            case "manifest":
                truncate(entry / "manifest.json")
            case "file":
                flip(next(seed.glob("files-1/*/*")))
        result = command("seed", "verify", "seed", code=4)
        assert "error[seed-damaged]" in result.stderr
        publish(command, "one.txt")
        if damage not in {"flipped", "file"}:  # those look whole, and only a hash tells
            command("seed", "verify", "seed")


def flip(path: Path) -> None:
    """Change one bit, and nothing that a look would show."""
    state = path.stat()
    path.chmod(0o644)
    content = path.read_bytes()
    path.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    path.chmod(0o444)
    os.utime(path, ns=(state.st_mtime_ns, state.st_mtime_ns))


def truncate(path: Path) -> None:
    path.chmod(0o644)
    os.truncate(path, 3)


class TestRollingBack:
    def test_to_the_one_before_and_further(self, command: Command) -> None:
        digests = [
            publish(command, command.write("one.txt", f"{pin}\n")) for pin in ("app==1.0", "lib==2.0", "built==1.0")
        ]
        assert command("seed", "rollback", "seed").stdout.strip() == digests[1]
        assert generations(command)[0] == digests[1]
        assert command("seed", "rollback", "seed").stdout.strip() == digests[0]
        result = command("seed", "rollback", "seed", code=2)
        assert "error[no-earlier-generation]" in result.stderr
        assert command("seed", "rollback", f"seed@{digests[2][:8]}").stdout.strip() == digests[2]
        assert names(command) == ["built-1.0"]

    def test_to_one_that_is_not_there(self, command: Command) -> None:
        digest = publish(command, command.write("one.txt", "app==1.0\n"))
        result = command("seed", "rollback", "seed@0123456789", code=2)
        assert "error[generation-missing]" in result.stderr
        assert generations(command) == [digest]


class TestCollecting:
    def test_only_the_kept_generations_and_their_entries_stay(self, command: Command, index: StockedIndex) -> None:
        old = publish(command, command.write("one.txt", "app==1.0\n"))
        new = publish(command, command.write("two.txt", "lib==2.0\n"))
        told = json.loads(
            command("seed", "gc", "seed", "--keep-generations", "1", "--min-age", "0", "--dry-run", "--json").stdout
        )
        assert told["generations"] == [old]
        assert told["entries"] >= 1
        assert len(generations(command)) == 2
        removed = command("seed", "gc", "seed", "--keep-generations", "1", "--min-age", "0", "--json")
        assert json.loads(removed.stdout) == told | {"dry_run": False}
        assert generations(command) == [new]
        command("seed", "verify", "seed")
        installs_from_it(command, index, "two.txt")

    def test_by_default_what_was_replaced_a_moment_ago_stays(self, command: Command) -> None:
        for pin in ("app==1.0", "lib==2.0", "built==1.0", "app==1.0\nlib==2.0"):
            publish(command, command.write("one.txt", f"{pin}\n"))
        command("seed", "gc", "seed")
        assert len(generations(command)) == 4

    @pytest.mark.parametrize("arguments", [["--min-age", "soon"], ["--keep-generations", "0"], ["--min-age", "-1"]])
    def test_wrong_limits(self, command: Command, arguments: list[str]) -> None:
        publish(command, command.write("one.txt", "app==1.0\n"))
        command("seed", "gc", "seed", *arguments, code=2)
