"""Layers as a job meets them: scopes, seeds, trust, promotion, and layers that cannot be used."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from helpers.capabilities import linux_only, needs_rights, other_device, unix_only
from helpers.command import Command
from helpers.missing_parts import missing
from helpers.stores import make_read_only, make_writable, state_of
from helpers.users import STRANGERS, needed_python_of_strangers, open_folder

from safe_install.store import Store
from safe_install.store.jobs import read_jobs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from helpers.command import Result
    from helpers.stocked_index import StockedIndex


@pytest.fixture(autouse=True)
def _stocked(index: StockedIndex) -> None:
    index.wheel("app", requires_dist=["lib"])
    index.wheel("lib", "2.0")
    index.sdist("built")


@pytest.fixture
def runner(command: Command) -> Path:
    """The store that jobs share, when their own is another."""
    command.variables["SAFE_INSTALL_RUNNER_DIR"] = str(command.home / "runner")
    return command.home / "runner"


@pytest.fixture
def seed(command: Command) -> Iterator[Path]:
    """A seed with all three projects, and a lock of them in the working folder."""
    command("lock", "app", "built", "-o", "pylock.toml")
    command("seed", "publish", "seed", "pylock.toml")
    shutil.rmtree(command.store)
    yield command.folder / "seed"
    make_writable(command.folder)


def job(command: Command, name: str, *arguments: str | Path, code: int = 0) -> Result:
    """One command of a job that has a store and an environment of its own."""
    return command(
        *arguments, "--scope", "job", "--cache-dir", command.home / "jobs" / name, "--venv", f"venv-{name}", code=code
    )


def layers(result: Result) -> dict[str, tuple[str, str | None]]:
    """Where each distribution came from, and where its entry lies."""
    assert result.report is not None
    return {each["name"]: (each["origin"], each["layer"]) for each in result.report["distributions"]}


def step_downs(result: Result) -> list[str]:
    assert result.report is not None
    return [each["kind"] for each in result.report["step_downs"] if each["kind"] != "link-mode"]


class TestJobScope:
    def test_the_next_job_finds_what_a_trusted_one_made(
        self, command: Command, index: StockedIndex, runner: Path
    ) -> None:
        first = job(command, "one", "install", "app", "built")
        assert layers(first) == {"app": ("fetched", "job"), "lib": ("fetched", "job"), "built": ("built", "job")}
        fetched = index.files_read()
        second = job(command, "two", "install", "app", "built")
        assert layers(second) == dict.fromkeys(("app", "lib", "built"), ("store", "runner"))
        assert index.files_read() == fetched
        assert command.installed(command.folder / "venv-two") == {"app": "1.0", "built": "1.0", "lib": "2.0"}

    def test_nothing_is_copied_up(self, command: Command, runner: Path) -> None:
        job(command, "one", "install", "app")
        job(command, "two", "install", "app")
        assert Store.open(command.home / "jobs" / "two").info().buckets["wheels-1"].entries == 0

    def test_every_job_layer_is_registered(self, command: Command, runner: Path) -> None:
        for name in ("one", "two", "one"):
            job(command, name, "install", "app")
        found = [each.path for each in read_jobs(Store.open(runner).layout)]
        assert sorted(found) == [command.home / "jobs" / "one", command.home / "jobs" / "two"]

    def test_a_store_that_nobody_named_is_gone_at_the_end(self, command: Command, runner: Path) -> None:
        result = command("install", "app", "--scope", "job", SAFE_INSTALL_CACHE_DIR=None)
        assert layers(result)["app"] == ("fetched", "job")
        assert list(command.scratch.iterdir()) == []
        assert read_jobs(Store.open(runner).layout) == []
        again = command("install", "app", "--scope", "job", "--venv", "second", SAFE_INSTALL_CACHE_DIR=None)
        assert layers(again)["app"] == ("store", "runner")
        assert command.run_python("import app") == ""

    def test_a_failed_build_leaves_its_log_where_the_message_says(
        self, command: Command, index: StockedIndex, runner: Path
    ) -> None:
        index.sdist("failing", failure="no")
        result = command("install", "failing", "--scope", "job", code=6, SAFE_INSTALL_CACHE_DIR=None)
        (kept,) = command.scratch.iterdir()
        assert [path.name for path in kept.iterdir()] == ["logs"]
        (log,) = (kept / "logs").iterdir()
        assert str(log) in result.stderr
        shutil.rmtree(kept)

    def test_what_was_made_before_a_failure_is_promoted(
        self, command: Command, index: StockedIndex, runner: Path
    ) -> None:
        index.wheel("zebra")
        command("lock", "app", "zebra", "-o", "pylock.toml")
        index.fail(path="*/zebra-*.whl", status=404, times=9)
        command.variables["SAFE_INSTALL_CONCURRENT_DOWNLOADS"] = "1"
        job(command, "one", "sync", "pylock.toml", code=3)
        result = job(command, "two", "install", "app")
        assert layers(result) == {"app": ("store", "runner"), "lib": ("store", "runner")}

    def test_without_shared_layers_nothing_of_them_is_touched(self, command: Command, runner: Path) -> None:
        result = job(command, "one", "install", "app", "--no-shared")
        assert layers(result)["app"] == ("fetched", "job")
        assert not runner.exists()

    def test_a_pointer_to_the_runner_layer_itself_is_one_layer(self, command: Command, runner: Path) -> None:
        result = command("install", "app", "--scope", "job", "--cache-dir", runner)
        assert layers(result)["app"] == ("fetched", "job")
        assert read_jobs(Store.open(runner).layout) == []
        assert step_downs(result) == []


class TestPromotionThatFails:
    @needs_rights
    def test_a_runner_layer_that_cannot_be_written_is_read_and_told(self, command: Command, runner: Path) -> None:
        job(command, "one", "install", "lib")
        make_read_only(runner)
        try:
            result = job(command, "two", "install", "app", "lib")
        finally:
            make_writable(runner)
        assert layers(result) == {"app": ("fetched", "job"), "lib": ("store", "runner")}
        assert step_downs(result) == ["not-promoted"]

    def test_a_runner_layer_that_is_a_file_is_told_and_passed_by(self, command: Command, runner: Path) -> None:
        runner.write_text("")
        result = job(command, "one", "install", "app")
        assert layers(result)["app"] == ("fetched", "job")
        assert step_downs(result) == ["not-promoted", "layer-passed-by"]
        assert "store-not-a-folder" not in result.stderr


class TestUntrusted:
    def test_it_writes_to_its_own_store_alone(self, command: Command, index: StockedIndex, runner: Path) -> None:
        """Promise 11."""
        job(command, "trusted", "install", "lib")
        before = state_of(runner)
        result = job(command, "one", "install", "app", "built", "--trust", "untrusted")
        assert layers(result) == {"app": ("fetched", "job"), "lib": ("store", "runner"), "built": ("built", "job")}
        assert state_of(runner) == before

    def test_it_makes_no_shared_store_where_there_is_none(self, command: Command, runner: Path) -> None:
        del command.variables["SAFE_INSTALL_RUNNER_DIR"]
        result = job(command, "one", "install", "app", "--trust", "untrusted")
        assert step_downs(result) == []
        assert not (command.home / "cache").exists()

    def test_its_scope_is_the_job_without_saying_so(self, command: Command, runner: Path) -> None:
        result = command("install", "app", "--trust", "untrusted")
        assert layers(result)["app"] == ("fetched", "job")

    @pytest.mark.parametrize(
        "arguments", [["--scope", "runner"], ["--cache-dir", "{runner}"], ["--cache-dir", "{seed}"]]
    )
    def test_a_way_to_write_where_others_read_is_refused(
        self, command: Command, runner: Path, arguments: list[str]
    ) -> None:
        shared = command.folder / "shared-seed"
        command("fetch", command.write("requirements.txt", "lib==2.0\n"), "--cache-dir", shared)
        filled = [each.format(runner=runner, seed=shared) for each in arguments]
        before = state_of(shared)
        with command.unchanged():
            result = command("install", "app", "--trust", "untrusted", "--seed", shared, *filled, code=9)
        assert result.error == "untrusted"
        assert state_of(shared) == before

    @pytest.mark.parametrize(
        "arguments", [["publish", "seed", "pylock.toml"], ["rollback", "seed"], ["gc", "seed", "--min-age", "0"]]
    )
    def test_it_may_not_change_a_seed(self, command: Command, seed: Path, arguments: list[str]) -> None:
        before = state_of(seed)
        result = command("seed", *arguments, "--trust", "untrusted", code=9)
        assert "error[untrusted]" in result.stderr
        assert state_of(seed) == before


class TestSeeds:
    def test_a_set_that_was_published_installs_without_network_and_builds(
        self, command: Command, index: StockedIndex, seed: Path
    ) -> None:
        index.forget()
        result = command("sync", "pylock.toml", "--seed", "seed", "--offline")
        assert layers(result) == dict.fromkeys(("app", "lib", "built"), ("store", "seed 1"))
        assert command.installed() == {"app": "1.0", "built": "1.0", "lib": "2.0"}
        assert index.count() == 0
        assert Store.open(command.store).info().buckets["wheels-1"].entries == 0

    def test_the_first_seed_that_has_something_serves_it(self, command: Command, seed: Path) -> None:
        command("seed", "publish", "other", command.write("requirements.txt", "lib==2.0\n"))
        result = command("sync", "pylock.toml", "--seed", "other", "--seed", "seed")
        assert layers(result) == {
            "app": ("store", "seed 2"),
            "lib": ("store", "seed 1"),
            "built": ("store", "seed 2"),
        }

    def test_layers_on_another_file_system(self, command: Command, seed: Path) -> None:
        place = other_device(command.folder)
        if place is None:
            pytest.skip("there is no second file system here")
        try:
            shutil.copytree(seed, place / "seed", copy_function=shutil.copy2)
            result = command("sync", "pylock.toml", "--seed", place / "seed", "--offline")
            assert layers(result)["app"] == ("store", "seed 1")
            assert command.run_python("import app") == ""
        finally:
            shutil.rmtree(place)

    def test_no_shared_drops_them(self, command: Command, seed: Path) -> None:
        result = command("sync", "pylock.toml", "--seed", "seed", "--no-shared")
        assert layers(result)["app"] == ("fetched", "runner")

    def test_a_pinned_generation_is_seen_whatever_is_current(self, command: Command, seed: Path) -> None:
        old = current(command)
        command("seed", "publish", "seed", command.write("requirements.txt", "lib==2.0\n"))
        assert current(command) != old
        result = command("sync", "pylock.toml", "--seed", f"seed@{old[:12]}", "--offline")
        assert layers(result)["app"] == ("store", "seed 1")
        result = command("sync", "pylock.toml", "--seed", "seed", "--venv", "second")
        assert layers(result) == {
            "app": ("fetched", "runner"),
            "lib": ("store", "seed 1"),
            "built": ("built", "runner"),
        }

    @needs_rights
    def test_one_that_cannot_be_written_works_without_a_write_or_a_warning(self, command: Command, seed: Path) -> None:
        make_read_only(seed)
        before = state_of(seed)
        result = command("sync", "pylock.toml", "--seed", "seed", "--offline")
        assert layers(result)["app"] == ("store", "seed 1")
        assert step_downs(result) == []
        assert "warning" not in result.stderr
        assert state_of(seed) == before

    @linux_only
    def test_one_that_is_mounted_read_only_works_without_a_write_or_a_warning(
        self, command: Command, seed: Path
    ) -> None:
        before = state_of(seed)
        with mounted_read_only(seed):
            result = command("sync", "pylock.toml", "--seed", "seed", "--offline")
            assert layers(result)["app"] == ("store", "seed 1")
            assert step_downs(result) == []
            shown = command("seed", "verify", "seed")
            assert "all whole" in shown.stdout
        assert state_of(seed) == before

    @unix_only
    def test_one_of_another_user_works_without_a_write_or_a_warning(
        self, command: Command, index: StockedIndex, seed: Path
    ) -> None:
        python, packages = needed_python_of_strangers()
        with open_folder() as folder:
            shutil.copytree(seed, folder / "seed", copy_function=shutil.copy2)
            before = state_of(folder / "seed")
            stranger = Command(
                home=folder / "home",
                folder=folder / "work",
                variables={"PYTHONPATH": packages},
                user=STRANGERS[0],
                group=STRANGERS[0],
                python=python,
            )
            lock = (command.folder / "pylock.toml").read_text()
            stranger.write("pylock.toml", lock)
            result = stranger("sync", "pylock.toml", "--seed", folder / "seed", "--offline")
            assert layers(result)["app"] == ("store", "seed 1")
            assert step_downs(result) == []
            assert stranger.installed() == {"app": "1.0", "built": "1.0", "lib": "2.0"}
            assert state_of(folder / "seed") == before

    def test_the_same_folder_twice_is_one_layer(self, command: Command, seed: Path) -> None:
        result = command("sync", "pylock.toml", "--seed", "seed", "--seed", "seed/.", "--cache-dir", "seed")
        assert layers(result)["app"] == ("store", "runner")
        assert step_downs(result) == []


@contextlib.contextmanager
def mounted_read_only(place: Path) -> Iterator[None]:
    """A read-only mount of the folder over itself, which stops root too."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount")
    for arguments in (["--bind", str(place), str(place)], ["-o", "remount,bind,ro", str(place)]):
        if subprocess.run(["mount", *arguments], capture_output=True, check=False).returncode != 0:
            subprocess.run(["umount", place], capture_output=True, check=False)
            missing("the right to mount", "run with CAP_SYS_ADMIN")
    try:
        with pytest.raises(OSError, match="Read-only"):
            (place / "x").touch()
        yield
    finally:
        subprocess.run(["umount", place], check=True)


