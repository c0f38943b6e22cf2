from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from helpers.environments import environment_at
from hypothesis import example, given
from hypothesis import strategies as st
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from safe_install.install.environment import Environment
from safe_install.install.installed import read_installed
from safe_install.install.listing import holds_exactly
from safe_install.install.plan import Wanted, plan_changes

FILES = st.lists(st.sampled_from(["METADATA", "RECORD", "direct_url.json"]), unique=True)
PROJECTS = st.sampled_from(["demo", "My.Demo", "my_demo", "~emo", "zope.interface"])
VERSIONS = st.sampled_from(
    ["1", "1.0", "01.0", "2024.07.04", "2024.7.4", "1.0.00", "1.0RC1", "1.0rc1", "1!1.0", "1.0-py3.8", "x", ""]
)
ENDINGS = st.sampled_from([".dist-info"] * 4 + [".egg-info", ".egg", ".pth"])
FOLDERS = st.builds(lambda project, version, ending: f"{project}-{version}{ending}", PROJECTS, VERSIONS, ENDINGS)


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return made(
        tmp_path / "env", {"demo-1.0.dist-info": ["METADATA", "RECORD"], "Odd_Name-2024.07.04.dist-info": ["RECORD"]}
    )


def made(root: Path, folders: dict[str, list[str]]) -> Environment:
    environment = environment_at(root)
    for name, files in folders.items():
        folder = Path(environment.purelib, name)
        folder.mkdir(parents=True)
        for file in files:
            (folder / file).write_text("{}" if file.endswith(".json") else "Name: demo\nVersion: 1.0\n")
    return environment


def normalized(version: str) -> str:
    try:
        return str(Version(version))
    except InvalidVersion:
        return version


WANTED = {"demo": "1.0", "odd-name": "2024.7.4"}


def test_names_and_versions_are_compared_normalized(environment: Environment) -> None:
    assert holds_exactly(environment, WANTED)


@pytest.mark.parametrize(
    "wanted",
    [{"demo": "1.0"}, WANTED | {"more": "1"}, WANTED | {"demo": "1.1"}, {"demo": "1.0", "other": "2024.7.4"}, {}],
)
def test_what_is_missing_too_much_or_other_is_seen(environment: Environment, wanted: dict[str, str]) -> None:
    assert not holds_exactly(environment, wanted)


@pytest.mark.parametrize(
    "name", ["demo-1.1.dist-info", "other-1.0.dist-info", "other.egg-info", "other.egg-link", "~emo-1.0.dist-info"]
)
def test_whatever_else_tells_of_a_distribution_asks_for_a_closer_look(environment: Environment, name: str) -> None:
    Path(environment.purelib, name).mkdir()
    assert not holds_exactly(environment, WANTED)


def test_one_without_record_or_from_elsewhere_asks_for_a_closer_look(environment: Environment) -> None:
    folder = Path(environment.purelib, "demo-1.0.dist-info")
    (folder / "direct_url.json").write_text("{}")
    assert not holds_exactly(environment, WANTED)
    (folder / "direct_url.json").unlink()
    assert holds_exactly(environment, WANTED)
    (folder / "RECORD").unlink()
    assert not holds_exactly(environment, WANTED)


def test_what_is_not_there_has_nothing(tmp_path: Path) -> None:
    assert holds_exactly(environment_at(tmp_path / "none"), {})
    assert not holds_exactly(environment_at(tmp_path / "none"), WANTED)


@given(
    st.dictionaries(FOLDERS, FILES, max_size=3),
    st.dictionaries(PROJECTS.map(canonicalize_name), VERSIONS.map(normalized), max_size=3),
)
@example({"demo-1.0.dist-info": ["RECORD"]}, {canonicalize_name("demo"): "1.0"})
def test_a_yes_is_never_denied_by_a_closer_look(folders: dict[str, list[str]], wanted: dict[str, str]) -> None:
    """What the names tell is what `read_installed` and `plan_changes` find, which understand versions (PEP 440)."""
    with tempfile.TemporaryDirectory() as folder:
        environment = made(Path(folder, "env"), folders)
        if holds_exactly(environment, wanted):
            pins = {canonicalize_name(name): Wanted(version=Version(version)) for name, version in wanted.items()}
            assert not plan_changes(pins, read_installed(environment), exact=True)
