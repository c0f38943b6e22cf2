"""The examples of the pages that users read, run as they stand."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from helpers.act import ROOT, copy_of_checkout
from helpers.capabilities import linux_only
from helpers.examples import PAGES, Console, examples
from helpers.gitlab import GitLab
from helpers.groovy import run_pipeline
from helpers.missing_parts import program
from helpers.stocked_index import StockedIndex, pins

if TYPE_CHECKING:
    from collections.abc import Callable

    from helpers.act import Act
    from helpers.cache_service import CacheService
    from helpers.index import Offered

TESTS: dict[tuple[str, int], str] = {}
"""The test of each example, by its page and its number there."""
PROJECT = '[project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["alpha"]\n'
STEPS = "on: push\njobs:\n  test:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: actions/checkout@v5\n"
# What a page shows of a place on a host is a folder of the test's own: nobody has a right to the other.
PLACES = re.compile(r"(?<![\w./])/(?=(?:ci|opt|srv)/)")


def runs(page: str, number: int, language: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Hand an example to a test as *text*."""

    def register(test: Callable[..., None]) -> Callable[..., None]:
        name = test.__name__
        assert TESTS.setdefault((page, number), name) == name, f"{page} {number} has two tests"
        found = examples(page)
        assert number < len(found), f"{page} has no example {number}, which {name} runs"
        assert found[number].language == language, f"example {number} of {page} is not {language}"
        case = pytest.param(found[number].text, id=f"{page}-{number}", marks=[linux_only, pytest.mark.index])
        marked: Callable[..., None] = pytest.mark.parametrize("text", [case])(test)
        return marked

    return register


def test_every_example_has_its_test() -> None:
    present = {(page, number) for page in PAGES for number in range(len(examples(page)))}
    assert sorted(present) == sorted(TESTS)


@pytest.fixture
def console(tmp_path: Path, index: StockedIndex) -> Console:
    variables = {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": index.url,
        "UV_DEFAULT_INDEX": index.url,
        "UV_PYTHON": sys.executable,
        "SAFE_INSTALL_RETRY_BUDGET": "0",
    }
    return Console(tmp_path, variables)


def placed(text: str, folder: Path) -> str:
    """Put the places of a host into *folder*."""
    return PLACES.sub(f"{folder}/", text)


def imported(console: Console, name: str, venv: str = ".venv") -> bool:
    """Whether an environment below the working folder has *name*."""
    command: list[str | Path] = [console.folder / venv / "bin" / "python", "-c", f"import {name}"]
    return subprocess.run(command, check=False).returncode == 0


def lock(console: Console, *files: Offered) -> None:
    """Lock *files* in ``pylock.toml``, and leave nothing of them in the stores of the jobs to come."""
    console.write("requirements.txt", pins(*files))
    console.run("ci-install lock -r requirements.txt -o pylock.toml --cache-dir ../other")


@runs("docs/how-to/github.md", 0, "yaml")
def test_github(text: str, act: Act, index: StockedIndex) -> None:
    act.write({"requirements.txt": pins(index.wheel("flask"))})
    run = act.run(text)
    assert run.jobs == {"test.yml/test": "success"}, run.text
    assert "/site-packages/flask/__init__.py" in run.said


@runs("docs/how-to/github.md", 1, "yaml")
def test_hosted_runners(text: str, act: Act, index: StockedIndex, cache: CacheService) -> None:
    act.write({"requirements.txt": pins(index.wheel("alpha"))})
    # GitHub says nothing at all where there is no cache.
    for hit in ("", "true"):
        act.forget()
        run = act.run(STEPS + text)
        assert run.jobs == {"test.yml/test": "success"}, run.text
        assert run.outputs("restored")["cache-hit"] == hit
        saved = [each for each in run.events if (each.get("name"), each.get("arg")) == ("saved", "true")]
        assert bool(saved) != bool(hit), "saved what there was"
        assert index.files_read() == 1
        assert [entry.final for entry in cache.entries] == [True]


@runs("docs/how-to/wrap.md", 1, "yaml")
def test_wrap_in_github_actions(text: str, act: Act, index: StockedIndex) -> None:
    index.wheel("alpha")
    act.tools.joinpath("uv").symlink_to(program("uv", "pip install uv"))
    act.variables["UV_DEFAULT_INDEX"] = index.url
    act.write({"pyproject.toml": PROJECT, ".gitignore": ".venv\n"})
    subprocess.run([act.tools / "uv", "lock", "--no-cache"], cwd=act.workspace, env=act.variables, check=True)
    before = index.files_read()
    for _ in range(2):
        shutil.rmtree(act.workspace / ".venv", ignore_errors=True)
        run = act.run(STEPS + text + '      - run: .venv/bin/python -c "import alpha; print(alpha.__file__)"\n')
        assert run.jobs == {"test.yml/test": "success"}, run.text
        assert "/site-packages/alpha/__init__.py" in run.said
    assert index.files_read() == before + 1, "the second job did not begin with the caches of the first"


