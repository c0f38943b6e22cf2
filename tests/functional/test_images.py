"""Images: what a lock puts into an environment, merged once, and linked from then on without looking at its wheels."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from helpers.capabilities import linux_only
from helpers.environments import environment_at, tree_of
from helpers.stocked_index import pins

from safe_install.store.layout import BYTECODE, IMAGES, WHEELS

if TYPE_CHECKING:
    from helpers.command import Command, Result
    from helpers.stocked_index import StockedIndex

pytestmark = linux_only

LOCK = "requirements.txt"


@pytest.fixture(autouse=True)
def _stocked(command: Command, index: StockedIndex) -> None:
    command.variables["SAFE_INSTALL_COMPILE_BYTECODE"] = "yes"
    command.variables["SAFE_INSTALL_LINK_MODE"] = "hardlink"
    script = "[console_scripts]\nalpha = alpha:main\n"
    offered = [
        index.wheel("alpha", files={"alpha.py": "def main(): print('alpha runs')\n"}, entry_points=script),
        index.wheel("beta", files={"beta/__init__.py": "VALUE = 1\n", "beta/deep/er/data.txt": "x"}),
        index.wheel("gamma", data={"scripts/gamma": "#!python\nprint('gamma runs')\n", "data/etc/gamma.cfg": "y\n"}),
    ]
    (command.folder / LOCK).write_text(pins(*offered))


def sync(command: Command, name: str, *arguments: str) -> Result:
    return command("sync", "--venv", name, LOCK, *arguments)


def images(command: Command) -> list[Path]:
    return list((command.store / IMAGES).glob("*/*"))


def forget(command: Command, bucket: str) -> None:
    """Remove all entries of a bucket."""
    for entry in (command.store / bucket).glob("*/*"):
        shutil.rmtree(entry)


def content(root: Path) -> dict[str, tuple[int, bytes | str]]:
    """What an environment holds, wherever it is. Hashes of scripts, which name it, are left out."""
    return {name: (mode, _neutral(name, data, root)) for name, (mode, data) in tree_of(root).items()}


def _neutral(name: str, data: bytes | str, root: Path) -> bytes | str:
    if isinstance(data, str):
        return data
    if name.endswith("/RECORD"):
        return b"\n".join(line.partition(b",")[0] if b"/bin/" in line else line for line in data.splitlines())
    return data.replace(os.fsencode(root), b"ROOT").replace(root.name.encode(), b"NAME")


def unlisted_or_changed(root: Path) -> list[str]:
    """Rows of all RECORDs that are not true."""
    library = Path(environment_at(root).purelib)
    wrong = []
    for record in library.glob("*.dist-info/RECORD"):
        with record.open(newline="") as file:
            for path, digest, size in csv.reader(file):
                place = library / path
                if not place.exists():
                    wrong.append(f"{path} is missing")
                elif digest:
                    data = place.read_bytes()
                    found = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
                    if (digest, int(size)) != (f"sha256={found}", len(data)):
                        wrong.append(f"{path} is not what is listed")
    return wrong


def run(root: Path, name: str) -> str:
    """What a command prints; one that is not marked as a program is given to the environment's Python."""
    path = str(root / "bin" / name)
    interpreter = [] if os.access(path, os.X_OK) else [environment_at(root).python]
    return subprocess.run([*interpreter, path], capture_output=True, text=True, check=True).stdout.strip()


def test_an_environment_is_the_same_with_an_image_and_without(command: Command) -> None:
    sync(command, "venv-one")
    (image,) = images(command)
    again = command.folder / "venv-two"
    sync(command, "venv-two")
    sync(command, "venv-three", "--scope", "job", "--runner-dir", str(command.store), "--cache-dir", "job-store")
    assert images(command) == [image]
    assert not list((command.folder / "job-store" / IMAGES).glob("*/*"))
    expected = content(command.folder / "venv-three")
    assert content(command.folder / "venv-one") == expected
    assert content(again) == expected
    for name in ("venv-one", "venv-two", "venv-three"):
        assert unlisted_or_changed(command.folder / name) == []
    assert (run(again, "alpha"), run(again, "gamma")) == ("alpha runs", "gamma runs")
    assert (again / "etc" / "gamma.cfg").samefile(image / "tree" / "environment" / "etc" / "gamma.cfg")


