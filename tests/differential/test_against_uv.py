"""`ci-install lock` chooses the versions that `uv pip compile` chooses on the same index, at the same moment in its history.

The requirement sets are `sets/*.in`. `known-differences.txt` may excuse one of them and traces what differs to its cause;
a set that is excused and agrees is an error too, so that the list cannot rot.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from helpers import missing_parts
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = [pytest.mark.index, pytest.mark.slow, pytest.mark.timeout(900)]

HERE = Path(__file__).parent
SETS = sorted(path.stem for path in (HERE / "sets").glob("*.in"))
# Both see the index as it was then: what is uploaded tomorrow changes no result.
EXCLUDE_NEWER = "2026-11-13T00:00:00Z"


def known_differences() -> list[str]:
    """The names of the excused sets: the lines that are no comment."""
    lines = (HERE / "known-differences.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@pytest.fixture(scope="session")
def uv() -> Path:
    return missing_parts.program("uv", "install the dependency group `test`")


def run(command: Sequence[str | Path], environ: dict[str, str]) -> str:
    done = subprocess.run(list(map(str, command)), env=environ, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        shown = " ".join(map(str, command))
        pytest.fail(f"{shown}\nended with {done.returncode}:\n{done.stdout}{done.stderr}", pytrace=False)
    return done.stdout


@pytest.mark.parametrize("name", SETS)
def test_locked_versions_equal_those_of_uv(
    name: str,
    uv: Path,
    ci_install: Path,
    same_pages: dict[str, str],
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    wanted = HERE / "sets" / f"{name}.in"
    caches = tmp_path_factory.getbasetemp()
    compile_: list[str | Path] = [
        uv,
        "pip",
        "compile",
        "--quiet",
        "--no-header",
        "--no-annotate",
        "--python",
        sys.executable,
    ]
    compiled = run([*compile_, "--cache-dir", caches / "uv", "--exclude-newer", EXCLUDE_NEWER, wanted], same_pages)
    requirements = [Requirement(line) for line in compiled.splitlines()]
    expected = {canonicalize_name(found.name): str(found.specifier).removeprefix("==") for found in requirements}
    assert 10 <= len(expected) <= 150, "a set of another size than was meant"

    lock = tmp_path / "pylock.toml"
    command: list[str | Path] = [ci_install, "lock", "-r", wanted, "-o", lock, "--python", sys.executable]
    run([*command, "--cache-dir", caches / "store", "--exclude-newer", EXCLUDE_NEWER], same_pages)
    packages = tomllib.loads(lock.read_text(encoding="utf-8"))["packages"]
    found = {package["name"]: package["version"] for package in packages}

    if name in known_differences():
        assert found != expected, f"{name} agrees; take it out of known-differences.txt"
    else:
        assert found == expected


def test_at_most_one_set_is_excused_and_it_exists() -> None:
    excused = known_differences()
    assert len(excused) <= 1
    assert set(excused) <= set(SETS)


def test_there_are_enough_sets() -> None:
    assert len(SETS) >= 20
