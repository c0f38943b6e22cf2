"""Each promise rests on a mechanism: without it, the tests that are named for it fail.

``<promise>-<what is taken out>.patch`` takes a mechanism out, and the file ``.toml`` of the same name lists the tests
that must then fail, and pass without it::

    tests = ["tests/unit/store/test_publish.py::test_something", "tests/races/test_store.py::test_other[case]"]

A test without its parameters in brackets means all of them. ``patience = 20`` says that a test which hangs without the
mechanism has failed after so many seconds. Each patch is applied to a copy of what git knows of this
checkout, whose tests run with an interpreter that finds the copy's package. To make a patch: change the code, run
``git diff src > tests/mutations/<name>.patch``, and take the change back. One of them by itself::

    python3 dev.py test tests/mutations -k 3-fly-alone
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
import venv
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from helpers.missing_parts import program

from safe_install.fs.remove import remove_tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

pytestmark = pytest.mark.skipif(os.name == "nt", reason="most of these tests are about files as Unix has them")

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PATCHES = sorted(path.stem for path in HERE.glob("*.patch"))
_NAME = re.compile(r"(?P<promise>\d+)-[a-z0-9-]+")
_OUTCOME = re.compile(r"(?P<outcome>PASSED|FAILED|ERROR|XFAIL) (?P<test>tests/\S+?::.+?)(?: - .*)?")
_GENERATED = shutil.ignore_patterns("__pycache__", ".*")
# A guard against a mutation that hangs; the tests have time limits of their own.
_PATIENCE = 600


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Path]:
    """A copy of this checkout, with an interpreter that finds the package in the copy and all else where we find it."""
    copy = tmp_path / "tree"
    _copy_checkout(copy)
    venv.EnvBuilder(symlinks=True, with_pip=False).create(copy / ".venv")
    (packages,) = (copy / ".venv" / "lib").glob("*/site-packages")
    ours = [entry for entry in sys.path if entry.endswith(("site-packages", "dist-packages"))]
    (packages / "copy.pth").write_text("\n".join([str(copy / "src"), *ours]), encoding="utf-8")
    yield copy
    remove_tree(tmp_path)


def _copy_checkout(target: Path) -> None:
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode != 0 or not listed.stdout:
        shutil.copytree(ROOT, target, ignore=_GENERATED)  # an unpacked archive of the sources
        return
    for name in listed.stdout.split("\0"):
        if name and (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)


def _described(patch: str) -> dict[str, Any]:
    return tomllib.loads((HERE / f"{patch}.toml").read_text(encoding="utf-8"))


def _named(patch: str) -> list[str]:
    tests = _described(patch)["tests"]
    assert tests
    return [str(test) for test in tests]


def _run(tree: Path, tests: Sequence[str], patience: int = _PATIENCE) -> tuple[dict[str, set[str]], str]:
    """Run *tests* in *tree*; return the outcomes by test, without parameters too, and what pytest said."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "PYTHONPATH"))}
    command = [
        str(tree / ".venv" / "bin" / "python"),
        "-m",
        "pytest",
        "-rA",
        "-q",
        "--tb=short",
        "-p",
        "no:cacheprovider",
    ]
    process = subprocess.Popen(
        [*command, *tests],
        cwd=tree,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=patience)
    except subprocess.TimeoutExpired:
        said = None
    finally:
        # Also what a test that hung had started.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        rest, _ = process.communicate()
    if said is None:
        return {test: {"FAILED"} for test in tests}, f"not done after {patience} seconds\n{rest}"
    found: defaultdict[str, set[str]] = defaultdict(set)
    for line in said.splitlines():
        if (match := _OUTCOME.fullmatch(line)) is not None:
            for name in (match["test"], match["test"].partition("[")[0]):
                found[name].add(match["outcome"])
    return found, said


def test_every_patch_names_its_promise_and_its_tests() -> None:
    assert PATCHES
    assert sorted(path.stem for path in HERE.glob("*.toml")) == PATCHES
    for patch in PATCHES:
        match = _NAME.fullmatch(patch)
        assert match, patch
        assert 1 <= int(match["promise"]) <= 11
        for test in _named(patch):
            assert (ROOT / test.partition("::")[0]).is_file(), f"{patch} names {test}"


@pytest.mark.timeout(4 * _PATIENCE)
def test_the_named_tests_pass_in_a_copy_that_nothing_was_taken_out_of(tree: Path) -> None:
    """Without this, a copy in which nothing works would look as if every test had noticed."""
    tests = sorted({test for patch in PATCHES for test in _named(patch)})
    found, said = _run(tree, tests)
    assert {test: found[test] for test in tests if not found[test] <= {"PASSED"}} == {}, said


@pytest.mark.timeout(2 * _PATIENCE)
@pytest.mark.parametrize("patch", PATCHES)
def test_taken_out_it_is_missed(tree: Path, patch: str) -> None:
    git = program("git", "install git")
    # Not taken for a part of a repository that may lie above it.
    environ = {**os.environ, "GIT_CEILING_DIRECTORIES": str(tree.parent)}
    apply = [str(git), "apply", "--whitespace=nowarn", "-C1", str(HERE / f"{patch}.patch")]
    applied = subprocess.run(apply, cwd=tree, env=environ, capture_output=True, text=True, check=False)
    assert applied.returncode == 0, f"the patch does not fit the code any more: {applied.stderr}"
    hangs = _described(patch).get("patience")
    found, said = _run(tree, _named(patch), hangs or _PATIENCE)
    assert hangs or not said.startswith("not done"), said
    if not any(found[test] for test in _named(patch)):
        assert " skipped" in said, said
        pytest.skip("its tests are skipped here")
    unmoved = {test: found[test] for test in _named(patch) if found[test] and not found[test] <= {"FAILED", "ERROR"}}
    assert unmoved == {}, f"these do not notice: {unmoved}\n{said}"
