"""`safe_install.cli.doors.locating`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from safe_install.cli.doors.locating import Place, locate

if TYPE_CHECKING:
    from pathlib import Path

LOCK = '[[packages]]\nname = "beta.one"\nversion = "2.0"\n\n[[packages]]\nname = "alpha"\nversion = "1.0"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "my locks").mkdir()
    (tmp_path / "my locks" / "all.txt").write_text(
        "# comment\nalpha==1.0 \\\n  --hash=x\nbeta_one == 2.0 ; python_version > '3'\n"
    )
    (tmp_path / "pylock.toml").write_text(LOCK)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("my locks/all.txt:3: expected semicolon", Place("my locks/all.txt", 3)),
        ("idna==3.10 is asked for by my locks/all.txt:1", Place("my locks/all.txt", 1)),
        ("absent.txt:3: what is this", None),
        ("beta_one-2.0-py3-none-any.whl has another digest", Place("my locks/all.txt", 4)),
        ("alpha==1.0 cannot be built", Place("my locks/all.txt", 2)),
        ("notalpha-1.0.tar.gz", None),
        ("alpha-1.00.tar.gz", None),
        ("nothing \0 at all: 12:30:00", None),
    ],
)
def test_line_of_a_requirements_file(folder: Path, text: str, expected: Place | None) -> None:
    assert locate([text], ["my locks/all.txt"], folder) == expected


def test_line_of_a_pylock(folder: Path) -> None:
    assert locate(["digest of", "Beta_One-2.0.tar.gz"], ["pylock.toml"], folder) == Place("pylock.toml", 2)


def test_file_that_is_not_there(folder: Path) -> None:
    assert locate(["alpha==1.0"], ["absent"], folder) is None
