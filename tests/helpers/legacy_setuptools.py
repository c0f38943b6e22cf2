"""A wheel that calls itself setuptools, for projects that have nothing but a ``setup.py`` (as in uv#3512).

It builds as setuptools builds such projects, in what matters there: in folders of the source tree with fixed names, which
it makes, fills, renames and removes, and which two builds in one tree take from one another.

``LEGACY_GATE`` names a file for which `build_wheel` waits in the middle of its work.
"""

from __future__ import annotations

import os
import runpy
import shutil
import time
from pathlib import Path
from typing import Any

from helpers import in_tree_backend
from helpers.in_tree_backend import Member, metadata_text, pack, wheel_text

_settings: dict[str, Any] = {}


def setup(**settings: Any) -> None:
    """What a ``setup.py`` calls."""
    _settings.update(settings)


class _Legacy:
    """The build backend of PEP 517 for projects that name none."""

    def get_requires_for_build_wheel(self, config_settings: object = None) -> list[str]:
        return []

    def build_wheel(self, folder: str, config_settings: object = None, metadata_directory: object = None) -> str:
        runpy.run_path("setup.py", run_name="__main__")
        name, version = _settings["name"], _settings["version"]
        stem = f"{in_tree_backend.escaped(name)}-{version}"
        work = Path("build", "bdist.linux-x86_64", "wheel")
        work.mkdir(parents=True, exist_ok=True)
        for package in _settings["packages"]:
            shutil.copytree(package, work / package, dirs_exist_ok=True)
        (work / f"{stem}.egg-info").mkdir(exist_ok=True)
        gate = os.environ.get("LEGACY_GATE")
        while gate and not os.path.exists(gate):
            time.sleep(0.01)
        (work / f"{stem}.egg-info").rename(work / f"{stem}.dist-info")
        metadata = metadata_text(name, version, requires_dist=_settings.get("install_requires", []))
        (work / f"{stem}.dist-info" / "METADATA").write_text(metadata, encoding="utf-8")
        (work / f"{stem}.dist-info" / "WHEEL").write_text(wheel_text("py3-none-any"), encoding="utf-8")
        files = sorted(path for path in work.rglob("*") if path.is_file() and path.suffix != ".pyc")
        members = {path.relative_to(work).as_posix(): Member(path.read_bytes()) for path in files}
        filename = f"{stem}-py3-none-any.whl"
        Path(folder, filename).write_bytes(pack(members, record_path=f"{stem}.dist-info/RECORD"))
        shutil.rmtree(work)
        if log := os.environ.get("SAFE_INSTALL_TEST_BUILD_LOG"):
            with open(log, "a", encoding="utf-8") as file:
                file.write(f"build_wheel {name} {version}\n")
        return filename


__legacy__ = _Legacy()


def files() -> dict[str, str]:
    """What is in the wheel."""
    source = Path(__file__).read_text(encoding="utf-8")
    source = source.replace("from helpers import in_tree_backend", "from setuptools import in_tree_backend")
    return {
        "setuptools/__init__.py": "from setuptools.build_meta import setup\n",
        "setuptools/build_meta.py": source.replace("from helpers.in_tree", "from setuptools.in_tree"),
        "setuptools/in_tree_backend.py": Path(in_tree_backend.__file__).read_text(encoding="utf-8"),
    }
