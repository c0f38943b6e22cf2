"""What attached environments meet: a clear word or a silent repair, and never a broken import without one."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from helpers.capabilities import linux_only
from helpers.environments import environment_at
from helpers.stocked_index import pins

from safe_install.store.layout import IMAGES

if TYPE_CHECKING:
    from helpers.command import Command, Result
    from helpers.index import Offered
    from helpers.stocked_index import StockedIndex

pytestmark = linux_only

ROUNDS = 5


@pytest.fixture(autouse=True)
def _attaching(command: Command) -> None:
    command.variables |= {
        "SAFE_INSTALL_COMPILE_BYTECODE": "yes",
        "SAFE_INSTALL_LINK_MODE": "attach",
        "SAFE_INSTALL_ISOLATION": "shared",
    }


def lock(command: Command, *files: Offered) -> None:
    (command.folder / "lock.txt").write_text(pins(*files))


def sync(command: Command, name: str, *arguments: str, code: int = 0) -> Result:
    return command("sync", "--venv", name, "lock.txt", *arguments, code=code)


def run(root: Path, code: str) -> subprocess.CompletedProcess[str]:
    argv = [environment_at(root).python, "-B", "-c", code]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def images(store: Path) -> list[Path]:
    return list((store / IMAGES).glob("*/*"))


def test_pth_files_that_print_or_fail_stop_nothing(command: Command, index: StockedIndex) -> None:
    """As in any other environment: `site` tells, and goes on. What they print is no answer of the interpreter, either."""
    files = {
        "a_loud.pth": "import sys; print('loud')\n",
        "b_broken.pth": "import nothing_of_this_name\n",
        "c_good.pth": "below\n",
        "below/found.py": "VALUE = 1\n",
        "alpha.py": "VALUE = 2\n",
    }
    lock(command, index.wheel("alpha", files=files), index.wheel("beta"))
    results = {}
    for name, mode in (("attached", "attach"), ("linked", "hardlink")):
        for _ in range(2):
            sync(command, name, "--link-mode", mode)
        results[name] = run(command.folder / name, "import alpha, found; print(alpha.VALUE + found.VALUE)")
        assert results[name].returncode == 0, results[name].stderr
        assert "nothing_of_this_name" in results[name].stderr
    assert results["attached"].stdout == results["linked"].stdout
    assert results["linked"].stdout.splitlines()[-1] == "3"


def test_files_that_two_wheels_bring_are_told_and_the_same_as_without_an_image(
    command: Command, index: StockedIndex
) -> None:
    one = index.wheel("alpha", files={"shared/same.py": "OWNER = 'alpha'\n", "alpha.py": ""})
    other = index.wheel("beta", files={"shared/same.py": "OWNER = 'beta'\n", "beta.py": ""})
    lock(command, one, other)
    said = set()
    for name, arguments in (
        ("attached", ()),
        ("linked", ("--link-mode", "hardlink")),
        ("alone", ("--link-mode", "copy", "--cache-dir", "job-store", "--scope", "job")),
    ):
        result = sync(command, name, *arguments)
        assert result.report is not None
        done = run(command.folder / name, "import shared.same as same; print(same.OWNER)")
        said.add((done.stdout, done.stderr))
        if name != "linked":  # made of what the first one merged
            assert "file-conflict" in {each["kind"] for each in result.report["step_downs"]}
    assert len(said) == 1


def test_a_copied_environment_works_until_its_image_is_collected_and_then_says_so(
    command: Command, index: StockedIndex
) -> None:
    lock(command, index.wheel("alpha"), index.wheel("beta"))
    sync(command, "venv")
    subprocess.run(["cp", "-a", "venv", "copy"], cwd=command.folder, check=True)
    assert run(command.folder / "copy", "import alpha").returncode == 0
    shutil.rmtree(command.folder / "venv")
    # Nobody was told of the copy.
    command("cache", "gc", "--max-age", "0")
    assert images(command.store) == []
    done = run(command.folder / "copy", "import alpha")
    assert done.returncode != 0
    assert "is gone; run ci-install sync again" in done.stderr
    sync(command, "copy")
    assert run(command.folder / "copy", "import alpha").returncode == 0


def test_a_layer_that_is_gone_is_told_and_made_up_for(command: Command, index: StockedIndex) -> None:
    lock(command, index.wheel("alpha"), index.wheel("beta"))
    runner = command.home / "runner"
    sync(command, "first", "--cache-dir", str(runner))
    arguments = ["--scope", "job", "--runner-dir", str(runner), "--cache-dir", "job-store"]
    sync(command, "venv", *arguments)
    assert images(command.folder / "job-store") == []
    runner.rename(runner.with_name("unmounted"))
    assert "is gone; run ci-install sync again" in run(command.folder / "venv", "import alpha").stderr
    sync(command, "venv", *arguments)
    (image,) = images(command.folder / "job-store")
    assert run(command.folder / "venv", "import alpha; print(alpha.__file__)").stdout.startswith(str(image))


def test_jobs_that_delete_their_environments_hurt_nobody_who_attaches(command: Command, index: StockedIndex) -> None:
    lock(command, index.wheel("alpha"), index.wheel("beta"))
    sync(command, "venv-0")
    for number in range(1, ROUNDS + 1):
        job = command.start("sync", "--venv", f"venv-{number}", "lock.txt")
        while job.poll() is None:
            shutil.rmtree(command.folder / f"venv-{number - 1}", ignore_errors=True)
            command("cache", "gc", "--max-age", "0")
        _, said = job.communicate()
        assert job.returncode == 0, said
        done = run(command.folder / f"venv-{number}", "import alpha, beta")
        assert done.returncode == 0, done.stderr
    assert command.litter() == []


def test_an_interpreter_that_is_upgraded_in_place_keeps_what_fits_it(command: Command, index: StockedIndex) -> None:
    """Another patch release of the same minor version reads the same bytecode, and needs no other image."""
    name = f"python3.{sys.version_info.minor}"
    old, new = Path(sys.base_prefix, "bin", name), Path("/usr/bin", name)
    if not new.exists() or new.samefile(old):
        # No script of ours brings one: it comes with the system, or not at all.
        pytest.skip(f"there is no other {name} on this machine")
    python = command.home / "python"
    python.symlink_to(old)
    lock(command, index.wheel("alpha"), index.wheel("beta"))
    sync(command, "venv", "--python", str(python))
    (image,) = images(command.store)
    python.unlink()
    python.symlink_to(new)
    for _ in range(2):
        done = run(command.folder / "venv", "import alpha, sys; print(alpha.__file__, sys._base_executable)")
        assert done.stdout.startswith(str(image)), done.stderr
        sync(command, "venv")
    assert images(command.store) == [image]
