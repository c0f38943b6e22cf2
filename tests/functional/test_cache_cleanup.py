"""``ci-install cache gc``, ``clean``, ``unlock`` and ``ls``, and the clean-up after a job."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

import pytest
from helpers.capabilities import link_to_folder, needs_folder_links
from helpers.storage import DAY, add_lease, set_age

from safe_install.store.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from helpers.command import Command
    from helpers.stocked_index import StockedIndex


def wheels(command: Command) -> list[Path]:
    return sorted((command.store / "wheels-1").glob("*/*"))


def wheel_of(command: Command, name: str) -> Path:
    return next(path for path in wheels(command) if any((path / "tree").glob(f"{name}*")))


def answer(command: Command, *arguments: str) -> Any:
    return json.loads(command("cache", *arguments, "--json").stdout)


@pytest.fixture
def filled(command: Command, index: StockedIndex) -> Command:
    """The store holds `one`, not used for ten days, and `two`."""
    index.wheel("one")
    index.wheel("two")
    command("install", "one", "two")
    set_age(wheel_of(command, "one"), 10 * DAY)
    return command


def test_gc_without_limits_removes_nothing_that_is_whole(filled: Command) -> None:
    assert answer(filled, "gc")["removed"] == []
    assert len(wheels(filled)) == 2


def test_gc_removes_by_age_and_the_next_install_gets_it_again(filled: Command, index: StockedIndex) -> None:
    found = answer(filled, "gc", "--max-age", "7d")
    assert [each["reason"] for each in found["removed"]] == ["age"]
    assert (found["dry_run"], found["left_overs"]) == (False, {})
    assert len(wheels(filled)) == 1
    filled("install", "one", "--venv", "other")
    assert filled.installed(filled.folder / "other") == {"one": "1.0"}


def test_gc_leaves_environments_alone(filled: Command) -> None:
    filled("cache", "gc", "--max-size", "0")
    assert wheels(filled) == []
    assert filled.installed() == {"one": "1.0", "two": "1.0"}
    assert filled.run_python("import one, two; print('ok')") == "ok"


def test_gc_dry_run_tells_each_entry_and_removes_none(filled: Command) -> None:
    shown = filled("cache", "gc", "--max-age", "7d", "--dry-run").stdout
    assert "would remove 1 entry" in shown
    assert "wheels-1/" in shown
    assert len(wheels(filled)) == 2


def test_using_an_entry_makes_it_young(filled: Command) -> None:
    filled("install", "one", "--venv", "other")
    assert answer(filled, "gc", "--max-age", "7d")["removed"] == []


def test_use_within_an_hour_is_not_written_again(filled: Command) -> None:
    entry = wheel_of(filled, "one")
    set_age(entry, 600)
    before = entry.stat().st_mtime_ns
    filled("install", "one", "--venv", "other")
    assert entry.stat().st_mtime_ns == before


def test_limits_come_from_the_configuration_too(filled: Command) -> None:
    filled.write("safe-install.toml", 'max-age = "7d"\n')
    assert len(answer(filled, "gc")["removed"]) == 1


def test_gc_of_what_is_in_use_keeps_it(filled: Command) -> None:
    add_lease(Store.open(filled.store), [wheel_of(filled, "one")])
    found = answer(filled, "gc", "--max-age", "7d")
    assert (found["removed"], found["in_use"]) == ([], 1)


def test_gc_that_meets_another_one_leaves_with_code_5(filled: Command) -> None:
    from safe_install.events import ignore
    from safe_install.locks import hold

    with hold(filled.store / "locks" / "gc.lock", timeout=0, what="a test", sink=ignore):
        shown = filled("cache", "gc", "--lock-timeout", "0", code=5)
        # Jobs do not take it.
        filled("install", "one", "--venv", "other")
    assert "lock-timeout" in shown.stderr


@pytest.mark.parametrize("limit", [["--max-size", "much"], ["--max-age", "old"], ["--min-free", "-1"]])
def test_limit_that_is_none_is_refused(filled: Command, limit: list[str]) -> None:
    filled("cache", "gc", *limit, code=2)
    assert len(wheels(filled)) == 2


def test_clean_removes_the_entries_of_a_project(filled: Command) -> None:
    found = answer(filled, "clean", "Two")
    kinds = {each["entry"].partition("/")[0] for each in found["removed"]}
    assert kinds >= {"wheels-1", "index-1"}
    assert [path.name for path in wheels(filled)] == [wheel_of(filled, "one").name]
    # The other project's page is still there.
    assert len(list((filled.store / "index-1").glob("*/*"))) == 1


def test_clean_of_an_unknown_project_removes_nothing(filled: Command) -> None:
    assert answer(filled, "clean", "three")["removed"] == []


def test_clean_removes_everything_and_leaves_a_store(filled: Command) -> None:
    filled("cache", "clean")
    document = answer(filled, "info")
    assert {each["entries"] for each in document["buckets"].values()} == {0}
    assert document["projects"] == []
    filled("install", "one", "--venv", "other")


def test_ls_tells_name_size_use_and_source(filled: Command) -> None:
    document = answer(filled, "ls", "ONE")
    by_kind = {each["kind"]: each for each in document["entries"]}
    one = by_kind["wheel"]
    assert (one["name"], one["version"], one["layer"], one["source"]) == ("one", "1.0", "store", "fetched")
    assert one["bytes"] > 0
    assert time.time() - one["used"] > 9 * DAY
    assert set(by_kind) == {"wheel", "page", "metadata"}
    shown = filled("cache", "ls", "one").stdout.splitlines()
    assert shown[0].split()[:4] == ["NAME", "VERSION", "KIND", "SIZE"]
    assert any(line.split()[:3] == ["one", "1.0", "wheel"] for line in shown)


def test_info_tells_the_projects(filled: Command) -> None:
    projects = {each["name"]: each for each in answer(filled, "info")["projects"]}
    assert {name: tuple(each["versions"]) for name, each in projects.items()} == {"one": ("1.0",), "two": ("1.0",)}
    assert "one" in filled("cache", "info").stdout


def test_unlock_has_nothing_to_do_where_locks_free_themselves(filled: Command) -> None:
    assert answer(filled, "unlock")["locks"] == []


def test_job_cleans_up_after_itself_once_a_day(filled: Command) -> None:
    filled.variables |= {"SAFE_INSTALL_AUTO_GC": "yes", "SAFE_INSTALL_MAX_AGE": "7d"}
    result = filled("install", "two", "--venv", "other")
    assert result.counts["cleaned"] == 1
    assert len(wheels(filled)) == 1
    filled("install", "one", "--venv", "third")
    set_age(wheel_of(filled, "one"), 10 * DAY)
    assert filled("install", "two", "--venv", "fourth").counts["cleaned"] == 0
    set_age(filled.store / "locks" / "gc.last", 2 * DAY)
    assert filled("install", "two", "--venv", "fifth").counts["cleaned"] == 1


def test_job_does_not_clean_up_unasked(filled: Command) -> None:
    filled.variables["SAFE_INSTALL_MAX_AGE"] = "7d"
    assert filled("install", "two", "--venv", "other").counts["cleaned"] == 0
    assert len(wheels(filled)) == 2


@needs_folder_links
def test_job_that_cannot_clean_up_tells_it_and_succeeds(filled: Command, tmp_path: Path) -> None:
    os.rmdir(filled.store / "trash")
    link_to_folder(filled.store / "trash", tmp_path)
    result = filled("install", "two", "--venv", "other", SAFE_INSTALL_AUTO_GC="yes")
    assert result.report is not None
    assert [each["kind"] for each in result.report["step_downs"]] == ["not-cleaned-up"]
    (filled.store / "trash").unlink()


def test_seed_keeps_what_its_generations_list(filled: Command) -> None:
    filled.write("lock.txt", "one==1.0\n")
    filled("seed", "publish", "seed", "lock.txt")
    seed = filled.folder / "seed"
    for path in (seed / "wheels-1").glob("*/*"):
        set_age(path, 900 * DAY)
    found = answer(filled, "gc", "--cache-dir", "seed", "--max-size", "0", "--max-age", "1d")
    assert found["listed"] > 0
    assert len(list((seed / "wheels-1").glob("*/*"))) == 1
    found = answer(filled, "clean", "--cache-dir", "seed")
    assert len(list((seed / "wheels-1").glob("*/*"))) == 1
    filled("seed", "verify", "seed")
    assert answer(filled, "gc", "--cache-dir", "seed", "--keep-generations", "1")["generations"] == []
