from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from helpers.capabilities import unix_only
from helpers.environments import this_interpreter, tree_of

from safe_install.install.creation import create_virtual_environment
from safe_install.install.skeleton import Skeleton, read_skeleton

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = unix_only


def made(tmp_path: Path, root: Path) -> Path:
    create_virtual_environment(str(root), this_interpreter(), app_data=tmp_path / "app-data")
    return root


@pytest.fixture
def skeleton(tmp_path: Path) -> Skeleton:
    found = read_skeleton(str(made(tmp_path, tmp_path / "name-that-nothing-else-contains")))
    assert found is not None
    return found


def test_what_is_written_is_what_the_library_makes(tmp_path: Path, skeleton: Skeleton) -> None:
    root = tmp_path / "project" / ".venv"
    expected = tree_of(made(tmp_path, root))
    root.rename(tmp_path / "elsewhere")
    skeleton.write(str(root), str(root))
    assert tree_of(root) == expected


def test_it_may_be_written_beside_the_place_that_it_is_for(tmp_path: Path, skeleton: Skeleton) -> None:
    root = tmp_path / "final"
    skeleton.write(str(tmp_path / "staged"), str(root))
    (tmp_path / "staged").rename(root)
    done = subprocess.run(
        [
            "sh",
            "-c",
            '. "$1/bin/activate"; echo "$VIRTUAL_ENV"; python -c "import sys; print(sys.prefix)"',
            "sh",
            str(root),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [str(root), str(root)]


def test_a_document_keeps_all_of_it(skeleton: Skeleton) -> None:
    assert Skeleton.from_document(skeleton.to_document()) == skeleton
    assert Skeleton.from_document({}) is None


@pytest.mark.parametrize(
    "name", ["with space", "quo'te", 'quo"te', "dol$lar", "back\\slash", "colon:", "ümlaut", "new\nline"]
)
def test_paths_that_a_shell_would_quote_are_left_to_the_library(skeleton: Skeleton, name: str) -> None:
    assert not skeleton.fits(f"/srv/{name}/.venv")
    assert skeleton.fits("/srv/job_1/@x/+y=1,2%/.venv")


def test_an_environment_with_its_own_interpreter_has_none(tmp_path: Path) -> None:
    root = made(tmp_path, tmp_path / "name-that-nothing-else-contains")
    (root / "bin" / "program").write_bytes(os.urandom(1 << 19))
    assert read_skeleton(str(root)) is None
    (root / "bin" / "program").write_bytes(b"\xff\xfe\x00")
    assert read_skeleton(str(root)) is None
