"""The Jenkins library on an agent with Windows: Groovy here, and each ``bat`` in the cmd of the laboratory's Wine.

The laboratory has to be there: ``--lab windows`` makes it. Jenkins' own agent and its handling of console output are not shown.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from helpers.act import ROOT, copy_of_checkout
from helpers.capabilities import linux_only
from helpers.groovy import HERE, run_pipeline
from helpers.stocked_index import StockedIndex, pins
from labs.windows.setting_up import WINE, Lab

if TYPE_CHECKING:
    from collections.abc import Iterator

    from helpers.groovy import Pipeline

pytestmark = [linux_only, pytest.mark.slow, pytest.mark.xdist_group("lab_windows"), pytest.mark.timeout(600)]
_PYTHON = "3.12"
_REPACK = """\
import pathlib, sys
sys.path.insert(0, {job!r})
from repacked import repack
lock = repack({requirements!r}, pathlib.Path({job!r}, "wheels"))
pathlib.Path({job!r}, "checkout", "bootstrap", "requirements.txt").write_text(lock, encoding="utf-8")
"""


class Agent:
    """One with Windows. :ivar folder: of its drive D: for this job."""

    def __init__(self, lab: Lab, index: StockedIndex) -> None:
        self.lab = lab
        self.index = index
        self.folder = lab.work / f"jenkins-{secrets.token_hex(4)}"
        self.folder.mkdir(parents=True)
        self.variables: dict[str, str] = {}

    @property
    def name(self) -> str:
        """Of its folder, as Windows has it."""
        return f"D:\\{self.folder.name}"

    @property
    def workspace(self) -> Path:
        return self.folder / "a%2Fb" / "work space"

    def prepare(self) -> None:
        """Bring a checkout there, and what its command needs to the index."""
        copy_of_checkout(self.folder / "checkout")
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        shutil.copy(ROOT / "tests" / "helpers" / "repacked.py", self.folder)
        code = _REPACK.format(job=self.name, requirements=project["dependencies"])
        assert self.lab.run_python(_PYTHON, ["-c", code]) == 0
        for wheel in (self.folder / "wheels").iterdir():
            self.index.add(wheel.name, wheel.read_bytes(), metadata=False)
        shutil.copy(HERE / "windows_agent.py", self.folder)
        self.workspace.mkdir(parents=True)
        self.variables = {
            "PATH": f"Z:\\python\\{_PYTHON};C:\\windows\\system32;C:\\windows",
            "SYSTEMROOT": "C:\\windows",
            "COMSPEC": "C:\\windows\\system32\\cmd.exe",
            "PATHEXT": ".COM;.EXE;.BAT;.CMD",
            "TEMP": "C:\\users\\root\\AppData\\Local\\Temp",
            "TMP": "C:\\users\\root\\AppData\\Local\\Temp",
            "USERPROFILE": f"{self.name}\\home",
            "LOCALAPPDATA": f"{self.name}\\home",
            "BUILD_TAG": "jenkins-job-7",
            "JENKINS_URL": "https://jenkins.example.org/",
            "WORKSPACE": f"{self.name}\\a%2Fb\\work space",
            "WORKSPACE_TMP": f"{self.name}\\a%2Fb\\work space@tmp",
            "EXECUTOR_NUMBER": "1",
            "SET": "replaced",
            "SAFE_INSTALL_SOURCE": f"{self.name}\\checkout",
            "SAFE_INSTALL_TOOL_DIR": f"{self.name}\\tool",
            "PIP_INDEX_URL": self.index.url,
            "PIP_CONFIG_FILE": "nul",
        }

    def __call__(self, script: str) -> Pipeline:
        entrance = [*self.lab.entrance(), WINE, f"/python/{_PYTHON}/python.exe", f"{self.name}\\windows_agent.py"]
        windows = {"drive": str(self.lab.work), "variables": self.variables, "command": entrance}
        return run_pipeline(
            script, library=ROOT / "jenkins", folder=self.workspace.parent, variables={}, windows=windows
        )


@pytest.fixture(scope="module")
def agent() -> Iterator[Agent]:
    lab = Lab.of(ROOT)
    if os.geteuid() != 0 or not (lab.python(_PYTHON) / "python.exe").exists():
        pytest.skip("there is no Windows laboratory yet: as root, run anything with --lab windows")
    with lab.lock(), StockedIndex() as index:
        agent = Agent(lab, index)
        try:
            agent.prepare()
            (agent.workspace / "requirements.txt").write_text(pins(index.wheel("alpha")), encoding="utf-8")
            yield agent
        finally:
            shutil.rmtree(agent.folder)


def test_block_runs_in_the_environment_and_the_report_is_a_map(agent: Agent) -> None:
    done = agent(
        "Map report = safeInstall(files: 'requirements.txt')\n"
        "withSafeInstall(files: 'requirements.txt') {\n"
        "  bat '@python -c \"import alpha, sys; print(alpha.__version__, sys.prefix)\"\\r\\n@echo in %VIRTUAL_ENV%'\n"
        "}\nreturn report"
    )
    assert done.error is None, done.said
    venv = agent.variables["WORKSPACE"] + "\\.venv"
    assert done.value["layout"]["platform"] == "jenkins"
    assert done.value["outputs"]["venv"] == venv
    assert done.value["outputs"]["bin"] == f"{venv}\\Scripts"
    assert f"1.0 {venv}\r\nin {venv}\r\n" in done.said
    assert list((agent.workspace.parent / "work space@tmp").glob("*.py")) == []


def test_any_value_is_data(agent: Agent, tmp_path: Path) -> None:
    """``%`` is a variable of cmd, ``^`` its escape, ``&`` its next command; ``$`` is Jenkins' own."""
    venv = "a b %PATH% %2F ^ & !a! $SET é 中 (x)"
    done = agent(f"return safeInstall(files: ['requirements.txt'], venv: '{venv}', linkMode: 'copy')")
    assert done.error is None, done.said
    assert done.value["outputs"]["venv"] == f"{agent.variables['WORKSPACE']}\\{venv}"
    assert (agent.workspace / venv / "Lib" / "site-packages" / "alpha").is_dir()


def test_failures_come_back(agent: Agent) -> None:
    done = agent(
        "return [safeInstall(command: 'install', args: 'absent', onFailure: 'ignore').error.code,\n"
        "  withEnv(['PATH=D:/nowhere']) { safeInstall(onFailure: 'ignore') }]"
    )
    assert done.error is None, done.said
    of_args, of_path = done.value
    assert of_args == "no-such-project"
    assert (of_path["exit_code"], of_path["error"]["code"]) == (8, "no-report")
    assert "error[no-python]" in done.said