@pytest.fixture
def gitlab(tmp_path: Path, variables: dict[str, str], index: StockedIndex) -> GitLab:
    """A project whose locks name a pytest that says so."""
    tests = {"pytest/__init__.py": "", "pytest/__main__.py": "print('the tests ran')\n"}
    gitlab = GitLab(tmp_path, variables)
    gitlab.write("requirements.txt", pins(index.wheel("pytest", files=tests)))
    gitlab.write("si.yml", (ROOT / "templates/safe-install/template.yml").read_text(encoding="utf-8"))
    return gitlab


@runs("docs/how-to/gitlab.md", 0, "yaml")
def test_gitlab(text: str, gitlab: GitLab) -> None:
    # A component needs a server; the file that it is does not.
    run = gitlab.run(re.sub(r"component: \S+/safe-install@\S+", "local: si.yml", text))
    assert run.code == 0, run.said
    assert "the tests ran" in run.said


@runs("docs/how-to/gitlab.md", 1, "yaml")
def test_cache_of_gitlab(text: str, gitlab: GitLab, index: StockedIndex) -> None:
    pipeline = "include: [{local: si.yml}]\n" + text
    filled = gitlab.run(pipeline, "fill")
    assert filled.code == 0, filled.said
    gitlab.forget()
    run = gitlab.run(pipeline, "test")
    assert run.code == 0, run.said
    assert "the tests ran" in run.said
    assert index.files_read() == 1


@runs("jenkins/README.md", 0, "groovy")
def test_jenkins(text: str, tmp_path: Path, variables: dict[str, str], index: StockedIndex) -> None:
    tests = {"pytest/__init__.py": "", "pytest/__main__.py": "print('the tests ran')\n"}
    (tmp_path / "work space").mkdir()
    (tmp_path / "work space" / "requirements.txt").write_text(pins(index.wheel("pytest", files=tests)))
    # Jenkins itself reads the first line, and loads the library.
    library, _, script = text.partition(" _\n")
    assert re.fullmatch(r"@Library\('safe-install@v\d+'\)", library)
    done = run_pipeline(script, library=ROOT / "jenkins", folder=tmp_path, variables=variables)
    assert done.error is None
    assert "the tests ran" in done.said


