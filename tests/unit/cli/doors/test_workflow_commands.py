"""`safe_install.cli.doors.workflow_commands`: what stands around what others print."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import pytest

from safe_install.cli.doors.workflow_commands import WorkflowCommands

if TYPE_CHECKING:
    from pathlib import Path


def test_no_line_within_a_group_is_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        with WorkflowCommands().group("title"):
            sys.stdout.write("::error::of others\n")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    said = capsys.readouterr().out
    stopped = r"::group::title\n::stop-commands::(?P<token>\w{32})\n::error::of others\n::(?P=token)::\n::endgroup::\n"
    assert re.fullmatch(stopped, said), said


def test_summary_that_github_would_drop_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "summary"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(path))
    WorkflowCommands().summary("x" * (1024 * 1024 + 1))
    assert not path.exists()
    WorkflowCommands().summary("größer \ud800")
    assert path.read_bytes() == "größer ".encode() + b"\\ud800"
