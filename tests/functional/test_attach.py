"""Attached environments: they refer to an image, and are used like all others."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from helpers.environments import environment_at
from helpers.stocked_index import pins

from safe_install.store.layout import IMAGES

if TYPE_CHECKING:
    from helpers.command import Command, Result
    from helpers.stocked_index import StockedIndex

LOCK = "requirements.txt"
FILES = {
    "alpha/__init__.py": "VALUE = 1\ndef main(): print('alpha runs')\n",
    "shared/one.py": "NUMBER = 1\n",
    "path_of_alpha.pth": "alpha/inner\n",
    "alpha/inner/found_by_path.py": "VALUE = 2\n",
    "alpha/broken.py": "this is {{ no }} Python\n",
}
POINTS = "[console_scripts]\nalpha = alpha:main\n\n[plugins]\none = alpha:VALUE\n"


@pytest.fixture(autouse=True)
def _stocked(command: Command, index: StockedIndex) -> None:
    command.variables |= {
        "SAFE_INSTALL_COMPILE_BYTECODE": "yes",
        "SAFE_INSTALL_LINK_MODE": "attach",
        "SAFE_INSTALL_ISOLATION": "shared",
    }
    offered = [
        index.wheel("alpha", files=FILES, entry_points=POINTS),
        index.wheel("beta", files={"beta.py": "VALUE = 1\n", "shared/two.py": "NUMBER = 2\n"}),
        index.wheel("gamma", data={"scripts/gamma": "#!python\nprint('gamma runs')\n", "data/etc/gamma.cfg": "y\n"}),
    ]
    (command.folder / LOCK).write_text(pins(*offered))


def sync(command: Command, name: str, *arguments: str, code: int = 0) -> Result:
    return command("sync", "--venv", name, LOCK, *arguments, code=code)


def images(command: Command) -> list[Path]:
    return list((command.store / IMAGES).glob("*/*"))


def python(command: Command, name: str, code: str) -> str:
    return command.run_python(code, command.folder / name)


def test_everything_works_as_in_any_other_environment(command: Command) -> None:
    report = sync(command, "venv").report
    assert report
    assert {each["link_mode"] for each in report["distributions"]} == {"attach"}
    root = command.folder / "venv"
    (image,) = images(command)
    assert python(command, "venv", "import alpha; print(alpha.__file__)").startswith(str(image))
    assert python(command, "venv", "import shared.one, shared.two; print(shared.one.NUMBER + shared.two.NUMBER)") == "3"
    assert python(command, "venv", "import found_by_path; print(found_by_path.VALUE)") == "2"
    code = "from importlib.metadata import *; print(version('beta'), entry_points(group='plugins')['one'].load())"
    assert python(command, "venv", code) == "1.0 1"
    # Newer Pythons leave out what lies elsewhere, as scripts do.
    code = "from importlib.metadata import *; print(sum('..' not in path.parts for path in files('alpha')))"
    assert python(command, "venv", code) == "14"
    alpha = Path(environment_at(root).scripts, "alpha.exe" if os.name == "nt" else "alpha")
    assert subprocess.run([alpha], capture_output=True, text=True, check=True).stdout == "alpha runs\n"
    assert (root / "etc" / "gamma.cfg").read_text() == "y\n"
    assert not list(Path(environment_at(root).purelib).glob("*.dist-info"))


def test_it_says_that_it_is_refused_where_a_job_could_change_what_others_use(command: Command) -> None:
    result = sync(command, "venv", "--isolation", "standard", code=9)
    assert result.error == "attach-unshared"
    assert "--isolation shared" in result.stderr
    assert not (command.folder / "venv").exists()


def test_more_can_be_installed_on_top_and_is_found_first(command: Command, index: StockedIndex) -> None:
    sync(command, "venv")
    index.wheel("beta", "2.0", files={"beta.py": "VALUE = 2\n"})
    command("install", "beta==2.0", "--venv", "venv")
    assert python(command, "venv", "import beta, alpha; print(beta.VALUE, alpha.VALUE)") == "2 1"
    sync(command, "other")
    assert python(command, "other", "import beta; print(beta.VALUE)") == "1"


def test_pip_lists_what_is_attached_and_does_not_uninstall_it(command: Command) -> None:
    sync(command, "venv")
    command("venv", "with-pip", "--with-pip", SAFE_INSTALL_LINK_MODE="copy")
    pip = [environment_at(command.folder / "venv").python, "-m", "pip"]
    variables = {**command.variables, "PYTHONPATH": environment_at(command.folder / "with-pip").purelib}
    listed = subprocess.run(
        [*pip, "list", "--format", "json"], capture_output=True, text=True, check=True, env=variables
    )
    assert {"alpha", "beta", "gamma"} <= {each["name"] for each in json.loads(listed.stdout)}
    done = subprocess.run([*pip, "uninstall", "-y", "beta"], capture_output=True, text=True, check=False, env=variables)
    assert os.path.normcase(images(command)[0]) in os.path.normcase(done.stdout + done.stderr)
    assert "outside environment" in done.stdout + done.stderr
    assert python(command, "venv", "import beta; print(beta.VALUE)") == "1"


def test_another_sync_makes_it_anew(command: Command, index: StockedIndex) -> None:
    sync(command, "venv")
    (command.folder / "venv" / "left-by-a-job").touch()
    (command.folder / LOCK).write_text(pins(index.wheel("beta", "2.0", files={"beta.py": "VALUE = 2\n"})))
    sync(command, "venv")
    assert (
        python(command, "venv", "import beta, importlib.util; print(beta.VALUE, importlib.util.find_spec('alpha'))")
        == "2 None"
    )
    assert not (command.folder / "venv" / "left-by-a-job").exists()
    assert not list(command.folder.glob(".safe-install-*"))


def test_it_becomes_one_with_files_of_its_own_and_back(command: Command) -> None:
    sync(command, "venv")
    sync(command, "venv", "--link-mode", "copy")
    library = Path(environment_at(command.folder / "venv").purelib)
    assert python(command, "venv", "import alpha; print(alpha.__file__)").startswith(str(library))
    assert not list(library.glob("_safe_install*"))
    sync(command, "venv")
    assert python(command, "venv", "import alpha; print(alpha.__file__)").startswith(str(images(command)[0]))


def test_a_clean_up_keeps_the_image_as_long_as_the_environment_is_there(command: Command) -> None:
    sync(command, "venv")
    command("cache", "gc", "--max-age", "0")
    assert python(command, "venv", "import alpha; print(alpha.VALUE)") == "1"
    shutil.rmtree(command.folder / "venv")
    command("cache", "gc", "--max-age", "0")
    assert images(command) == []


def test_bytecode_that_python_writes_there_is_no_damage_and_reaches_nobody(command: Command) -> None:
    sync(command, "venv")
    (image,) = images(command)
    tag = "optimised"
    for cache in image.rglob("__pycache__"):
        (cache / f"alpha.{tag}.pyc").write_bytes(b"whatever")
    command("cache", "verify")
    sync(command, "linked", "--link-mode", "hardlink")
    assert not list((command.folder / "linked").rglob(f"*{tag}*"))
    assert images(command) == [image]


def test_anything_else_that_is_written_there_is_damage(command: Command) -> None:
    sync(command, "venv")
    (image,) = images(command)
    library = next(image.rglob("beta.py")).parent
    os.chmod(library, 0o755)
    (library / "unknown.py").write_text("x")
    assert image.name in command("cache", "verify", code=4).stdout


def test_an_image_that_is_gone_is_told_and_repaired(command: Command) -> None:
    sync(command, "venv")
    shutil.rmtree(images(command)[0])
    done = subprocess.run(
        [environment_at(command.folder / "venv").python, "-c", "import alpha"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "is gone; run ci-install sync again" in done.stderr
    sync(command, "venv")
    assert python(command, "venv", "import alpha; print(alpha.VALUE)") == "1"


def test_a_moved_environment_still_finds_its_image(command: Command) -> None:
    sync(command, "venv")
    (command.folder / "venv").rename(command.folder / "moved")
    assert python(command, "moved", "import alpha; print(alpha.VALUE)") == "1"


def test_a_job_with_a_store_of_its_own_refers_to_the_image_of_the_runner(command: Command) -> None:
    sync(command, "first")
    arguments = ["--scope", "job", "--runner-dir", str(command.store), "--cache-dir", "job-store"]
    sync(command, "second", *arguments)
    (image,) = images(command)
    assert python(command, "second", "import alpha; print(alpha.__file__)").startswith(str(image))
    command("cache", "gc", "--max-age", "0")
    assert python(command, "second", "import alpha; print(alpha.VALUE)") == "1"


def test_what_is_damaged_is_not_referred_to_on_the_next_day(command: Command) -> None:
    sync(command, "first")
    (image,) = images(command)
    module = next(image.rglob("beta.py"))
    os.chmod(module, 0o644)
    module.write_text("VALUE = 666\n")
    # As if the notes of today were those of another day, and of another boot.
    shutil.rmtree(command.store / "checked")
    sync(command, "second")
    assert python(command, "second", "import beta; print(beta.VALUE)") == "1"
