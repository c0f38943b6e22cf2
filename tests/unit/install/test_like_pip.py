"""What `apply` leaves in an environment equals what pip leaves there, file for file (design section 7).

pip is the one that the virtualenv library carries, so the wheels of our own need no index. Both fill an environment at
the same path, because scripts name it. The command as a whole is compared in ``tests/differential``.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from helpers.environments import environment_at, install, prepared, this_interpreter, tree_of
from helpers.wheels import make_wheel

from safe_install.install.creation import bundled_pip
from safe_install.models import LinkMode

WRITE_BITS = 0o222
# Of every kind, chosen before anything was compared: versioned commands, many scripts, headers, programs in scripts,
# extension modules, data files, namespace packages.
PROJECTS = (
    "argcomplete",
    "docutils",
    "greenlet",
    "lxml",
    "nbconvert",
    "numpy",
    "pip",
    "pybind11",
    "ruff",
    "setuptools",
    "zope.interface",
)
MADE: dict[str, dict[str, Any]] = {
    "plain": {},
    "everything": {
        "name": "Every.Thing",
        "files": {
            "every/__init__.py": "x = 1\n",
            "every/tool.sh": "#!/bin/sh\n",
            "every/data.bin": "\0\1",
            "top.py": "",
        },
        "executable": {"every/tool.sh"},
        "scripts": {
            "plain.sh": "#!/bin/sh\necho\n",
            "python.py": "#!python -s\nprint()\n",
            "window": "#!pythonw\n",
            "fixed": "#!/usr/bin/env python\n",
            "wrapped": "#!python\nwrapper of an entry point\n",
            "wrapped-script.py": "#!python\nwrapper of an entry point\n",
        },
        "data": {
            "data/share/every/x.txt": "x",
            "data/etc/every.conf": "y",
            "headers/every.h": "h",
            "headers/deep/er.h": "h",
            "purelib/from_data.py": "d = 1\n",
            "platlib/also/from_data.py": "e = 1\n",
        },
        "entry_points": (
            "[console_scripts]\nwrapped = every:main\ndotted = every.sub:Class.method [extra]\n"
            "[gui_scripts]\nwindowed=every:gui\n[other]\nnothing = every:x\n"
        ),
    },
    "platform library": {"root_is_purelib": False, "data": {"purelib/pure.py": "p = 1\n"}},
    "pip and easy_install": {
        "entry_points": "[console_scripts]\npip = demo:a\npip3.99 = demo:a\npipx = demo:b\n"
        "easy_install = demo:c\neasy_install-2.7 = demo:c\n"
    },
    "names to be quoted": {"files": {"demo/a,b.txt": "comma", "demo/it's.txt": "quote", "demo/ünï.txt": "letters"}},
    "does not compile": {"files": {"demo/__init__.py": "", "demo/py2.py": "print 'x'\n", "demo/tpl.py": "{{ a b }}"}},
    "data over root": {"files": {"demo.py": "root"}, "data": {"purelib/demo.py": "data"}},
}


def by_pip(root: Path, archive: Path, *options: str) -> None:
    """Let pip install a wheel file into the environment at *root*."""
    pip = bundled_pip(this_interpreter())
    if pip is None:
        pytest.skip("the virtualenv library carries no pip for this Python")
    command = [sys.executable, f"{pip}/pip", "--python", environment_at(root).python, "install", "--no-index"]
    command += ["--no-deps", "--quiet", "--disable-pip-version-check", "--no-cache-dir", *options, str(archive)]
    subprocess.run(command, check=True)


def comparable(root: Path, *, hardlinks: bool) -> dict[str, object]:
    """The tree, without what design section 7 lets differ."""
    found: dict[str, object] = {}
    for path, (bits, content) in tree_of(root).items():
        mode = bits & ~WRITE_BITS if hardlinks else bits
        if path.endswith((".pyc", "/INSTALLER", "/direct_url.json")) or path == "pyvenv.cfg":
            # pip names the file that it was given in `direct_url.json`; its row in RECORD goes too.
            found[path] = mode
            continue
        text = content
        if path.endswith(".dist-info/RECORD") and isinstance(content, bytes):
            text = re.sub(rb"(?m)^([^,]*(?:/INSTALLER|/direct_url.json|\.exe)),[^\r]*", rb"\1", content)
        elif path.endswith(".exe") and isinstance(content, bytes) and zipfile.is_zipfile(io.BytesIO(content)):
            text = _launched(content)
        found[path] = (mode, text)
    return found


def _launched(launcher: bytes) -> bytes:
    """Which Python a launcher starts, and what it calls there; the rest of it is another library's."""
    program, _, _ = launcher.rpartition(b"PK\x03\x04")
    with zipfile.ZipFile(io.BytesIO(launcher)) as archive:
        calls = re.findall(rb"from .+ import .+|sys\.exit\(.+\)", archive.read("__main__.py"))
    return b"\n".join([program[program.rindex(b"#!") :].strip(), *(call.strip() for call in calls)])


def compare(tmp_path: Path, archive: Path, mode: LinkMode, *, bytecode: bool) -> None:
    """Install a wheel file with pip and with `apply`, at one path, and compare."""
    root = tmp_path / "env"
    install(root, [], scratch=tmp_path)
    by_pip(root, archive, *([] if bytecode else ["--no-compile"]))
    expected = comparable(root, hardlinks=mode is LinkMode.HARDLINK)
    root.rename(tmp_path / "by-pip")
    ours = prepared(
        tmp_path / "store",
        archive.name,
        archive.read_bytes(),
        direct_url={"url": archive.as_uri(), "archive_info": {}},
        requested=True,
    )
    install(root, [ours], scratch=tmp_path, link_mode=mode, compile_bytecode=bytecode)
    found = comparable(root, hardlinks=mode is LinkMode.HARDLINK)
    assert sorted(found) == sorted(expected)
    for path in sorted(expected):
        assert found[path] == expected[path], path


@pytest.mark.parametrize("mode", [LinkMode.COPY, LinkMode.HARDLINK], ids=lambda mode: mode.value)
@pytest.mark.parametrize("name", MADE)
def test_a_wheel_made_for_this_is_installed_as_by_pip(tmp_path: Path, name: str, mode: LinkMode) -> None:
    filename, content = make_wheel(**MADE[name])
    (tmp_path / filename).write_bytes(content)
    compare(tmp_path, tmp_path / filename, mode, bytecode=True)


@pytest.fixture(scope="session")
def downloaded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The newest wheel of each project, from the index that pip is configured for."""
    folder = tmp_path_factory.mktemp("wheels")
    pip = bundled_pip(this_interpreter())
    command = [sys.executable, f"{pip}/pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    subprocess.run([*command, "--dest", str(folder), *PROJECTS], check=True)
    found = {}
    for path in folder.iterdir():
        name = path.name.partition("-")[0].replace("_", ".").lower()
        found[name] = path
    return found


@pytest.mark.index
@pytest.mark.parametrize("mode", [LinkMode.COPY, LinkMode.HARDLINK], ids=lambda mode: mode.value)
@pytest.mark.parametrize("project", PROJECTS)
def test_a_well_known_wheel_is_installed_as_by_pip(
    tmp_path: Path, downloaded: dict[str, Path], project: str, mode: LinkMode
) -> None:
    compare(tmp_path, downloaded[project], mode, bytecode=False)