def test_the_report_is_the_same(command: Command) -> None:
    """But for what was fetched the first time."""
    sync(command, "first")
    results = [sync(command, "second"), sync(command, "third", "--no-compile-bytecode")]
    documents = [result.report for result in results]
    assert all(documents)
    first, second = (
        [{**each, "seconds": 0, "timeline": 0, "source": ""} for each in (doc or {})["distributions"]]
        for doc in documents
    )
    assert first == second
    assert [(doc or {})["counts"]["files"] for doc in documents] == [(documents[0] or {})["counts"]["files"]] * 2


def test_a_known_lock_needs_nothing_but_its_image(command: Command, index: StockedIndex) -> None:
    sync(command, "first")
    for bucket in (WHEELS, BYTECODE):
        forget(command, bucket)
    requests = len(index.requests)
    assert sync(command, "second").actions == dict.fromkeys(("alpha", "beta", "gamma"), "installed")
    assert len(index.requests) == requests
    assert command.run_python("import beta; print(beta.VALUE)", command.folder / "second") == "1"


@pytest.mark.parametrize("compiled", ["yes", "no"])
def test_where_nothing_is_to_be_done_nothing_is_done(command: Command, index: StockedIndex, compiled: str) -> None:
    command.variables["SAFE_INSTALL_COMPILE_BYTECODE"] = compiled
    sync(command, "venv")
    before = content(command.folder / "venv")
    for bucket in (IMAGES, WHEELS, BYTECODE):
        forget(command, bucket)
    requests = len(index.requests)
    result = sync(command, "venv")
    assert result.actions == dict.fromkeys(("alpha", "beta", "gamma"), "kept")
    assert (result.report or {})["counts"]["files"] == 0
    assert len(index.requests) == requests
    assert content(command.folder / "venv") == before
    assert not images(command)


def test_an_environment_that_followed_locks_is_known_too(command: Command, index: StockedIndex) -> None:
    """No image is made where an environment is changed; what its lock means is remembered all the same."""
    sync(command, "venv")
    lines = (command.folder / LOCK).read_text().splitlines(keepends=True)
    (command.folder / LOCK).write_text("".join(line for line in lines if not line.startswith("beta")))
    assert sync(command, "venv").actions == {"alpha": "kept", "gamma": "kept"}
    assert len(images(command)) == 1
    forget(command, WHEELS)
    assert sync(command, "venv").actions == {"alpha": "kept", "gamma": "kept"}
    # The same lock, for a new environment, makes the image that there is not yet.
    assert sync(command, "other").actions == {"alpha": "installed", "gamma": "installed"}
    assert len(images(command)) == 2
    requests = len(index.requests)
    forget(command, WHEELS)
    assert sync(command, "third").actions == {"alpha": "installed", "gamma": "installed"}
    assert len(index.requests) == requests
    assert run(command.folder / "third", "alpha") == "alpha runs"


@pytest.mark.parametrize(
    ("change", "beta"),
    [
        ("rm -r beta-1.0.dist-info", "installed"),
        ("mkdir delta-1.0.dist-info; touch delta-1.0.dist-info/RECORD", "kept"),
    ],
    ids=["gone", "too much"],
)
def test_an_environment_that_was_changed_is_put_right(command: Command, change: str, beta: str) -> None:
    sync(command, "venv")
    before = content(command.folder / "venv")
    subprocess.run(["sh", "-c", change], cwd=environment_at(command.folder / "venv").purelib, check=True)
    assert sync(command, "venv").actions == {"alpha": "kept", "beta": beta, "gamma": "kept"}
    assert content(command.folder / "venv").keys() == before.keys()


def test_an_image_that_is_gone_is_made_again(command: Command) -> None:
    sync(command, "first")
    forget(command, IMAGES)
    sync(command, "second")
    assert len(images(command)) == 1
    assert run(command.folder / "second", "alpha") == "alpha runs"


def test_a_damaged_image_is_made_again(command: Command) -> None:
    sync(command, "first")
    (image,) = images(command)
    recipe = image / "tree" / "recipe.json"
    os.chmod(recipe, 0o644)
    os.truncate(recipe, 3)
    sync(command, "second")
    assert run(command.folder / "second", "alpha") == "alpha runs"
    assert any(each.name.startswith(IMAGES) for each in (command.store / "quarantine").iterdir())
    command("cache", "verify")


def test_what_a_job_does_to_a_linked_file_reaches_no_later_one(command: Command) -> None:
    """The file is one of the wheel's entry and of the image, too."""
    sync(command, "first")
    module = Path(environment_at(command.folder / "first").purelib) / "beta" / "__init__.py"
    os.chmod(module, 0o644)
    module.write_text("VALUE = 666\n")
    sync(command, "second")
    assert command.run_python("import beta; print(beta.VALUE)", command.folder / "second") == "1"
    sync(command, "third")
    assert command.run_python("import beta; print(beta.VALUE)", command.folder / "third") == "1"


