"""uv#12036: builds and installs fail on NFS with "Directory not empty" and "Device or resource busy" (``.nfs…``).

A file that somebody on the same host holds open is not removed by an NFS client but renamed to ``.nfs…`` in its folder,
which then cannot be removed. Build backends remove folders that they made a moment ago; an installer that unpacks
``.data`` folders into the environment does it as well. Here store, environment and the holder's eyes are on NFS. What
keeps it right is that builds take place in local scratch (promise 6), and that nothing temporary ever is in an environment.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from helpers.herd import damage_of
from helpers.wheels import make_wheel
from labs.nfs import holder
from labs.nfs.commands import command_on

if TYPE_CHECKING:
    from collections.abc import Iterator

    from labs.nfs.commands import HostCommand
    from labs.nfs.mounts import Mount

pytestmark = pytest.mark.lab_nfs("report")

HOLD_SECONDS = 0.2

# What setuptools does (`dist_info`, `editable_wheel` and `_build_with_temp_dir`): it fills an ``.egg-info`` in the folder for
# the result, makes a ``.dist-info`` of it, removes it, and all that in a temporary folder which it removes as well.
BACKEND = """
import os, shutil, sys, tempfile
sys.path.insert(0, os.path.dirname(__file__))
import packing

def _build(folder, editable):
    with tempfile.TemporaryDirectory(prefix=".tmp-", dir=folder) as place:
        info = os.path.join(place, "demo.egg-info")
        os.mkdir(info)
        for name in ("PKG-INFO", "SOURCES.txt", "dependency_links.txt", "requires.txt", "top_level.txt", "zip-safe"):
            with open(os.path.join(info, name), "w") as file:
                file.write("x" * 200)
        shutil.copytree(info, os.path.join(place, "demo-1.0.dist-info"))
        shutil.rmtree(info)
    name, content = packing.wheel(editable)
    with open(os.path.join(folder, name), "wb") as file:
        file.write(content)
    return name

def build_wheel(folder, config_settings=None, metadata_directory=None):
    return _build(folder, False)

def build_editable(folder, config_settings=None, metadata_directory=None):
    return _build(folder, True)
"""
PROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
DEMO = {
    "pyproject.toml": PROJECT + '[project]\nname = "demo"\nversion = "1.0"\n',
    "backend.py": BACKEND,
    "src/demo/__init__.py": '__version__ = "1.0"\n',
}
# The shape of dill: commands in .data/scripts.
DILL: dict[str, Any] = {
    "files": {f"dill/{name}.py": "x = 1\n" for name in ("__init__", "_dill", "session", "source", "temp")},
    "scripts": dict.fromkeys(("get_gprof", "get_objgraph", "undill"), "#!python\nprint('dill')\n"),
}
# The shape of antlr4-python3-runtime: a script, and many modules; with headers and data on top.
ANTLR: dict[str, Any] = {
    "files": {f"antlr4/{folder}/m{number}.py": "x = 1\n" for folder in ("atn", "dfa", "tree") for number in range(8)},
    "scripts": {"pygrun": "#!python\nprint('pygrun')\n"},
    "data": {"headers/antlr.h": "/* */\n", "data/share/antlr/grammar.g4": "g\n"},
}


@pytest.fixture
def rounds(request: pytest.FixtureRequest, nfs: Mount) -> int:
    """How often each test tries."""
    number: int = request.config.getoption("--rounds")
    nfs.figures["rounds"] += number
    return number


@pytest.fixture
def job(nfs: Mount) -> Iterator[HostCommand]:
    """The command with store and environment on NFS, and a holder that opens every file there."""
    command = command_on(nfs, nfs.hosts[0], "job", place="both")
    with holding(nfs.folder):
        yield command


@contextlib.contextmanager
def holding(folder: Path) -> Iterator[None]:
    process = subprocess.Popen(
        [sys.executable, holder.__file__, str(folder), str(HOLD_SECONDS)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "holding\n"
        yield
        assert process.poll() is None, "the holder was to hold until the end"
    finally:
        process.kill()
        process.communicate()


def project(folder: Path) -> Path:
    """A checkout of a project with that backend, on the host's own disk."""
    editable = ("demo.pth", f"{folder / 'src'}\n")
    packed = {
        False: make_wheel("demo", "1.0", files={"demo/__init__.py": DEMO["src/demo/__init__.py"]}),
        True: make_wheel("demo", "1.0", files=dict([editable])),
    }
    text = f"_PACKED = {packed!r}\ndef wheel(editable):\n    return _PACKED[editable]\n"
    for name, content in {**DEMO, "packing.py": text}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return folder


def sdist(folder: Path, number: int) -> Path:
    """An sdist of it, with a digest of its own, so that each is built."""
    import tarfile

    source = project(folder / f"demo-1.0-{number}")
    (source / "PKG-INFO").write_text(f"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\nSummary: {number}\n")
    target = folder / f"demo-1.0-{number}" / "demo-1.0.tar.gz"
    with tarfile.open(target, "w:gz") as archive:
        for path in sorted(source.rglob("*")):
            if path.is_file() and path != target:
                archive.add(path, f"demo-1.0/{path.relative_to(source)}")
    return target


def test_editable_installs(job: HostCommand, rounds: int) -> None:
    source = project(job.home / "demo")
    for number in range(rounds):
        venv = job.folder / f"venv-{number % 2}"
        job("install", "-e", source, "--venv", venv)
        assert job.run_python("import demo; print(demo.__file__)", venv) == str(source / "src/demo/__init__.py")


def test_builds_of_sdists(job: HostCommand, rounds: int) -> None:
    for number in range(rounds):
        archive = sdist(job.home, number)
        result = job("install", f"demo @ {archive.as_uri()}", "--venv", job.folder / f"venv-{number % 2}")
        assert result.counts["built"] == 1
    assert damage_of(job.store) == []


def test_wheels_with_data_folders(nfs: Mount, job: HostCommand, rounds: int) -> None:
    """Into new environments, and over what is there."""
    locks = [nfs.folder / "new.txt", nfs.folder / "old.txt"]
    locks[0].write_text(nfs.wheel("dill", "0.4.0", **DILL) + nfs.wheel("antlr4-python3-runtime", "4.9.3", **ANTLR))
    locks[1].write_text(nfs.wheel("antlr4-python3-runtime", "4.9.2", **ANTLR))
    for number in range(rounds):
        venv = job.folder / f"venv-{number // 2}"
        job("sync", locks[number % 2], "--venv", venv)
        assert list(venv.rglob("*.data")) == []
        assert (venv / "bin" / "pygrun").exists()


def test_what_holds_is_the_rule_of_scratch(nfs: Mount, job: HostCommand) -> None:
    """With scratch forced into the store's file system the report is back."""
    job.variables["SAFE_INSTALL_SCRATCH"] = str(nfs.folder / "scratch")
    nfs.leftovers_expected = True
    errors = []
    for number in range(6):
        process = job.start(
            "install", f"demo @ {sdist(job.home, number).as_uri()}", "--venv", job.folder / f"v{number}"
        )
        stdout, stderr = process.communicate(timeout=120)
        if job.result(process.returncode, stdout, stderr).code:
            errors.append(stderr)
    assert errors != []
    assert any("Directory not empty" in error or "Device or resource busy" in error for error in errors), errors[0]
