from __future__ import annotations

import os
import shutil
import stat
import sys
from pathlib import Path

import pytest
from helpers.capabilities import needs_symlinks, unix_only
from helpers.environments import install, this_interpreter

from safe_install.errors import TargetError
from safe_install.install.discovery import base_of, find_interpreter

HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"


def imitation(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def find(request: str | None, path: str = "") -> str:
    return find_interpreter(request, path_variable=path, current=sys.executable)


def test_nothing_asked_for_means_the_python_behind_ours() -> None:
    assert find(None) == this_interpreter().executable


@pytest.mark.parametrize("request_", [HERE, f"python{HERE}", "3", ".".join(map(str, sys.version_info[:3]))])
def test_a_version_that_ours_has_is_found_without_a_search(request_: str) -> None:
    assert find(request_) == this_interpreter().executable


@unix_only
def test_a_shim_that_does_not_start_is_passed_over(tmp_path: Path) -> None:
    imitation(tmp_path / "shims" / "python3.77", "echo 'not installed' >&2; exit 127")
    real = imitation(tmp_path / "real" / "python3.77", "echo 3.77.1")
    assert find("3.77", os.pathsep.join(map(str, (tmp_path / "shims", tmp_path / "real")))) == str(real)


@unix_only
def test_a_name_without_version_counts_for_what_it_says(tmp_path: Path) -> None:
    imitation(tmp_path / "a" / "python3", "echo 3.76.0")
    wanted = imitation(tmp_path / "b" / "python", "echo 3.77.4")
    assert find("3.77.4", os.pathsep.join(map(str, (tmp_path / "a", tmp_path / "b")))) == str(wanted)


@unix_only
def test_a_patch_version_is_not_taken_for_another(tmp_path: Path) -> None:
    imitation(tmp_path / "python3.77", "echo 3.77.1")
    with pytest.raises(TargetError) as caught:
        find("3.77.2", str(tmp_path))
    assert caught.value.code == "interpreter-missing"
    assert "3.77.2" in caught.value.message
    assert f"{tmp_path}/python3.77 is 3.77.1" in caught.value.context


@unix_only
def test_a_relative_entry_of_path_runs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    imitation(tmp_path / "python3.77", "echo 3.77.1")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TargetError):
        find("3.77", ".")


def test_the_folder_of_an_environment_means_its_python(tmp_path: Path) -> None:
    install(tmp_path / "env", [], scratch=tmp_path)
    found = find(str(tmp_path / "env"))
    assert Path(found).is_relative_to(tmp_path / "env")
    assert base_of(found) == this_interpreter().executable


@needs_symlinks
def test_a_path_is_taken_as_it_is_links_included(tmp_path: Path) -> None:
    (tmp_path / "python3.2").symlink_to(sys.executable)
    assert find(str(tmp_path / "python3.2")) == str(tmp_path / "python3.2")


@unix_only
def test_a_bare_name_is_searched_on_path(tmp_path: Path) -> None:
    shutil.copy("/bin/true", tmp_path / "my-python")
    assert find("my-python", str(tmp_path)) == str(tmp_path / "my-python")


def test_a_path_without_python_is_missing(tmp_path: Path) -> None:
    for request in (str(tmp_path), str(tmp_path / "no" / "python")):
        with pytest.raises(TargetError) as caught:
            find(request)
        assert caught.value.code == "interpreter-missing"
