"""The file of a runner's administrator: where it lies, what makes it count, and what is wrong with others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from helpers.capabilities import link_to_folder, needs_folder_links

from safe_install.errors import InputError
from safe_install.platforms import administrator
from safe_install.platforms.administrator import VARIABLE, read_runner_file, usual_place

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def usual(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The usual place, moved to where a test may write."""
    path = tmp_path / "etc" / "runner.toml"
    path.parent.mkdir()
    monkeypatch.setattr(administrator, "usual_place", lambda: path)
    return path


def test_the_usual_place_is_no_folder_of_a_job() -> None:
    assert usual_place().name == "runner.toml"
    assert usual_place().is_absolute()


def test_no_variable_moves_the_usual_place(monkeypatch: pytest.MonkeyPatch) -> None:
    before = usual_place()
    for name in ("PROGRAMDATA", "ALLUSERSPROFILE", "HOME", "SYSTEMDRIVE"):
        monkeypatch.setenv(name, "Z:\\elsewhere")
    assert usual_place() == before


def test_without_a_file_nothing_is_said(usual: Path) -> None:
    assert read_runner_file({}, None) is None


@pytest.mark.parametrize("trust", ["trusted", "untrusted"])
def test_the_file_in_its_usual_place_may_raise_and_lower_trust(usual: Path, trust: str) -> None:
    usual.write_text(f'trust = "{trust}"\nscope = "job"\n', encoding="utf-8")
    found = read_runner_file({}, None)
    assert found is not None
    assert (found.path, found.trust, found.values["scope"]) == (usual, trust, "job")


@pytest.mark.parametrize("mode", [0o644, 0o444])
def test_a_named_file_lowers_trust_only(usual: Path, tmp_path: Path, mode: int) -> None:
    """A repository can write a file, take its own right to write it, and name it."""
    for text, counts in (("trusted", None), ("untrusted", "untrusted")):
        named = tmp_path / f"{text}.toml"
        named.write_text(f'trust = "{text}"\n', encoding="utf-8")
        named.chmod(mode)
        found = read_runner_file({VARIABLE: str(named)}, tmp_path / "workspace")
        assert found is not None
        assert found.trust == counts


def test_a_file_in_the_workspace_is_refused(usual: Path, tmp_path: Path) -> None:
    (tmp_path / "workspace").mkdir()
    named = tmp_path / "workspace" / "runner.toml"
    named.touch()
    with pytest.raises(InputError, match="which the repository can write") as refused:
        read_runner_file({VARIABLE: str(named)}, tmp_path / "workspace")
    assert refused.value.code == "runner-file-in-workspace"


@needs_folder_links
def test_a_file_that_a_link_shows_elsewhere_is_refused(usual: Path, tmp_path: Path) -> None:
    (tmp_path / "workspace").mkdir()
    (tmp_path / "workspace" / "runner.toml").touch()
    link_to_folder(tmp_path / "link", tmp_path / "workspace")
    with pytest.raises(InputError, match="which the repository can write"):
        read_runner_file({VARIABLE: str(tmp_path / "link" / "runner.toml")}, tmp_path / "workspace")


def test_a_file_named_by_half_a_path_is_refused(usual: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would mean whatever folder the job happens to be in."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runner.toml").touch()
    with pytest.raises(InputError, match="which the repository can write"):
        read_runner_file({VARIABLE: "runner.toml"}, None)


@pytest.mark.parametrize("content", [b"trust = ", b"\xff", b"[["])
def test_a_file_that_cannot_be_read_is_an_error(usual: Path, content: bytes) -> None:
    """To go on without it could mean to trust a job that must not be."""
    usual.write_bytes(content)
    with pytest.raises(InputError, match="cannot read the runner's file") as refused:
        read_runner_file({}, None)
    assert refused.value.code == "configuration-invalid"


def test_a_named_file_that_is_not_there_is_an_error(usual: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such file"):
        read_runner_file({VARIABLE: str(tmp_path / "absent.toml")}, None)
