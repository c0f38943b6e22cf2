"""Several processes change one environment: one after the other, each wholly."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from helpers.environments import environment_at, install, install_with_others, tree_of, wheel

from safe_install.install.environment import Place, recognise
from safe_install.install.installed import read_installed

if TYPE_CHECKING:
    from safe_install.events import Event
    from safe_install.install.placement import PreparedWheel

# A guard against a deadlock, not a claim about speed.
PATIENCE = 120.0
SPAWN = multiprocessing.get_context("spawn")


def together(root: Path, tmp_path: Path, sets: list[list[PreparedWheel]]) -> list[str]:
    """Let one process for each of *sets* install it, all at once; return the errors, or empty texts."""
    barrier, answers = SPAWN.Barrier(len(sets)), SPAWN.Queue()
    processes = []
    for number, wheels in enumerate(sets):
        scratch = tmp_path / f"scratch-{number}"
        scratch.mkdir()
        processes.append(SPAWN.Process(target=install_with_others, args=(root, wheels, scratch, barrier, answers)))
    for process in processes:
        process.start()
    found = [answers.get(timeout=PATIENCE) for _ in processes]
    for process in processes:
        process.join(PATIENCE)
        assert process.exitcode == 0
        process.close()
    answers.close()
    answers.join_thread()
    return found


@pytest.mark.parametrize("start", ["absent", "empty", "made"])
def test_each_of_many_installs_its_own_distribution(tmp_path: Path, start: str) -> None:
    """Also when the environment has to be made: one makes it, the others find it made."""
    root = tmp_path / "project" / "env"
    if start == "empty":
        root.mkdir(parents=True)
    elif start == "made":
        install(root, [], scratch=tmp_path)
    names = [f"demo{number}" for number in range(5)]
    shared = {"ns/__init__.py": ""}
    sets = [[wheel(tmp_path / "store", name, files={f"ns/{name}.py": "", **shared})] for name in names]
    answers = together(root, tmp_path, sets)
    assert answers == [""] * len(names)
    assert recognise(root).place is Place.VIRTUAL
    assert sorted(read_installed(environment_at(root))) == names
    found = {path.name for path in Path(environment_at(root).purelib, "ns").iterdir()}
    assert found == {"__init__.py", *(f"{name}.py" for name in names)}
    left = {path.name for path in root.parent.iterdir()} - {"env"}
    assert left <= {".env.safe-install.lock", ".env.safe-install.lock.owner"}


def test_versions_that_fight_leave_one_of_them_whole(tmp_path: Path) -> None:
    root = tmp_path / "env"
    versions = [f"{number}.0" for number in range(1, 5)]
    options = [{f"demo/only{version}.py": version, "demo/__init__.py": version} for version in versions]
    wheels = [wheel(tmp_path / "store", "demo", v, files=o) for v, o in zip(versions, options, strict=True)]
    alone = {}
    for item in wheels:
        alone_root = tmp_path / f"alone-{item.pin.version}" / "env"
        install(alone_root, [item], scratch=tmp_path)
        alone[str(item.pin.version)] = set(tree_of(Path(environment_at(alone_root).purelib)))
    answers = together(root, tmp_path, [[item] for item in wheels])
    assert answers == [""] * len(versions)
    ((winner,),) = read_installed(environment_at(root)).values()
    assert set(tree_of(Path(environment_at(root).purelib))) == alone[str(winner.version)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a process in the middle")
def test_one_that_is_killed_hands_its_lock_and_a_clean_place_to_the_next(tmp_path: Path) -> None:
    root = tmp_path / "env"
    install(root, [wheel(tmp_path / "store", "demo", "1.0")], scratch=tmp_path)
    child = os.fork()
    if child == 0:

        def die(event: Event) -> None:
            if type(event).__name__ == "PhaseEnded":
                os._exit(9)

        install(root, [wheel(tmp_path / "store", "demo", "2.0")], scratch=tmp_path, sink=die)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert recognise(root).place is Place.UNFINISHED
    install(root, [wheel(tmp_path / "store", "other", "1.0")], scratch=tmp_path)
    found = {name: str(items[0].version) for name, items in read_installed(environment_at(root)).items()}
    assert found == {"demo": "1.0", "other": "1.0"}