def test_another_lock_or_option_is_another_image(command: Command, index: StockedIndex) -> None:
    sync(command, "first")
    sync(command, "second", "--no-compile-bytecode")
    assert len(images(command)) == 2
    assert not list((command.folder / "second").rglob("beta/**/*.pyc"))
    newer = index.wheel("beta", "2.0", files={"beta/__init__.py": "VALUE = 2\n"})
    lock = command.folder / LOCK
    kept = [line for line in lock.read_text().split("\n") if not line.startswith("beta")]
    lock.write_text("\n".join(kept) + pins(newer))
    sync(command, "third")
    assert command.run_python("import beta; print(beta.VALUE)", command.folder / "third") == "2"
    assert len(images(command)) == 3


def test_what_may_come_to_mean_something_else_is_read_each_time(command: Command, index: StockedIndex) -> None:
    """A pin without a digest, and a file that names another one."""
    (command.folder / LOCK).write_text("alpha==1.0\nbeta==1.0\n")
    sync(command, "first")
    for bucket in (WHEELS, BYTECODE):
        forget(command, bucket)
    requests = index.files_read()
    sync(command, "second")
    assert index.files_read() == requests + 2
    (command.folder / "inner.txt").write_text("alpha==1.0\n")
    (command.folder / LOCK).write_text("-r inner.txt\n")
    sync(command, "third")
    (command.folder / "inner.txt").write_text("beta==1.0\n")
    assert sync(command, "fourth").actions == {"beta": "installed"}


@pytest.mark.parametrize("name", ["with space", "n" * 150])
def test_scripts_run_wherever_the_environment_is(command: Command, name: str) -> None:
    sync(command, "first")
    sync(command, name)
    assert unlisted_or_changed(command.folder / name) == []
    assert (run(command.folder / name, "alpha"), run(command.folder / name, "gamma")) == ("alpha runs", "gamma runs")


def test_strict_isolation_shares_no_file_with_an_image(command: Command) -> None:
    command.variables.pop("SAFE_INSTALL_LINK_MODE")
    sync(command, "first", "--isolation", "strict")
    (image,) = images(command)
    theirs = command.folder / "first" / "etc" / "gamma.cfg"
    assert not theirs.samefile(image / "tree" / "environment" / "etc" / "gamma.cfg")


def test_an_environment_that_exists_is_changed_without_one(command: Command) -> None:
    command("install", "beta", "--venv", "venv")
    assert sync(command, "venv").actions == {"alpha": "installed", "beta": "kept", "gamma": "installed"}
    assert images(command) == []


def test_images_are_listed_collected_and_cleaned(command: Command) -> None:
    sync(command, "first")
    assert "image" in command("cache", "ls").stdout
    command("cache", "gc", "--max-age", "0")
    assert images(command) == []
    sync(command, "second")
    command("cache", "clean")
    assert images(command) == []


def test_a_full_disk_is_helped_although_images_hold_on_to_the_files_of_wheels(command: Command) -> None:
    sync(command, "first")
    shutil.rmtree(command.folder / "first")
    result = json.loads(command("cache", "gc", "--min-free", "1000000TB", "--json").stdout)
    assert images(command) == []
    assert not list((command.store / WHEELS).glob("*/*"))
    assert sum(each["freed"] for each in result["removed"]) > 0


def test_an_image_counts_what_it_shares_with_nobody(command: Command) -> None:
    sync(command, "first", "--no-compile-bytecode")
    buckets = json.loads(command("cache", "info", "--json").stdout)["buckets"]
    assert buckets[IMAGES]["bytes"] > 0
    (image,) = images(command)
    assert buckets[IMAGES]["bytes"] < sum(path.stat().st_size for path in image.rglob("*") if path.is_file())


def test_a_python_script_that_names_its_interpreter_is_made_too(command: Command, index: StockedIndex) -> None:
    """It is listed without bytecode, which nothing would import."""
    offered = [index.wheel("delta", data={"scripts/delta.py": "#!python\nprint('delta runs')\n"}), index.wheel("alpha")]
    (command.folder / LOCK).write_text(pins(*offered))
    for name in ("first", "second"):
        sync(command, name)
        assert run(command.folder / name, "delta.py") == "delta runs"
        assert unlisted_or_changed(command.folder / name) == []
    assert len(images(command)) == 1
