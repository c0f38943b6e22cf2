"""uv#3512: "Wheel Build failures when installing via multiple simultaneous UV instances".

What was reported: eight `uv pip install jaeger-client` at once, each into its own environment, with one empty cache. Builds
fail with "Directory not empty: 'build/bdist.linux-x86_64/wheel/threadloop-1.0.2-py3.8.egg-info'" and "File exists: …
.dist-info", and afterwards `uv cache clean` fails with "Permission denied (os error 13)". The cause: all of them build in
one unpacked tree inside the cache. Here each build has a copy of its own outside the store, one job builds while the
others wait, and what is removed gets the rights for that first.

`tests/mutations/3-fly-alone` takes the waiting out; a tree of one's own is taken out by `6-build-in-the-place-of-the-source`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from typing import TYPE_CHECKING

import pytest
from helpers import legacy_setuptools
from helpers.command import Command
from helpers.default_index import with_only_the_default_index
from helpers.herd import Herd, damage_of
from helpers.memory import tmp_path
from helpers.processes import wait_until
from helpers.stocked_index import StockedIndex
from helpers.storage import dead_tag
from helpers.users import STRANGERS, needed_python_of_strangers, open_folder
from helpers.wheels import make_sdist

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["tmp_path"]

# What the reported project needs, each an sdist with a setup.py alone.
NEEDS = {
    "jaeger-client": ["opentracing>=2.1,<3", "threadloop>=1,<2", "thrift", "tornado>=4.3"],
    "threadloop": ["tornado"],
    "opentracing": [],
    "thrift": ["six>=1.7.2"],
}
VERSIONS = {"jaeger-client": "4.8.0", "threadloop": "1.0.2", "opentracing": "2.4.0", "thrift": "0.16.0"}
WHEELS = {"tornado": "6.4", "six": "1.16.0"}
EVERYTHING = {**VERSIONS, **WHEELS}
# Removes the rights of a folder of its build, and fails, as the reported build did.
FAILING = """\
import os
os.makedirs("build/bdist.linux-x86_64/wheel/jaeger_client")
os.chmod("build/bdist.linux-x86_64/wheel/jaeger_client", 0)
raise SystemExit("error: Directory not empty")
"""


@pytest.fixture
def index() -> Iterator[StockedIndex]:
    with StockedIndex() as index:
        index.wheel("setuptools", "69.0", files=legacy_setuptools.files())
        for name, requires in NEEDS.items():
            index.sdist(name, VERSIONS[name], backend="setup.py", requires_dist=requires)
        for name, version in WHEELS.items():
            index.wheel(name, version)
        yield index


@pytest.mark.timeout(900)
@pytest.mark.parametrize("size", [8, 32])
def test_jobs_at_once_build_each_sdist_once_and_all_succeed(tmp_path: Path, index: StockedIndex, size: int) -> None:
    store = tmp_path / "store"
    with Herd(tmp_path, index, size=size, store=store) as herd:
        herd.start("install", "jaeger-client")
        results = herd.wait()
        assert {name: herd.built(name) for name in NEEDS} == dict.fromkeys(NEEDS, 1)
        assert {result.counts["locks_passed_by"] for result in results} == {0}
        assert [member.command.installed() for member in herd.members] == [EVERYTHING] * size
        assert damage_of(store) == []
        herd.members[0].command("cache", "clean", SAFE_INSTALL_CACHE_DIR=str(store))
        assert list(store.glob("*/*/*/tree")) == []
        assert herd.members[0].command.litter() == []


@pytest.fixture
def user() -> Iterator[Command]:
    """One whom missing rights stop, with the store as part of the home."""
    if hasattr(os, "geteuid") and os.geteuid() != 0:
        with open_folder() as folder:
            yield Command(home=folder / "home", folder=folder / "work")
        return
    python, packages = needed_python_of_strangers()
    with open_folder() as folder:
        yield Command(
            home=folder / "home",
            folder=folder / "work",
            variables={"PYTHONPATH": packages},
            user=STRANGERS[0],
            python=python,
        )


def test_a_build_that_fails_and_leaves_a_folder_without_rights_leaves_nothing(
    user: Command, index: StockedIndex
) -> None:
    with StockedIndex() as broken:
        broken.wheel("setuptools", "69.0", files=legacy_setuptools.files())
        broken.sdist("threadloop", "1.0.2", backend="setup.py", setup_py=FAILING)
        user.use(broken)
        failed = user("install", "threadloop", code=6)
    assert "Directory not empty" in failed.text
    assert user.litter() == []
    user("cache", "clean")
    user.use(index)
    user("install", "jaeger-client")
    assert user.installed() == EVERYTHING


@pytest.mark.parametrize("place", ["entry", "inside an entry", "staging", "trash"])
def test_cache_clean_removes_folders_that_lack_rights(user: Command, index: StockedIndex, place: str) -> None:
    user.use(index)
    user("install", "jaeger-client")
    entry = next(user.store.glob("wheels-1/*/*/tree/threadloop")).parents[1]
    if place in {"staging", "trash"}:
        entry = user.store / place / f"left.{dead_tag()}" / "build"
        _as(user, f"import os; os.makedirs({str(entry / 'wheel')!r})")
    folder = entry if place != "inside an entry" else entry / "tree" / "threadloop"
    _as(user, f"import os; os.chmod({str(folder)!r}, 0)")
    user("cache", "clean")
    assert list(user.store.glob("wheels-1/*/*")) == []
    assert [*user.store.glob("trash/*"), *user.store.glob("staging/*")] == []


def test_two_builds_in_one_tree_take_the_ground_from_under_each_other(tmp_path: Path) -> None:
    """What the report is about, with the same backend: without trees of their own, one of two fails."""
    tools, tree = tmp_path / "tools", tmp_path / "tree"
    for name, text in legacy_setuptools.files().items():
        (tools / name).parent.mkdir(parents=True, exist_ok=True)
        (tools / name).write_text(text, encoding="utf-8")
    filename, data = make_sdist("threadloop", "1.0.2", backend="setup.py")
    (tmp_path / filename).write_bytes(data)
    with tarfile.open(tmp_path / filename) as archive:
        archive.extractall(tree, filter="data")
    code = "import sys; from setuptools.build_meta import __legacy__; __legacy__.build_wheel(sys.argv[1])"

    def build(name: str, **variables: str) -> subprocess.Popen[str]:
        (tmp_path / name).mkdir()
        return subprocess.Popen(
            [sys.executable, "-c", code, tmp_path / name],
            cwd=tree / "threadloop-1.0.2",
            env={**os.environ, "PYTHONPATH": str(tools), **variables},
            stderr=subprocess.PIPE,
            text=True,
        )

    with build("slow", LEGACY_GATE=str(tmp_path / "gate")) as slow:
        wait_until(lambda: bool(list(tree.rglob("*.egg-info"))))
        with build("quick") as quick:
            assert quick.wait(60) == 0
        (tmp_path / "gate").touch()
        _, said = slow.communicate(timeout=60)
    assert slow.returncode != 0
    assert "threadloop-1.0.2.egg-info" in said


@pytest.mark.index
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_reported_project_itself(tmp_path: Path) -> None:
    """`jaeger-client` and what it needs, by the real setuptools, eight times at once."""
    environ = with_only_the_default_index(os.environ)
    variables = {"SAFE_INSTALL_INDEX_URL": url} if (url := environ.get("PIP_INDEX_URL")) else {}
    variables |= {name: environ[name] for name in ("SSL_CERT_FILE", "PIP_TRUSTED_HOST") if name in environ}
    variables |= {name: value for name, value in environ.items() if name.lower().endswith("_proxy")}
    store = tmp_path / "store"
    with Herd(tmp_path, None, size=8, store=store, **variables) as herd:
        herd.start("install", "jaeger-client")
        results = herd.wait()
        built = [
            each["name"]
            for result in results
            for each in (result.report or {})["distributions"]
            if each["origin"] == "built"
        ]
        assert {"jaeger-client", "threadloop"} <= set(built)
        assert sorted(built) == sorted(set(built))
        installed = [member.command.installed() for member in herd.members]
        assert installed == [installed[0]] * 8
        code = "from importlib.metadata import files; print([f for f in files('jaeger-client') if not f.locate().exists()])"
        assert herd.members[0].command.run_python(code) == "[]"
    assert damage_of(store) == []


def _as(user: Command, code: str) -> None:
    """Run *code* as that user."""
    options = {} if user.user is None else {"user": user.user, "group": user.user, "extra_groups": []}
    subprocess.run([user.python, "-c", code], check=True, **options)  # type: ignore[call-overload]  # none, or all three
