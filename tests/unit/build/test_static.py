"""PKG-INFO stands for a build only where PEP 643 says that every wheel must say the same."""

from __future__ import annotations

import os
import textwrap
from typing import TYPE_CHECKING

import pytest

from safe_install.build.static import static_metadata
from safe_install.metadata import parse_core_metadata

if TYPE_CHECKING:
    from pathlib import Path


def written(folder: Path, *lines: str, version: str = "2.2") -> Path:
    text = "\n".join((f"Metadata-Version: {version}", "Name: demo", "Version: 1.0", *lines, ""))
    (folder / "PKG-INFO").write_text(text)
    return folder


@pytest.mark.parametrize("version", ["2.2", "2.3", "2.4", "2.10"])
@pytest.mark.parametrize("dynamic", ["", "Dynamic: Classifier", "Dynamic: License-File"])
def test_static_metadata_saves_a_build(tmp_path: Path, version: str, dynamic: str) -> None:
    tree = written(tmp_path, "Requires-Dist: other", dynamic, version=version)
    assert static_metadata(tree) == (tmp_path / "PKG-INFO").read_bytes()


@pytest.mark.parametrize("field", ["Requires-Dist", "requires-dist", "Requires-Python", "Provides-Extra"])
def test_a_dynamic_field_that_is_needed_asks_for_a_build(tmp_path: Path, field: str) -> None:
    assert static_metadata(written(tmp_path, "Dynamic: Classifier", f"Dynamic: {field}")) is None


@pytest.mark.parametrize("version", ["1.0", "2.1", "unknown"])
def test_older_metadata_promises_nothing(tmp_path: Path, version: str) -> None:
    assert static_metadata(written(tmp_path, version=version)) is None


def test_a_tree_without_pkg_info_asks_for_a_build(tmp_path: Path) -> None:
    assert static_metadata(tmp_path) is None


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_a_link_is_not_followed(tmp_path: Path) -> None:
    written(tmp_path).joinpath("PKG-INFO").rename(tmp_path / "elsewhere")
    (tmp_path / "PKG-INFO").symlink_to("elsewhere")
    assert static_metadata(tmp_path) is None


def project(folder: Path, text: str) -> Path:
    (folder / "pyproject.toml").write_text(textwrap.dedent(text))
    return folder


def test_a_static_project_table_saves_a_build_where_the_metadata_are_too_old(tmp_path: Path) -> None:
    written(tmp_path, "Requires-Dist: never-read", version="2.1")
    tree = project(
        tmp_path,
        """
        [project]
        name = "Demo.Project"
        version = "1.0"
        requires-python = ">=3.9"
        dynamic = ["classifiers"]
        dependencies = ["one>=1; os_name == 'nt' or os_name == 'posix'"]
        [project.optional-dependencies]
        Extra_One = ["two; python_version < '3.10' or os_name == 'nt'", "three @ https://files.test/three.zip"]
        """,
    )

    data = static_metadata(tree)

    assert data is not None
    found = parse_core_metadata(data, where="demo")
    assert (found.name, str(found.version), str(found.requires_python)) == ("demo-project", "1.0", ">=3.9")
    assert found.provides_extra == {"extra-one"}
    assert list(map(str, found.requires_dist)) == [
        'one>=1; os_name == "nt" or os_name == "posix"',
        'two; (python_version < "3.10" or os_name == "nt") and extra == "extra-one"',
        'three @ https://files.test/three.zip ; extra == "extra-one"',
    ]


@pytest.mark.parametrize(
    "text",
    [
        "[project]\nname = 'demo'\n",
        "[project]\nname = 'demo'\nversion = '1.0'\ndynamic = ['dependencies']\n",
        "[project]\nname = 'demo'\nversion = '1.0'\ndynamic = ['optional-dependencies']\n",
        "[project]\nname = 'demo'\nversion = '1.0'\n[tool.poetry.dependencies]\nother = '*'\n",
        "[project]\nname = 'demo'\nversion = '1.0'\ndependencies = ['a b']\n",
        "[project]\nname = 'demo'\nversion = '1.0'\ndependencies = 7\n",
        "project = 1\n",
        "[project",
    ],
)
def test_a_project_table_that_leaves_something_open_asks_for_a_build(tmp_path: Path, text: str) -> None:
    assert static_metadata(project(tmp_path, text)) is None
