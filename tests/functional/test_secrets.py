"""No secret is on screen, in a report, in a store or in an environment, wherever it came from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from helpers.command import Command, Result
    from helpers.stocked_index import StockedIndex

USER, PASSWORD = "build-bot", "h1dden-w0rd"


@pytest.fixture(autouse=True)
def guarded(index: StockedIndex) -> None:
    index.credentials = (USER, PASSWORD)
    index.wheel("app", requires_dist=["lib"])
    index.wheel("lib")


@pytest.fixture
def results() -> Iterator[list[Result]]:
    """A test puts into it what it did; nothing of it may tell the secret."""
    results: list[Result] = []
    yield results
    assert results
    for result in results:
        assert PASSWORD not in result.text


@pytest.fixture(autouse=True)
def nothing_on_disk(command: Command, tmp_path: Path) -> Iterator[None]:
    """Every file but those that a test wrote itself is free of the secret."""
    yield
    inputs = {command.home / ".netrc", command.folder / "requirements.txt", command.folder / "safe-install.toml"}
    for path in tmp_path.rglob("*"):
        if path.is_file() and not path.is_symlink() and path not in inputs:
            assert PASSWORD.encode() not in path.read_bytes(), path


def with_login(index: StockedIndex, password: str = PASSWORD) -> str:
    return index.root("simple", login=f"{USER}:{password}")


def test_credentials_in_the_index_url(command: Command, index: StockedIndex, results: list[Result]) -> None:
    command.variables["SAFE_INSTALL_INDEX_URL"] = with_login(index)
    results.append(command("install", "app", "-v"))
    results.append(command("lock", "app", "-o", "pylock.toml", "-v"))
    results.append(command("sync", "pylock.toml", "-v", "--venv", "second"))
    assert command.installed() == {"app": "1.0", "lib": "1.0"}


def test_credentials_in_a_requirements_file(command: Command, index: StockedIndex, results: list[Result]) -> None:
    command.write("requirements.txt", f"--index-url {with_login(index)}\napp\n")
    command.use(None)
    results.append(command("install", "-r", "requirements.txt", "-v"))


def test_credentials_in_a_direct_url(command: Command, index: StockedIndex, results: list[Result]) -> None:
    command.variables["SAFE_INSTALL_INDEX_URL"] = with_login(index)
    url = index.file_url("app-1.0-py3-none-any.whl").replace("://", f"://{USER}:{PASSWORD}@")
    results.append(command("install", f"app @ {url}", "-v"))
    [record] = command.venv.rglob("direct_url.json")
    assert USER not in record.read_text()


def test_credentials_in_netrc(command: Command, results: list[Result]) -> None:
    (command.home / ".netrc").write_text(f"machine 127.0.0.1 login {USER} password {PASSWORD}\n")
    (command.home / ".netrc").chmod(0o600)
    results.append(command("install", "app", "-v"))
    assert command.installed() == {"app": "1.0", "lib": "1.0"}


def test_credentials_in_a_variable(command: Command, results: list[Result]) -> None:
    refused = command("install", "app", code=3)
    [name] = {word.partition("=")[0] for word in refused.stderr.split() if word.startswith("SAFE_INSTALL_CREDENTIALS_")}
    results.append(command("install", "app", "-v", **{name: f"{USER}:{PASSWORD}"}))  # type: ignore[arg-type]  # a variable
    assert command.installed() == {"app": "1.0", "lib": "1.0"}


def test_credentials_in_our_own_file(command: Command, index: StockedIndex, results: list[Result]) -> None:
    command.use(None)
    command.write("safe-install.toml", f'index-url = "{with_login(index)}"\n')
    results.append(command("install", "app", "-v"))


@pytest.mark.parametrize("status", [403, 404, 500])
def test_failures_show_the_url_without_its_credentials(
    command: Command, index: StockedIndex, results: list[Result], status: int
) -> None:
    index.fail(path="/simple/*", status=status, times=99)
    command.variables["SAFE_INSTALL_INDEX_URL"] = with_login(index)
    results.append(command("install", "app", "-v", code=1 if status == 404 else 3))


def test_wrong_password_is_not_shown(command: Command, index: StockedIndex, results: list[Result]) -> None:
    command.variables["SAFE_INSTALL_INDEX_URL"] = with_login(index, PASSWORD + "-old")
    result = command("install", "app", "-v", code=3)
    results.append(result)
    assert result.error == "index-unauthorized"


def test_malformed_settings_do_not_show_what_they_hold(
    command: Command, index: StockedIndex, results: list[Result]
) -> None:
    url = with_login(index)
    results.append(command("install", "app", "--timeout", url, code=2))
    results.append(command("install", "app", "--index-url", url.replace("http", "gopher"), code=2))
    results.append(command("install", "app", f"--index-uri={url}", code=2))
    results.append(command("install", f"app @ {url} nonsense", code=2))
    command.write("requirements.txt", f"--index-uri {url}\n")
    results.append(command("install", "-r", "requirements.txt", code=2))


def test_pages_are_kept_for_each_login_apart(command: Command, index: StockedIndex, results: list[Result]) -> None:
    """What one login may read must not be served to another from the store (design section 5)."""
    command.variables["SAFE_INSTALL_INDEX_URL"] = with_login(index)
    results.append(command("install", "app"))
    command.variables["SAFE_INSTALL_INDEX_URL"] = index.url
    results.append(command("install", "app", "--offline", "--venv", "second", code=3))
