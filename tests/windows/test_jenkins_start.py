"""``start.bat``, which the Jenkins library runs on agents with Windows: it finds a Python, and hands over to ``start.py``.

What the cmd of Wine cannot show: ``forfiles``, a program that Wine does not have.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from helpers.capabilities import is_wine
from helpers.repacked import repack
from helpers.stocked_index import StockedIndex, pins

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
RESOURCES = ROOT / "jenkins" / "resources" / "org" / "safeinstall"
SYSTEM = os.path.join(os.environ.get("SYSTEMROOT", ""), "system32")
# Stands in for the command: what matters here is that it runs, and with what.
COMMAND = """\
import os, sys
given = sorted(each for each in os.environ.items() if each[0].startswith("SAFE_INSTALL_INPUT_"))
print(ascii(["ran", sys.argv[1:], [value for _, value in given]]))
sys.exit(5)
"""
ENDED = "error[no-python]: this agent has no Python 3.11 or newer on PATH"
# Jenkins names the folders of branches so, and people name theirs in any way.
ODD = "a%2Fb %PATH% ^ & ! é 中 (x)"


@dataclass
class Agent:
    """An agent of Jenkins. :param folder: holds all that it has."""

    folder: Path
    path: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.temporary.mkdir(parents=True)
        command = self.folder / "source" / "bootstrap" / "ci_install.py"
        command.parent.mkdir(parents=True)
        command.write_text(COMMAND, encoding="utf-8")

    @property
    def temporary(self) -> Path:
        return self.folder / "work space@tmp"

    @property
    def script(self) -> Path:
        return self.temporary / "safe-install-1.py"

    def python(self, name: str, *lines: str) -> Path:
        """Make a Python that is a batch file, as version managers do."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        # The first line: cmd reads what follows as UTF-8.
        path.write_text("".join(f"{line}\r\n" for line in ("@chcp 65001 >nul", *lines)), encoding="utf-8", newline="")
        return path

    def __call__(self, **variables: str) -> tuple[int, str]:
        """Run the step's script as Jenkins does; return its exit code and what it said."""
        shutil.copy(RESOURCES / "start.py", self.script)
        # As `writeFile` and `bat` do: Windows' line ends, a plain call by cmd.
        text = (RESOURCES / "start.bat").read_text(encoding="ascii")
        batch = self.folder.parent / "jenkins-main.bat"
        batch.write_text(text, encoding="ascii", newline="\r\n")
        needed = ("SYSTEMROOT", "COMSPEC", "PATHEXT", "USERPROFILE", "TEMP", "TMP")
        environ = {name: os.environ[name] for name in needed if name in os.environ} | {
            "PATH": os.pathsep.join([*self.path, SYSTEM]),
            "SAFE_INSTALL_START": str(self.script),
            "SAFE_INSTALL_SOURCE": str(self.folder / "source"),
        }
        done = subprocess.run(
            ["cmd", "/c", "call", batch],
            env={**environ, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.folder,
            timeout=240,
            check=False,
        )
        assert not self.script.exists()
        return done.returncode, done.stdout.decode("utf-8", errors="replace")


@pytest.fixture
def agent(tmp_path: Path) -> Agent:
    """One with the Python that runs the tests on PATH."""
    return Agent(tmp_path / ODD, [str(Path(sys.executable).parent)])


@pytest.mark.parametrize("name", ["plain", ODD], ids=["plain", "odd"])
def test_inputs_reach_the_command_as_they_are_and_its_exit_code_comes_back(tmp_path: Path, name: str) -> None:
    agent = Agent(tmp_path / name, [str(Path(sys.executable).parent)])
    values = ['two words "and" quotes', "%PATH% 100% %2F", "^x & y | z > out < in", "!a! é 中", 'C:\\a b\\"']
    code, said = agent(**{f"SAFE_INSTALL_INPUT_{number}": value for number, value in enumerate(values)})
    assert (code, said) == (5, f"{['ran', ['--', 'door', 'jenkins'], values]!a}\r\n")
    assert not (agent.folder / "out").exists()


@pytest.mark.parametrize("name", ["python.exe", "python.bat"])
def test_named_python_comes_first(agent: Agent, name: str) -> None:
    """A batch file that is called, and not started, would be the last thing that the script does."""
    agent.path = [str(agent.python("path/py.bat", "@echo another", "@exit /b 0").parent)]
    named = Path(sys.executable)
    if name == "python.bat":
        named = agent.python(name, f'@"{sys.executable}" %*', "@exit /b %errorlevel%")
    code, said = agent(SAFE_INSTALL_TOOL_PYTHON=str(named))
    assert (code, "'ran'" in said, "another" in said) == (5, True, False)


def test_named_python_that_is_not_there_leaves_those_on_path(agent: Agent) -> None:
    assert agent(SAFE_INSTALL_TOOL_PYTHON=str(agent.folder / "absent" / "python.exe"))[0] == 5


@pytest.mark.parametrize("name", ["py", "python", "python3"])
def test_any_name_of_python_is_found(agent: Agent, name: str) -> None:
    agent.path = [str(agent.python(f"path/{name}.bat", f'@"{sys.executable}" %*').parent)]
    assert agent()[0] == 5


@pytest.mark.parametrize("path", [SYSTEM, "D:\\nowhere"])
def test_agent_without_python_says_what_to_add(agent: Agent, path: str) -> None:
    code, said = agent(PATH=path)
    assert (code, said.splitlines()[0]) == (8, ENDED)
    assert "SAFE_INSTALL_TOOL_PYTHON" in said.splitlines()[1]


def test_python_that_is_too_old_is_passed_over(agent: Agent) -> None:
    """The older one says of itself that it is 3.10."""
    place = agent.folder.parent
    (place / "sitecustomize.py").write_text("import sys\nsys.version_info = (3, 10, 9, 'final', 0)\n")
    old = agent.python("path/py.bat", "@setlocal", f'@set "PYTHONPATH={place}"', f'@"{sys.executable}" %*')
    (found,), agent.path = agent.path, [str(old.parent)]
    code, said = agent()
    assert (code, said.splitlines()[0]) == (8, ENDED)
    assert agent(SAFE_INSTALL_TOOL_PYTHON=str(old))[0] == 8
    agent.path.append(found)
    assert agent()[0] == 5


def test_source_that_is_none_is_told(agent: Agent) -> None:
    code, said = agent(SAFE_INSTALL_SOURCE=str(agent.folder / "absent"))
    assert (code, said.partition(":")[0]) == (2, "error[no-source]")


def test_reports_of_last_week_are_removed(agent: Agent) -> None:
    old, new = agent.temporary / "safe-install-2.json", agent.temporary / "safe-install-3.json"
    for path in (old, new):
        path.touch()
    os.utime(old, (time.time() - 7 * 86400,) * 2)
    agent()
    assert new.exists()
    if is_wine():
        pytest.skip("Wine has no forfiles")
    assert not old.exists()


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, StockedIndex]]:
    """A checkout, and an index that has what its command needs: the wheels of this Python, packed again."""
    folder = tmp_path_factory.mktemp("real")
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "bootstrap", folder / "bootstrap", ignore=shutil.ignore_patterns("__pycache__"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lock = repack(project["dependencies"], folder / "wheels")
    (folder / "bootstrap" / "requirements.txt").write_text(lock, encoding="utf-8")
    with StockedIndex() as index:
        for wheel in (folder / "wheels").iterdir():
            index.add(wheel.name, wheel.read_bytes(), metadata=False)
        yield folder, index


@pytest.mark.slow
def test_command_of_a_checkout_installs_and_reports(agent: Agent, real: tuple[Path, StockedIndex]) -> None:
    """What it prints has letters that the code page of most Windows lacks."""
    checkout, index = real
    workspace, report = agent.folder / "work space", agent.temporary / "report.json"
    workspace.mkdir()
    (workspace / "requirements.txt").write_text(pins(index.wheel("alpha")), encoding="utf-8")
    variables = {
        "JENKINS_URL": "https://jenkins.example.org/",
        "BUILD_TAG": "jenkins-job-7",
        "EXECUTOR_NUMBER": "1",
        "PYTHONIOENCODING": "cp1252",
        "WORKSPACE": str(workspace),
        "WORKSPACE_TMP": str(agent.temporary),
        "LOCALAPPDATA": str(agent.folder / "local"),
        "SAFE_INSTALL_SOURCE": str(checkout),
        # Not in the folder with the odd name: Windows' paths end at 260 characters, and the tool's own take 150 of them.
        "SAFE_INSTALL_TOOL_DIR": str(checkout / "tool"),
        "PIP_INDEX_URL": index.url,
        "PIP_CONFIG_FILE": os.devnull,
        "SAFE_INSTALL_INPUT_FILES": str(workspace / "requirements.txt"),
        "SAFE_INSTALL_INPUT_VENV": str(workspace / "%PATH% !a!"),
        "SAFE_INSTALL_INPUT_REPORT": str(report),
    }
    code, said = agent(**variables)
    assert code == 0, said
    assert "Traceback" not in said
    found = json.loads(report.read_text(encoding="utf-8"))
    assert (found["outcome"], found["layout"]["platform"]) == ("done", "jenkins")
    assert found["layout"]["venv"] == str(workspace / "%PATH% !a!")
    subprocess.run([found["layout"]["python"], "-c", "import alpha"], check=True)
    code, said = agent(**{**variables, "SAFE_INSTALL_INPUT_FILES": str(workspace / "absent é 中.txt")})
    assert json.loads(report.read_text(encoding="utf-8"))["exit_code"] == code
    assert (code, "Traceback" in said) == (2, False), said
