"""An environment whose files other programs could not open is refused before anything is made (uv#2810)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from helpers.environments import environment_at, wheel

from safe_install.errors import TargetError
from safe_install.events import ignore
from safe_install.install.merging import merge
from safe_install.install.path_lengths import refuse_long_paths
from safe_install.install.placement import place

if TYPE_CHECKING:
    from pathlib import Path

LONG = "demo/" + "x" * 200 + ".py"


def check(tmp_path: Path, limit: int | None) -> None:
    environment = environment_at(tmp_path / "env")
    merged = merge(
        [place(wheel(tmp_path, files={LONG: b""}), environment, installer_name="x")], folds_case=False, sink=ignore
    )
    refuse_long_paths(environment, merged, limit=limit)


def longest(tmp_path: Path) -> int:
    return len(environment_at(tmp_path / "env").purelib) + 1 + len(LONG)


def test_path_that_just_fits_is_taken(tmp_path: Path) -> None:
    check(tmp_path, longest(tmp_path))


@pytest.mark.parametrize("missing", [1, 30])
def test_error_names_the_path_and_says_how_many_characters_too_many(tmp_path: Path, missing: int) -> None:
    with pytest.raises(TargetError) as caught:
        check(tmp_path, longest(tmp_path) - missing)
    error = caught.value
    assert error.code == "path-too-long"
    assert f"too long by {missing} characters" in str(error)
    assert any(LONG in line for line in error.context)
    assert f"at most {len(str(tmp_path / 'env')) - missing} characters with --venv" in (error.hint or "")


def test_environment_alone_needs_room_too(tmp_path: Path) -> None:
    environment = environment_at(tmp_path / "env")
    with pytest.raises(TargetError):
        refuse_long_paths(environment, merge([], folds_case=False, sink=ignore), limit=len(environment.root) + 20)
