"""`safe_install.resolve.groups`: PEP 735 and PEP 621."""

from __future__ import annotations

from pathlib import Path

import pytest

from safe_install.errors import InputError
from safe_install.models import DirectorySource
from safe_install.resolve.groups import read_group, read_project


@pytest.fixture
def pyproject(tmp_path: Path) -> Path:
    path = tmp_path / "pyproject.toml"
    path.write_text(
        """
        [project]
        name = "My.Project"
        dependencies = ["foo>=1", "local @ ./sub"]
        [project.optional-dependencies]
        all = ["my-project[Fast_IO]", "bar"]
        fast-io = ["baz[x]; python_version > '3'"]
        [dependency-groups]
        Test = ["pytest", {include-group = "typing"}]
        typing = ["mypy>1"]
        loop = [{include-group = "loop"}]
        bad = ["not a requirement!"]
        """
    )
    return path


def texts(wanted: object) -> list[str]:
    assert isinstance(wanted, list)
    return [item.text for item in wanted]


def test_a_group_comes_with_the_groups_it_includes(pyproject: Path) -> None:
    found = read_group(pyproject, "test")

    assert texts(found) == ["pytest", "mypy>1"]
    assert found[0].origin == "pyproject.toml, group test"


def test_a_missing_group_is_refused_with_those_that_exist(pyproject: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_group(pyproject, "docs")

    assert caught.value.code == "group-not-found"
    assert caught.value.hint == "it has bad, loop, test, typing"


@pytest.mark.parametrize("group", ["loop", "bad"])
def test_an_invalid_group_is_refused_with_the_reason(pyproject: Path, group: str) -> None:
    with pytest.raises(InputError) as caught:
        read_group(pyproject, group)

    assert caught.value.code == "group-invalid"
    assert caught.value.context


def test_a_projects_dependencies_come_with_those_of_its_extras(pyproject: Path) -> None:
    plain = read_project(pyproject)

    assert texts(plain) == ["foo>=1", "local @ ./sub"]
    assert plain[1].direct == DirectorySource(path=pyproject.parent / "sub")
    assert texts(read_project(pyproject, extras=["all"]))[2:] == ["bar", 'baz[x]; python_version > "3"']


def test_an_extra_that_does_not_exist_is_refused(pyproject: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_project(pyproject, extras=["nope"])

    assert caught.value.code == "extra-not-found"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ('[project]\nname = "x"\ndynamic = ["dependencies"]', "project-dynamic"),
        ('[project]\nname = "x"\ndependencies = ["a b"]', "project-invalid"),
        ('[project]\nname = "x"\ndependencies = ["a @ ftp://h.test/a"]', "project-invalid"),
        ("project = 1", "toml-malformed"),
        ("[project", "toml-malformed"),
    ],
)
def test_a_project_that_cannot_be_read_is_refused(tmp_path: Path, content: str, code: str) -> None:
    (tmp_path / "pyproject.toml").write_text(content)

    with pytest.raises(InputError) as caught:
        read_project(tmp_path / "pyproject.toml")

    assert caught.value.code == code


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_group(tmp_path / "pyproject.toml", "x")

    assert caught.value.code == "file-not-found"