def current(command: Command) -> str:
    listed = json.loads(command("seed", "list", "seed", "--json").stdout)
    return str(listed["generations"][0]["generation"])


class TestSeedsThatCannotBeUsed:
    @pytest.mark.parametrize("kind", ["missing", "file", "foreign", "empty", "plain-store", "newer", "lost", "damaged"])
    def test_the_layer_is_told_once_and_passed_by(self, command: Command, seed: Path, kind: str) -> None:
        spoil(seed, kind)
        before = state_of(seed) if seed.is_dir() else None
        result = command("sync", "pylock.toml", "--seed", "seed")
        assert layers(result)["app"] == ("fetched", "runner")
        assert step_downs(result) == ["layer-passed-by"]
        assert result.stderr.count("`seed 1`") == 1
        assert (state_of(seed) if seed.is_dir() else None) == before
        if kind == "missing":
            assert not seed.exists()

    @unix_only
    def test_one_that_everybody_can_write_is_passed_by(self, command: Command, seed: Path) -> None:
        seed.chmod(0o777)
        result = command("sync", "pylock.toml", "--seed", "seed")
        assert layers(result)["app"] == ("fetched", "runner")
        assert step_downs(result) == ["layer-passed-by"]

    def test_a_pinned_generation_that_is_missing_is_an_error(self, command: Command, seed: Path) -> None:
        with command.unchanged():
            result = command("sync", "pylock.toml", "--seed", "seed@0123456789", code=2)
        assert result.error == "generation-missing"
        assert "seed list" in result.stderr

    def test_a_pinned_generation_that_is_damaged_is_an_error(self, command: Command, seed: Path) -> None:
        digest = current(command)
        path = seed / "generations" / f"{digest}.json"
        path.chmod(0o644)
        path.write_bytes(path.read_bytes()[1:])
        result = command("sync", "pylock.toml", "--seed", f"seed@{digest}", code=4)
        assert result.error == "generation-damaged"

    @pytest.mark.parametrize("text", ["seed@", "seed@xyz", "seed@0123", "@0123456789", "seed@0123456789ABCDEF"])
    def test_a_pin_that_is_none_is_an_error(self, command: Command, seed: Path, text: str) -> None:
        result = command("sync", "pylock.toml", "--seed", text, code=2)
        assert "DIR@DIGEST" in result.stderr

    def test_a_folder_above_whose_name_has_an_at_sign(self, command: Command, seed: Path) -> None:
        """Jenkins calls the second workspace of a job `name@2`."""
        (command.folder / "workspace@2").mkdir()
        seed.rename(command.folder / "workspace@2" / "seed")
        result = command("sync", "pylock.toml", "--seed", "workspace@2/seed", "--offline")
        assert layers(result)["app"] == ("store", "seed 1")


def spoil(seed: Path, kind: str) -> None:
    if kind in {"missing", "file", "foreign", "empty"}:
        shutil.rmtree(seed)
    if kind == "file":
        seed.write_text("")
    elif kind in {"foreign", "empty"}:
        seed.mkdir(mode=0o755)
        if kind == "foreign":
            (seed / "precious").write_text("x")
    elif kind == "plain-store":
        (seed / "current").unlink()
    elif kind == "newer":
        marker = json.loads((seed / "store.json").read_bytes())
        (seed / "store.json").unlink()
        (seed / "store.json").write_text(json.dumps(marker | {"format": 99}))
    elif kind == "lost":
        for path in (seed / "generations").iterdir():
            path.unlink()
    elif kind == "damaged":
        (seed / "current").chmod(0o644)
        os.truncate(seed / "current", 5)