@runs("README.md", 0, "console")
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_commands(text: str, tmp_path: Path) -> None:
    """Of the suite that the second one runs, one file alone: this test is in the suite."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "SAFE_INSTALL_"))}
    console = Console(tmp_path, variables)
    console.variables |= {
        "PATH": os.pathsep.join((str(Path(sys.base_prefix, "bin")), os.environ["PATH"])),
        "XDG_CACHE_HOME": str(tmp_path / "caches"),
        "PYTEST_ADDOPTS": "tests/test_layers.py",
    }
    copy_of_checkout(console.folder, tests=True)
    said = console.run(text)
    assert re.search(r"\b\d+ passed in ", said), said
    assert imported(console, "fastapi", "examples/web-service/.venv")


@runs("README.md", 1, "console")
def test_tour(text: str, tmp_path: Path, console: Console, index: StockedIndex) -> None:
    for name in ("alpha", "beta", "gamma"):
        index.wheel(name)
    index.wheel("flask", "3.1")
    command = "[console_scripts]\npytest = pytest:main\n"
    index.wheel("pytest", files={"pytest.py": "def main(): print('no tests')\n"}, entry_points=command)
    console.write("requirements.txt", "alpha==1.0\n")
    console.write("more.txt", "beta\n")
    console.write("requirements.in", "gamma\npytest\n")
    console.write("pyproject.toml", PROJECT)
    said = console.run(placed(text, tmp_path))
    for name in ("alpha", "beta", "flask", "gamma"):
        assert f"Fetched {name}-" in said
    assert 'name = "gamma"' in (console.folder / "pylock.toml").read_text(encoding="utf-8")
    assert (tmp_path / "srv" / "seed" / "current").exists()
    assert (console.folder / ".github" / "workflows" / "safe-install.yml").is_file()
    assert "no tests" in said
    # uv came last, and its project wants alpha alone.
    assert imported(console, "alpha")
    assert not imported(console, "flask")
    assert not imported(console, "alpha", "empty-venv")


def kept(console: Console, tool: str, variable: str) -> str:
    """What the caches of *tool* that earlier calls published have at their top."""
    return console.run(f"ci-install wrap --tool {tool} -- sh -c 'ls ${variable}'").partition("\n")[2].strip()


@runs("docs/how-to/wrap.md", 0, "console")
def test_wrap(text: str, tmp_path: Path, console: Console, index: StockedIndex) -> None:
    index.wheel("alpha")
    console.write("pyproject.toml", PROJECT)
    # pip keeps what it has built. What comes without TLS it fetches again.
    console.write("requirements.txt", pins(index.sdist("beta")))
    # The environment that the user of pip has activated.
    console.run("ci-install venv active --with-pip")
    console.variables["PATH"] = os.pathsep.join((str(console.folder / "active" / "bin"), console.variables["PATH"]))
    console.run(text)
    assert imported(console, "alpha")
    assert imported(console, "beta", "active")
    assert kept(console, "uv", "UV_CACHE_DIR") == ""
    assert kept(console, "pip", "PIP_CACHE_DIR") == "wheels"


def fetched_by_two_jobs(text: str, folder: Path, console: Console, index: StockedIndex) -> int:
    """How many files two jobs read that install the same, one after the other, each with a folder of its own."""
    lock(console, index.wheel("alpha"))
    before = index.files_read()
    for number in range(2):
        shutil.rmtree(console.folder / ".venv", ignore_errors=True)
        console.variables["JOB_FOLDER"] = str(folder / f"job {number}")
        console.run(text)
        assert imported(console, "alpha")
    return index.files_read() - before


@runs("docs/how-to/layers-and-seeds.md", 0, "console")
def test_store_of_a_job(text: str, tmp_path: Path, console: Console, index: StockedIndex) -> None:
    assert fetched_by_two_jobs(text, tmp_path, console, index) == 1, "the next job did not find what the first one made"
    for number in range(2):
        assert (tmp_path / f"job {number}" / "store" / "store.json").is_file()


@runs("docs/how-to/layers-and-seeds.md", 1, "console")
def test_job_that_is_not_trusted(text: str, tmp_path: Path, console: Console, index: StockedIndex) -> None:
    assert fetched_by_two_jobs(text, tmp_path, console, index) == 2, "the next job found what the first one made"


@runs("docs/how-to/layers-and-seeds.md", 2, "console")
def test_seed(text: str, tmp_path: Path, console: Console, index: StockedIndex) -> None:
    lock(console, index.wheel("alpha"))
    before = index.files_read()
    console.run(placed(text, tmp_path))
    assert imported(console, "alpha")
    assert (tmp_path / "ci" / "seed" / "current").exists()
    assert index.files_read() == before + 1, "the second command did not read the seed"


@runs("docs/explanation/cleaning-up.md", 0, "console")
def test_cleaning_up(text: str, console: Console, index: StockedIndex) -> None:
    lock(console, index.wheel("alpha"), index.wheel("numpy"))
    console.run("ci-install fetch pylock.toml")
    said = console.run(text)
    assert "\nwould remove 0 entries " in said
    assert "\nremoved 0 entries " in said
    left = console.run("ci-install cache ls")
    assert "alpha" in left
    assert "numpy" not in left


@runs("docs/reference/platforms.md", 0, "toml")
def test_file_of_the_administrator(text: str, tmp_path: Path, console: Console, index: StockedIndex) -> None:
    lock(console, index.wheel("alpha"))
    console.run(placed("ci-install seed publish /opt/safe-install-seed pylock.toml", tmp_path))
    path = tmp_path / "runner.toml"
    path.write_text(placed(text, tmp_path), encoding="utf-8")
    path.chmod(0o644)
    console.variables["SAFE_INSTALL_RUNNER_FILE"] = str(path)
    layout = json.loads(console.run("ci-install layout --json").partition("\n")[2])["layout"]
    assert layout["trust"] == "untrusted"
    shared = [each["path"] for each in layout["layers"][1:]]
    assert shared == [f"{tmp_path}/srv/ci/safe-install", f"{tmp_path}/opt/safe-install-seed"]


@runs("docs/reference/platforms.md", 1, "console")
def test_layout_for_other_tools(text: str, tmp_path: Path, console: Console) -> None:
    path = tmp_path / "github-env"
    console.variables |= {"GITHUB_ENV": str(path), "GITHUB_ACTIONS": "true", "RUNNER_TEMP": str(tmp_path / "temporary")}
    said = console.run(text + '$ echo "pip keeps $PIP_CACHE_DIR"\n')
    (place,) = re.findall(r"^pip keeps (/.*)$", said, re.MULTILINE)
    assert re.search(rf"^PIP_CACHE_DIR<<(\S+)\n{re.escape(place)}\n\1$", path.read_text(encoding="utf-8"), re.MULTILINE)
