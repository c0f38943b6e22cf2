"""``[build-system]`` is read as PEP 517 and PEP 518 say, and all its mistakes are told at once."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from helpers.projects import project

from safe_install.build.backend import LEGACY_BACKEND, read_build_system
from safe_install.errors import BuildError

if TYPE_CHECKING:
    from pathlib import Path


def written(folder: Path, text: str) -> Path:
    (folder / "pyproject.toml").write_text(text)
    return folder


def mistakes(tree: Path) -> str:
    with pytest.raises(BuildError) as caught:
        read_build_system(tree)
    assert caught.value.code == "build-system-invalid"
    return "\n".join(caught.value.context)


def test_a_whole_table_is_read(tmp_path: Path) -> None:
    (tmp_path / "inner" / "deep").mkdir(parents=True)
    system = read_build_system(
        written(
            tmp_path,
            '[build-system]\nrequires = ["one>=1", "two; python_version>\'3\'"]\n'
            'build-backend = "a.b:c.d"\nbackend-path = ["inner/deep", "."]\n',
        )
    )
    assert [requirement.name for requirement in system.requires] == ["one", "two"]
    assert system.backend == "a.b:c.d"
    assert system.backend_path == ("inner/deep", ".")


@pytest.mark.parametrize("text", ["", '[project]\nname = "x"\n', "[tool.black]\nx = 1\n"])
def test_no_table_means_setuptools_as_it_always_was(tmp_path: Path, text: str) -> None:
    system = read_build_system(written(tmp_path, text))
    assert system.backend == LEGACY_BACKEND
    assert [str(requirement) for requirement in system.requires] == ["setuptools>=40.8.0"]


def test_a_bare_setup_py_is_enough(tmp_path: Path) -> None:
    assert read_build_system(project("legacy_setup_py", tmp_path)).backend == LEGACY_BACKEND


def test_a_table_without_backend_brings_its_own_requirements(tmp_path: Path) -> None:
    system = read_build_system(written(tmp_path, '[build-system]\nrequires = ["setuptools<70"]\n'))
    assert system.backend == LEGACY_BACKEND
    assert [str(requirement) for requirement in system.requires] == ["setuptools<70"]


def test_a_folder_with_neither_file_is_no_source_tree(tmp_path: Path) -> None:
    with pytest.raises(BuildError) as caught:
        read_build_system(tmp_path)
    assert caught.value.code == "not-a-source-tree"


def test_all_mistakes_of_a_table_are_told_together(tmp_path: Path) -> None:
    told = mistakes(project("table_wrong", tmp_path))
    assert "'not a requirement', which is no requirement" in told
    assert "os.system('true')" in told
    assert "backend-path is no list" in told


def test_broken_toml_is_told_with_its_place(tmp_path: Path) -> None:
    assert "line 1" in mistakes(project("toml_broken", tmp_path))


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("build-system = 3\n", "no table"),
        ('[build-system]\nbuild-backend = "x"\n', "requires is missing"),
        ('[build-system]\nrequires = "setuptools"\n', "no list of strings"),
        ("[build-system]\nrequires = [1]\n", "no list of strings"),
        ('[build-system]\nrequires = []\nbuild-backend = "a;b"\n', "'a;b'"),
        ('[build-system]\nrequires = []\nbuild-backend = ""\n', "not a module"),
        ('[build-system]\nrequires = []\nbackend-path = ["."]\n', "no build-backend"),
        ('[build-system]\nrequires = []\nbuild-backend = "x"\nbackend-path = ["/"]\n', "leaves the source tree"),
        (
            '[build-system]\nrequires = []\nbuild-backend = "x"\nbackend-path = ["a/../../b"]\n',
            "leaves the source tree",
        ),
        ('[build-system]\nrequires = []\nbuild-backend = "x"\nbackend-path = ["missing"]\n', "no folder"),
    ],
)
def test_what_breaks_the_standards_is_refused(tmp_path: Path, text: str, fragment: str) -> None:
    assert fragment in mistakes(written(tmp_path, text))


def test_a_backend_path_outside_the_tree_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    assert "leaves the source tree" in mistakes(project("backend_outside", tmp_path))


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_a_backend_path_that_leaves_through_a_link_is_refused(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "link").symlink_to(tmp_path)
    text = '[build-system]\nrequires = []\nbuild-backend = "x"\nbackend-path = ["link"]\n'
    assert "leaves the source tree" in mistakes(written(tree, text))
