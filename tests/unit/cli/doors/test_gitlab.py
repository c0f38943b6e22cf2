"""`safe_install.cli.doors.gitlab`: what a log and its jobs get; gitlab-ci-local shows no sections."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from safe_install.cli.doors.gitlab import GitLab
from safe_install.engine.report import Outcome, Recorder, report_document
from safe_install.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CI_PROJECT_DIR", str(tmp_path))
    return tmp_path


def test_section_begins_and_ends_on_lines_of_its_own(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    door = GitLab()
    door.begin("ci-install sync a\nsection_end:1:x", [])
    door.end(report_document("sync", Recorder(), None, None), folder / "report.json", None)
    first, last = capsys.readouterr().out.split("\n")[:2]
    start = "\x1b\\[0Ksection_start:\\d+:safe_install\\[collapsed=true\\]\r\x1b\\[0Kci-install sync a section_end:1:x"
    assert re.fullmatch(start, first)
    assert re.fullmatch("\x1b\\[0Ksection_end:\\d+:safe_install\r\x1b\\[0K", last)


def test_variables_that_a_dotenv_cannot_hold_are_left_out(folder: Path) -> None:
    layout = {"venv": "/a b/.venv", "python": "/a\nb/python", "link_mode": "copy"}
    door = GitLab()
    path = door.new_report()
    door.end(report_document("sync", Recorder(), Outcome(layout=layout), None), path, None)
    lines = (folder / ".safe-install" / "job.env").read_text().splitlines()
    assert "SAFE_INSTALL_JOB_VENV=/a b/.venv" in lines
    assert f"SAFE_INSTALL_JOB_REPORT={path}" in lines
    assert not [line for line in lines if "PYTHON" in line]


def test_metrics_are_open_metrics(folder: Path) -> None:
    door = GitLab()
    door.end(report_document("sync", Recorder(), None, None), folder / "report.json", None)
    lines = (folder / ".safe-install" / "metrics.txt").read_text().splitlines()
    assert lines[-1] == "# EOF"
    assert "# TYPE safe_install_bytes_fetched gauge" in lines
    assert "safe_install_bytes_fetched 0" in lines


def test_folder_that_cannot_be_made_is_told(folder: Path) -> None:
    (folder / ".safe-install").write_text("")
    with pytest.raises(StoreError) as caught:
        GitLab().new_report()
    assert caught.value.code == "platform-untold"


def test_artifact_is_there_also_when_the_report_goes_elsewhere(folder: Path) -> None:
    GitLab().end(report_document("sync", Recorder(), None, None), folder / "mine.json", None)
    assert '"command": "sync"' in (folder / ".safe-install" / "report.json").read_text()
