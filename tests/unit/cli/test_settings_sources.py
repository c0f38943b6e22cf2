from __future__ import annotations

import ast
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from safe_install.cli.settings_sources import read_settings
from safe_install.errors import ExitCode, InputError
from safe_install.models import IndexStrategy, LinkMode
from safe_install.settings import GROUP_TITLES, OPTIONS, Settings


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text('[tool.safe-install]\nlink-mode = "copy"\ntimeout = 7\n')
    return tmp_path


def test_nothing_set_gives_the_defaults(tmp_path: Path) -> None:
    assert read_settings({}, {}, tmp_path) == Settings()


def test_file_beats_default(project: Path) -> None:
    assert read_settings({}, {}, project).link_mode is LinkMode.COPY


def test_variable_beats_file(project: Path) -> None:
    assert read_settings({}, {"SAFE_INSTALL_LINK_MODE": "hardlink"}, project).link_mode is LinkMode.HARDLINK


def test_command_line_beats_variable(project: Path) -> None:
    environ = {"SAFE_INSTALL_LINK_MODE": "hardlink"}
    assert read_settings({"link-mode": "reflink"}, environ, project).link_mode is LinkMode.REFLINK


def test_sources_are_merged_option_by_option(project: Path) -> None:
    settings = read_settings({"link-mode": "reflink"}, {"SAFE_INSTALL_RETRY_BUDGET": "2.5"}, project)
    assert (settings.link_mode, settings.timeout, settings.retry_budget) == (LinkMode.REFLINK, 7.0, 2.5)


def test_own_file_beats_pyproject_beside_it(project: Path) -> None:
    (project / "safe-install.toml").write_text('link-mode = "hardlink"\n')
    settings = read_settings({}, {}, project)
    assert settings.link_mode is LinkMode.HARDLINK
    assert settings.timeout == Settings().timeout


def test_file_is_found_from_a_folder_below(project: Path) -> None:
    below = project / "src" / "deep"
    below.mkdir(parents=True)
    assert read_settings({}, {}, below).link_mode is LinkMode.COPY


def test_pyproject_without_our_table_does_not_stop_the_search(project: Path) -> None:
    below = project / "member"
    below.mkdir()
    (below / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert read_settings({}, {}, below).link_mode is LinkMode.COPY


def test_path_in_a_file_is_relative_to_the_file_and_others_to_the_folder(tmp_path: Path) -> None:
    (tmp_path / "safe-install.toml").write_text('cache-dir = "store"\n')
    below = tmp_path / "below"
    below.mkdir()
    settings = read_settings({"venv": "env"}, {"SAFE_INSTALL_REPORT": "r.json"}, below)
    assert (settings.cache_dir, settings.venv, settings.report) == (tmp_path / "store", below / "env", below / "r.json")


def test_lists_in_variables_are_separated_by_white_space(tmp_path: Path) -> None:
    environ = {"SAFE_INSTALL_EXTRA_INDEX_URL": "https://a.test/simple  https://b.test/simple"}
    assert read_settings({}, environ, tmp_path).extra_index_url == ("https://a.test/simple", "https://b.test/simple")


def test_empty_variable_is_as_good_as_none(tmp_path: Path) -> None:
    assert read_settings({}, {"SAFE_INSTALL_OFFLINE": ""}, tmp_path).offline is False


@pytest.mark.parametrize(("text", "value"), [("1", True), ("true", True), ("ON", True), ("0", False), ("no", False)])
def test_flags_in_variables(tmp_path: Path, text: str, value: bool) -> None:
    assert read_settings({}, {"SAFE_INSTALL_COMPILE_BYTECODE": text}, tmp_path).compile_bytecode is value


def test_config_settings_given_twice_become_a_list(tmp_path: Path) -> None:
    settings = read_settings({"config-setting": ("a=1", "a=2", "b=x=y")}, {}, tmp_path)
    assert settings.config_setting == {"a": ["1", "2"], "b": "x=y"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        ("2026-01-31T12:00:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
    ],
)
def test_times(tmp_path: Path, text: str, value: datetime) -> None:
    assert read_settings({"exclude-newer": text}, {}, tmp_path).exclude_newer == value


def test_toml_dates_are_times(tmp_path: Path) -> None:
    (tmp_path / "safe-install.toml").write_text("exclude-newer = 2026-01-31\n")
    assert read_settings({}, {}, tmp_path).exclude_newer == datetime(2026, 1, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    ("command_line", "environ", "file", "expected"),
    [
        ({"timeout": "soon"}, {}, "", "--timeout: expected a number, not 'soon'"),
        ({"timeout": "-1"}, {}, "", "--timeout: expected seconds, 0 or more"),
        ({"timeout": "nan"}, {}, "", "--timeout: expected seconds, 0 or more"),
        ({}, {"SAFE_INSTALL_OFFLINE": "perhaps"}, "", "SAFE_INSTALL_OFFLINE: expected true or false"),
        ({}, {"SAFE_INSTALL_LINK_MODE": "symlink"}, "", "SAFE_INSTALL_LINK_MODE: expected one of auto, reflink"),
        ({}, {}, "offline = 'x'", "offline in"),
        ({}, {}, "concurrent-downloads = 0", "expected a whole number, 1 or more"),
        ({"config-setting": ("novalue",)}, {}, "", "--config-setting: expected KEY=VALUE"),
        ({"venv": "a\0b"}, {}, "", "--venv: a NUL character"),
    ],
)
def test_wrong_value_names_its_source(
    tmp_path: Path, command_line: dict[str, Any], environ: dict[str, str], file: str, expected: str
) -> None:
    (tmp_path / "safe-install.toml").write_text(file)
    with pytest.raises(InputError, match=expected.replace("(", r"\(")) as caught:
        read_settings(command_line, environ, tmp_path)
    assert caught.value.exit_code is ExitCode.USAGE


def test_unknown_setting_in_a_file_suggests_the_near_one(tmp_path: Path) -> None:
    (tmp_path / "safe-install.toml").write_text('link-mod = "copy"\n')
    with pytest.raises(InputError, match="unknown setting 'link-mod'") as caught:
        read_settings({}, {}, tmp_path)
    assert caught.value.hint == "did you mean link-mode?"


def test_file_that_is_not_toml_is_told(tmp_path: Path) -> None:
    (tmp_path / "safe-install.toml").write_text("link-mode = \n")
    with pytest.raises(InputError, match=r"cannot read .*safe-install\.toml"):
        read_settings({}, {}, tmp_path)


def test_table_and_settings_agree() -> None:
    """`OPTIONS` feeds help and documentation, `Settings` the code: a default in one only would be a lie."""
    assert {each.name for each in fields(Settings)} == {option.field for option in OPTIONS}
    defaults = read_settings({}, {}, Path("/nowhere"))
    for option in OPTIONS:
        value = getattr(defaults, option.field)
        shown = value.value if isinstance(value, (LinkMode, IndexStrategy)) or hasattr(value, "value") else value
        assert (shown or None) == (option.default or None), option.name
        assert option.group in GROUP_TITLES
        assert option.commands
        assert option.help.endswith((".", "]"))


def test_every_setting_is_used_somewhere() -> None:
    """A setting that nothing reads would be a promise without a mechanism."""
    package = Path(__file__).parents[3] / "src" / "safe_install"
    used: set[str] = set()
    for path in package.rglob("*.py"):
        if path.name == "settings.py":
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        used |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    derived = {"pre": "prereleases", "only_binary": "format_control", "no_binary": "format_control"}
    unused = [option.name for option in OPTIONS if derived.get(option.field, option.field) not in used]
    assert not unused
