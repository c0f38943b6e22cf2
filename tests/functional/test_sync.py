"""``ci-install sync``: an environment that is exactly what a lock says."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from safe_install.store.layout import IMAGES, WHEELS

if TYPE_CHECKING:
    from helpers.command import Command
    from helpers.index import Offered
    from helpers.stocked_index import StockedIndex


def pinned(*files: Offered) -> str:
    """A requirements file with a line and a hash for each file."""
    lines = []
    for file in files:
        name, version = file.filename.split("-")[:2]
        lines.append(f"{name}=={version} \\\n    --hash=sha256:{file.sha256}\n")
    return "".join(lines)


@pytest.fixture
def locked(command: Command, index: StockedIndex) -> list[Offered]:
    """Two distributions, and ``requirements.txt`` that pins them with hashes."""
    files = [index.wheel("alpha"), index.wheel("beta", "2.0")]
    command.write("requirements.txt", pinned(*files))
    return files


@pytest.mark.usefixtures("locked")
def test_pinned_requirements_make_an_environment_that_imports(command: Command) -> None:
    result = command("sync", "requirements.txt")
    assert command.installed() == {"alpha": "1.0", "beta": "2.0"}
    assert command.run_python("import alpha, beta; print(alpha.__version__, beta.__version__)") == "1.0 2.0"
    assert result.actions == {"alpha": "installed", "beta": "installed"}


def test_pins_without_hashes_are_enough(command: Command, index: StockedIndex) -> None:
    index.wheel("alpha")
    command.write("requirements.txt", "alpha==1.0\n")
    command("sync", "requirements.txt")
    assert command.installed() == {"alpha": "1.0"}


@pytest.mark.usefixtures("locked")
def test_what_the_lock_does_not_name_is_removed(command: Command, index: StockedIndex) -> None:
    index.wheel("stray")
    command("install", "stray")
    result = command("sync", "requirements.txt")
    assert command.installed() == {"alpha": "1.0", "beta": "2.0"}
    assert result.report is not None
    assert result.report["removed"] == ["stray==1.0"]
    assert not list(command.venv.rglob("stray*"))


@pytest.mark.usefixtures("locked")
def test_second_sync_changes_nothing(command: Command) -> None:
    command("sync", "requirements.txt")
    with command.unchanged():
        result = command("sync", "requirements.txt")
    assert result.actions == {"alpha": "kept", "beta": "kept"}
    assert result.counts["files"] == 0


@pytest.mark.usefixtures("locked")
def test_other_versions_replace_what_is_there(command: Command, index: StockedIndex) -> None:
    command("sync", "requirements.txt")
    command.write("requirements.txt", pinned(index.wheel("alpha", "3.0"), index.wheel("beta", "2.0")))
    result = command("sync", "requirements.txt")
    assert command.installed() == {"alpha": "3.0", "beta": "2.0"}
    assert command.run_python("import alpha; print(alpha.__version__)") == "3.0"
    assert result.actions == {"alpha": "replaced", "beta": "kept"}


@pytest.mark.usefixtures("locked")
def test_hashed_requirements_cost_no_request_the_second_time(command: Command, index: StockedIndex) -> None:
    command("sync", "requirements.txt")
    index.forget()
    result = command("sync", "requirements.txt", "--venv", "second")
    assert index.count() == 0
    assert result.counts["bytes_fetched"] == 0
    assert command.installed(command.folder / "second") == {"alpha": "1.0", "beta": "2.0"}


@pytest.mark.usefixtures("locked")
def test_warm_sync_works_without_the_index_and_without_offline(command: Command, index: StockedIndex) -> None:
    command("sync", "requirements.txt")
    command.use(None)
    command("sync", "requirements.txt", "--venv", "second", "--index-url", "http://127.0.0.1:9/simple/")
    assert command.installed(command.folder / "second") == {"alpha": "1.0", "beta": "2.0"}


def test_wheel_in_the_store_is_not_fetched_again(command: Command, index: StockedIndex) -> None:
    index.wheel("alpha")
    command("install", "alpha")
    index.forget()
    command.write("requirements.txt", "alpha==1.0\n")
    result = command("sync", "requirements.txt", "--venv", "second")
    assert index.files_read() == 0
    assert result.counts["reused"] == 1


def test_only_what_is_missing_is_fetched(command: Command, index: StockedIndex, locked: list[Offered]) -> None:
    command("sync", "requirements.txt")
    index.forget()
    command.write("requirements.txt", pinned(*locked, index.wheel("gamma")))
    command("sync", "requirements.txt")
    assert index.count("/files/simple/gamma-*.whl") == 1
    assert index.files_read() == 1


def test_lock_with_hashes_reads_no_index_page_at_all(command: Command, index: StockedIndex) -> None:
    index.wheel("alpha", requires_dist=["beta"])
    index.wheel("beta", "2.0")
    command("lock", "alpha", "-o", "pylock.toml")
    index.forget()
    command("sync", "pylock.toml")
    assert index.pages_read() == 0
    assert index.files_read() == 2
    assert command.installed() == {"alpha": "1.0", "beta": "2.0"}


def test_markers_in_a_requirements_file_choose(command: Command, index: StockedIndex) -> None:
    index.wheel("alpha")
    index.wheel("beta")
    command.write("requirements.txt", "alpha==1.0 ; python_version >= '3'\nbeta==1.0 ; python_version < '3'\n")
    command("sync", "requirements.txt")
    assert command.installed() == {"alpha": "1.0"}


def test_two_files_are_one_set(command: Command, index: StockedIndex) -> None:
    command.write("a.txt", pinned(index.wheel("alpha")))
    command.write("b.txt", pinned(index.wheel("beta")))
    command("sync", "a.txt", "b.txt")
    assert command.installed() == {"alpha": "1.0", "beta": "1.0"}


def test_two_files_that_disagree_are_refused(command: Command, index: StockedIndex) -> None:
    command.write("a.txt", pinned(index.wheel("alpha", "1.0")))
    command.write("b.txt", pinned(index.wheel("alpha", "2.0")))
    with command.unchanged():
        result = command("sync", "a.txt", "b.txt", code=2)
    assert result.error == "locks-disagree"
    assert "a.txt" in result.stderr
    assert "b.txt" in result.stderr


def test_requirement_without_a_pin_is_refused(command: Command, index: StockedIndex) -> None:
    index.wheel("alpha")
    command.write("requirements.txt", "alpha>=1\n")
    with command.unchanged():
        result = command("sync", "requirements.txt", code=2)
    assert "requirements.txt:1" in result.stderr
    assert "alpha" in result.stderr
    assert index.count() == 0


def test_file_without_a_hash_is_refused_where_others_have_one(command: Command, index: StockedIndex) -> None:
    index.wheel("beta")
    command.write("requirements.txt", pinned(index.wheel("alpha")) + "beta==1.0\n")
    with command.unchanged():
        result = command("sync", "requirements.txt", code=9)
    assert result.error == "hashes-required"
    assert "beta==1.0" in result.stderr
    assert "alpha" not in result.stderr
    assert index.count() == 0


@pytest.mark.parametrize("warm", [False, True])
def test_digest_of_another_project_is_refused(command: Command, index: StockedIndex, warm: bool) -> None:
    """A lock that was tampered with must not install one project under the name of another, cached or not."""
    other = index.wheel("other")
    if warm:
        command("install", "other")
    command.write(
        "pylock.toml",
        'lock-version = "1.0"\ncreated-by = "test"\n[[packages]]\nname = "honest"\nversion = "1.0"\n'
        '[[packages.wheels]]\nname = "honest-1.0-py3-none-any.whl"\n'
        f'url = "{index.file_url(other.filename)}"\nhashes = {{sha256 = "{other.sha256}"}}\n',
    )
    with command.unchanged():
        result = command("sync", "pylock.toml", code=4)
    assert "honest" in result.stderr


def test_extras_and_groups_of_a_lock_are_chosen_by_option(command: Command, index: StockedIndex) -> None:
    files = {name: index.wheel(name) for name in ("core", "extra-part", "dev-part", "test-part")}
    packages = []
    markers = {"extra-part": "'fast' in extras", "dev-part": "'dev' in dependency_groups"}
    markers["test-part"] = "'test' in dependency_groups"
    for name, file in files.items():
        marker = f'marker = "{markers[name]}"\n' if name in markers else ""
        packages.append(
            f'[[packages]]\nname = "{name}"\nversion = "1.0"\n{marker}'
            f'[[packages.wheels]]\nname = "{file.filename}"\nurl = "{index.file_url(file.filename)}"\n'
            f'hashes = {{sha256 = "{file.sha256}"}}\n'
        )
    command.write(
        "pylock.toml",
        'lock-version = "1.0"\ncreated-by = "test"\nextras = ["fast"]\ndependency-groups = ["dev", "test"]\n'
        'default-groups = ["dev"]\n' + "".join(packages),
    )
    command("sync", "pylock.toml")
    assert set(command.installed()) == {"core", "dev-part"}
    command("sync", "pylock.toml", "--extra", "fast")
    assert set(command.installed()) == {"core", "dev-part", "extra-part"}
    command("sync", "pylock.toml", "--group", "test")
    assert set(command.installed()) == {"core", "test-part"}
    with command.unchanged():
        unknown = command("sync", "pylock.toml", "--extra", "fsat", code=2)
    assert "fsat" in unknown.stderr
    assert "fast" in unknown.stderr


def test_extras_belong_to_locks_only(command: Command, index: StockedIndex) -> None:
    command.write("requirements.txt", pinned(index.wheel("alpha")))
    assert "--extra" in command("sync", "requirements.txt", "--extra", "x", code=2).stderr


def test_environment_made_by_others_is_taken_over(command: Command, index: StockedIndex) -> None:
    import venv

    venv.create(command.venv, with_pip=False)
    command.write("requirements.txt", pinned(index.wheel("alpha")))
    command("sync", "requirements.txt")
    assert command.installed() == {"alpha": "1.0"}


def test_bytecode_is_compiled_by_default(command: Command, index: StockedIndex) -> None:
    command.write("requirements.txt", pinned(index.wheel("alpha")))
    command("sync", "requirements.txt", SAFE_INSTALL_COMPILE_BYTECODE=None)
    assert len(list(command.venv.rglob("alpha/__pycache__/*.pyc"))) == 1
    command("sync", "requirements.txt", "--venv", "second", "--no-compile-bytecode")
    assert not list((command.folder / "second").rglob("alpha/__pycache__"))


def test_damaged_entry_of_the_store_is_made_again(command: Command, index: StockedIndex) -> None:
    command.write("requirements.txt", pinned(index.wheel("alpha")))
    command("sync", "requirements.txt")
    [module] = command.store.glob("wheels-1/*/*/tree/alpha/__init__.py")
    module.chmod(0o644)
    module.write_text("")
    result = command("sync", "requirements.txt", "--venv", "second", "--link-mode", "copy")
    assert command.run_python("import alpha; print(alpha.__version__)", command.folder / "second") == "1.0"
    assert result.report is not None
    assert [each["kind"] for each in result.report["step_downs"]] == ["damaged-entry"]


def test_warm_takes_no_lock_of_the_store(command: Command, locked: list[Offered]) -> None:
    """A file in the place of their folder would have each of them told as passed by."""
    command("sync", "requirements.txt")
    shutil.rmtree(command.store / "locks")
    (command.store / "locks").touch()
    warm = command("sync", "requirements.txt", "--venv", "warm")
    assert (warm.counts["reused"], warm.counts["locks_passed_by"]) == (2, 0)
    # What is not there needs one.
    for entry in (*(command.store / WHEELS).glob("*/*"), *(command.store / IMAGES).glob("*/*")):
        shutil.rmtree(entry)
    # Two wheels, and their image where there is one.
    passed_by = command("sync", "requirements.txt", "--venv", "cold").counts["locks_passed_by"]
    assert passed_by == (2 if os.name == "nt" else 3)
