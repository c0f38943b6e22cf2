from __future__ import annotations

import os
from pathlib import Path

import pytest

from safe_install.cli.pip_configuration import read_pip_configuration
from safe_install.errors import InputError


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of our own: platformdirs and pathlib ask the real environment."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / ".config"))
    return tmp_path


def user_file(home: Path) -> Path:
    """The one that pip documents; on Windows the older one, since the system and no variable names the folder of the other."""
    return home / "pip" / "pip.ini" if os.name == "nt" else home / ".config" / "pip" / "pip.conf"


def environ(home: Path, **variables: str) -> dict[str, str]:
    return {"HOME": str(home), "USERPROFILE": str(home), "XDG_CONFIG_DIRS": str(home / "xdg"), **variables}


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_user_file_is_read(home: Path) -> None:
    write(user_file(home), "[global]\nindex-url = https://user.test/simple\n")
    assert read_pip_configuration(environ(home)).index_url == "https://user.test/simple"


def test_variable_beats_file(home: Path) -> None:
    write(user_file(home), "[global]\nindex-url = https://user.test/simple\n")
    configuration = read_pip_configuration(environ(home, PIP_INDEX_URL="https://variable.test/simple"))
    assert configuration.index_url == "https://variable.test/simple"


def test_install_section_beats_global(home: Path) -> None:
    write(
        home / ("pip/pip.ini" if os.name == "nt" else ".pip/pip.conf"),
        "[global]\nno_index = no\n[install]\nno-index = yes\n",
    )
    assert read_pip_configuration(environ(home)).no_index is True


def test_named_file_beats_user_file(home: Path) -> None:
    write(user_file(home), "[global]\nindex-url = https://user.test/simple\n")
    named = write(home / "named.conf", "[global]\nindex-url = https://named.test/simple\n")
    assert read_pip_configuration(environ(home, PIP_CONFIG_FILE=str(named))).index_url == "https://named.test/simple"


def test_null_device_switches_files_off(home: Path) -> None:
    write(user_file(home), "[global]\nindex-url = https://user.test/simple\n")
    assert read_pip_configuration(environ(home, PIP_CONFIG_FILE=os.devnull)).index_url is None


def test_lists_are_split_at_white_space_and_lines(home: Path) -> None:
    named = write(
        home / "p.conf", "[global]\nextra-index-url =\n  https://a.test/s\n  https://b.test/s\nfind-links = /w\n"
    )
    configuration = read_pip_configuration(environ(home, PIP_CONFIG_FILE=str(named)))
    assert configuration.extra_index_urls == ("https://a.test/s", "https://b.test/s")
    assert configuration.find_links == ("/w",)


@pytest.mark.parametrize("variable", ["PIP_TIMEOUT", "PIP_DEFAULT_TIMEOUT"])
def test_timeout_has_two_names(home: Path, variable: str) -> None:
    assert read_pip_configuration(environ(home, **{variable: "180"})).timeout == 180.0


def test_malformed_file_is_told_as_usage_error(home: Path) -> None:
    named = write(home / "bad.conf", "index-url = x\n")
    with pytest.raises(InputError, match=r"bad\.conf"):
        read_pip_configuration(environ(home, PIP_CONFIG_FILE=str(named)))


def test_malformed_timeout_is_told(home: Path) -> None:
    with pytest.raises(InputError, match="timeout is not a number"):
        read_pip_configuration(environ(home, PIP_TIMEOUT="soon"))
