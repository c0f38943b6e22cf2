from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers.capabilities import needs_rights
from helpers.environments import environment_at, install, wheel
from packaging.utils import canonicalize_name

from safe_install.errors import TargetError
from safe_install.install.environment import Environment
from safe_install.install.installed import Installed, Kind, read_installed


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    found = environment_at(tmp_path / "env")
    Path(found.purelib).mkdir(parents=True)
    return found


def metadata(environment: Environment, name: str, files: dict[str, str]) -> None:
    folder = Path(environment.purelib, name)
    folder.mkdir()
    for file, content in files.items():
        (folder / file).write_text(content)


def only(environment: Environment) -> Installed:
    ((item,),) = read_installed(environment).values()
    return item


def test_what_we_installed_is_read_back(tmp_path: Path) -> None:
    url = {"url": "file:///src", "dir_info": {"editable": True}}
    install(
        tmp_path / "env",
        [wheel(tmp_path / "store", "My.Demo", "1.0", requested=True, direct_url=url)],
        scratch=tmp_path,
        installer_name="safe-install",
    )
    item = only(environment_at(tmp_path / "env"))
    assert (item.name, str(item.version), item.kind) == ("my-demo", "1.0", Kind.DIST_INFO)
    assert item.requested
    assert item.has_record
    assert item.editable
    assert item.direct_url == url
    assert item.installer(environment_at(tmp_path / "env")) == "safe-install"


def test_an_environment_without_a_library_folder_has_nothing(tmp_path: Path) -> None:
    assert read_installed(environment_at(tmp_path / "none")) == {}


def test_names_with_dashes_and_missing_versions_are_told_by_metadata(environment: Environment) -> None:
    metadata(environment, "odd-name-2.5.dist-info", {})
    metadata(environment, "nameless.dist-info", {"METADATA": "Name: The.Project\nVersion: 3.1\n\nName: body\n"})
    metadata(environment, "broken-x.dist-info", {"METADATA": "Name: broken\nVersion: not a version\n"})
    found = read_installed(environment)
    assert {name: str(items[0].version) for name, items in found.items()} == {
        "broken": "None",
        "odd-name": "2.5",
        "the-project": "3.1",
    }


def test_two_of_one_name_are_both_seen(environment: Environment) -> None:
    metadata(environment, "a_b-1.0.dist-info", {})
    metadata(environment, "a.b-2.0.dist-info", {})
    assert sorted(str(item.version) for item in read_installed(environment)[canonicalize_name("a-b")]) == ["1.0", "2.0"]


def test_what_other_tools_left_is_named_by_its_kind(environment: Environment) -> None:
    metadata(environment, "old-1.0-py3.8.egg-info", {"PKG-INFO": "Name: old\nVersion: 1.0\n"})
    Path(environment.purelib, "flat-2.0.egg-info").write_text("Name: flat\n")
    Path(environment.purelib, "dev.egg-link").write_text("/src\n.")
    found = {str(name): items[0] for name, items in read_installed(environment).items()}
    assert {name: item.kind for name, item in found.items()} == {
        "old": Kind.EGG_INFO_FOLDER,
        "flat": Kind.EGG_INFO_FILE,
        "dev": Kind.EGG_LINK,
    }
    assert found["dev"].editable
    assert not any(item.has_record for item in found.values())


def test_what_pip_was_about_to_remove_is_not_installed(environment: Environment) -> None:
    metadata(environment, "~emo-1.0.dist-info", {"METADATA": "Name: demo\nVersion: 1.0\n"})
    assert read_installed(environment) == {}


@pytest.mark.parametrize("content", ["{", "[]", json.dumps("text")])
def test_a_broken_direct_url_says_nothing(environment: Environment, content: str) -> None:
    metadata(environment, "a-1.0.dist-info", {"direct_url.json": content})
    assert only(environment).direct_url is None


def test_an_unreadable_installer_says_nothing(environment: Environment) -> None:
    metadata(environment, "a-1.0.dist-info", {})
    Path(environment.purelib, "a-1.0.dist-info", "INSTALLER").write_bytes(b"\xff\xfe")
    assert only(environment).installer(environment) is None


@needs_rights
def test_a_library_that_cannot_be_read_is_an_error(environment: Environment) -> None:
    Path(environment.purelib).chmod(0)
    try:
        with pytest.raises(TargetError) as caught:
            read_installed(environment)
    finally:
        Path(environment.purelib).chmod(0o700)
    assert caught.value.code == "environment-unreadable"
