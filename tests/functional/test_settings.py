"""Which setting holds: command line, variable, file, pip's configuration, default; from end to end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from helpers.command import Command
    from helpers.stocked_index import StockedIndex


@pytest.fixture
def sources(index: StockedIndex) -> dict[str, str]:
    """Indexes that each offer another version of ``lib``, so that the version tells which was asked."""
    for number, root in enumerate(("pip", "file", "variable", "line"), start=1):
        index.wheel("lib", f"{number}.0", root=root)
    return {root: index.root(root) for root in ("pip", "file", "variable", "line")}


def chosen(command: Command, *arguments: str, **variables: Any) -> str:
    command.use(None)
    return command("install", "lib", "--venv", "env", *arguments, **variables).versions["lib"]


def test_variable_of_pip_beats_the_default(command: Command, sources: dict[str, str]) -> None:
    assert chosen(command, PIP_INDEX_URL=sources["pip"]) == "1.0"


def test_file_of_pip_counts(command: Command, sources: dict[str, str]) -> None:
    path = command.write("pip.conf", f"[global]\nindex-url = {sources['pip']}\n")
    assert chosen(command, PIP_CONFIG_FILE=str(path)) == "1.0"


def test_project_file_beats_pip(command: Command, sources: dict[str, str]) -> None:
    command.write("pyproject.toml", f'[tool.safe-install]\nindex-url = "{sources["file"]}"\n')
    assert chosen(command, PIP_INDEX_URL=sources["pip"]) == "2.0"


def test_own_file_beats_the_project_file(command: Command, sources: dict[str, str]) -> None:
    command.write("pyproject.toml", f'[tool.safe-install]\nindex-url = "{sources["pip"]}"\n')
    command.write("safe-install.toml", f'index-url = "{sources["file"]}"\n')
    assert chosen(command) == "2.0"


def test_variable_beats_every_file(command: Command, sources: dict[str, str]) -> None:
    command.write("safe-install.toml", f'index-url = "{sources["file"]}"\n')
    assert chosen(command, SAFE_INSTALL_INDEX_URL=sources["variable"], PIP_INDEX_URL=sources["pip"]) == "3.0"


def test_command_line_beats_everything(command: Command, sources: dict[str, str]) -> None:
    command.write("safe-install.toml", f'index-url = "{sources["file"]}"\n')
    variables: dict[str, Any] = {"SAFE_INSTALL_INDEX_URL": sources["variable"], "PIP_INDEX_URL": sources["pip"]}
    assert chosen(command, "--index-url", sources["line"], **variables) == "4.0"


def test_index_of_a_requirements_file_beats_that_of_pip(command: Command, sources: dict[str, str]) -> None:
    command.write("requirements.txt", f"--index-url {sources['file']}\nlib\n")
    command.use(None)
    result = command("install", "-r", "requirements.txt", PIP_INDEX_URL=sources["pip"])
    assert result.versions == {"lib": "2.0"}


def test_own_setting_beats_the_requirements_file(command: Command, sources: dict[str, str]) -> None:
    command.write("requirements.txt", f"--index-url {sources['file']}\nlib\n")
    result = command("install", "-r", "requirements.txt", "-i", sources["line"])
    assert result.versions == {"lib": "4.0"}


def test_flag_can_be_switched_back_on_the_command_line(command: Command, index: StockedIndex) -> None:
    index.wheel("lib")
    command.write("safe-install.toml", "compile-bytecode = false\n")
    command("install", "lib", "--compile-bytecode", SAFE_INSTALL_COMPILE_BYTECODE=None)
    assert list(command.venv.rglob("lib/__pycache__/*.pyc"))


def test_path_in_a_file_is_relative_to_it(command: Command, index: StockedIndex) -> None:
    index.wheel("lib")
    command.write("safe-install.toml", 'venv = "environments/ci"\n')
    below = command.folder / "deep" / "below"
    below.mkdir(parents=True)
    command("install", "lib", folder=below)
    assert command.installed(command.folder / "environments" / "ci") == {"lib": "1.0"}


@pytest.mark.parametrize(
    ("arguments", "variables", "told"),
    [
        (["--timeout", "soon"], {}, "--timeout"),
        ([], {"SAFE_INSTALL_OFFLINE": "perhaps"}, "SAFE_INSTALL_OFFLINE"),
        (["--link-mode", "symlink"], {}, "--link-mode"),
        (["--no-such-option"], {}, "--no-such-option"),
        (["--quiet", "--verbose"], {}, "--quiet"),
    ],
)
def test_wrong_setting_is_a_usage_error_that_names_it(
    command: Command, arguments: list[str], variables: dict[str, Any], told: str
) -> None:
    with command.unchanged():
        result = command("install", "lib", *arguments, code=2, **variables)
    assert told in result.stderr
    assert "Traceback" not in result.stderr


def test_unknown_key_in_a_file_suggests_the_near_one(command: Command) -> None:
    command.write("safe-install.toml", 'index-uri = "x"\n')
    assert "did you mean index-url" in command("install", "lib", code=2).stderr
