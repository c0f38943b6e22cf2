"""What goes where: results, reports, lines for people."""

from __future__ import annotations

import errno
import json
import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from helpers.command import Command
    from helpers.stocked_index import StockedIndex


@pytest.fixture(autouse=True)
def offered(index: StockedIndex) -> None:
    index.wheel("app", requires_dist=["lib"])
    index.wheel("lib")
    index.sdist("built")


def test_json_is_all_that_standard_output_gets(command: Command) -> None:
    result = command("install", "app", "built", "--json")
    assert json.loads(result.stdout) == result.report
    assert result.report is not None
    assert result.report["schema"] == 1


def test_json_is_all_that_standard_output_gets_on_failure(command: Command) -> None:
    result = command("install", "absent", "--json", code=1)
    document = json.loads(result.stdout)
    assert (document["outcome"], document["exit_code"]) == ("failed", 1)
    assert document["error"]["code"] == "no-such-project"
    assert "error[no-such-project]" in result.stderr


@pytest.mark.parametrize("arguments", [["--timeout", "soon"], ["--no-such-option"], ["--quiet", "--verbose"]])
def test_json_is_asked_for_even_where_the_usage_is_wrong(command: Command, arguments: list[str]) -> None:
    result = command("install", "app", "--json", *arguments, code=2)
    document = json.loads(result.stdout)
    assert document["exit_code"] == 2
    assert document["error"]["message"]


def test_report_is_written_on_failure_too(command: Command) -> None:
    result = command("install", "absent", "--report", "reports/ci.json", code=1)
    document = json.loads((command.folder / "reports" / "ci.json").read_text())
    assert document["error"]["code"] == "no-such-project"
    assert result.report is None


def test_report_that_cannot_be_written_is_an_error(command: Command) -> None:
    command.write("file", "")
    result = command("install", "app", "--report", "file/report.json", code=7)
    assert "error[report-unwritable]" in result.stderr
    assert command.installed() == {"app": "1.0", "lib": "1.0"}


def test_report_tells_where_everything_came_from(command: Command, index: StockedIndex) -> None:
    result = command("install", "app", "built")
    assert result.report is not None
    by_name = {each["name"]: each for each in result.report["distributions"]}
    assert (by_name["app"]["origin"], by_name["app"]["layer"]) == ("fetched", "runner")
    assert by_name["app"]["source"] == index.file_url("app-1.0-py3-none-any.whl")
    assert by_name["app"]["bytes_fetched"] > 0
    assert "fetch" in by_name["app"]["seconds"]
    assert (by_name["built"]["origin"], by_name["built"]["layer"]) == ("built", "runner")
    assert "build" in by_name["built"]["seconds"]
    assert result.counts["bytes_fetched"] >= sum(each["bytes_fetched"] for each in by_name.values())
    assert result.counts["files"] > 0
    assert result.report["layout"]["venv"] == str(command.venv)


def test_one_line_a_distribution_and_a_summary(command: Command) -> None:
    lines = command("install", "app", "built").stderr.splitlines()
    for name in ("app", "lib"):
        assert sum(name in line for line in lines) == 1, lines
    assert sum(line.startswith("Built") for line in lines) == 1, lines
    assert sum(line.startswith("Installed 3 distributions in") for line in lines) == 1, lines


def test_no_line_claims_what_failed(command: Command, index: StockedIndex) -> None:
    index.sdist("broken", failure="no")
    index.fail(path="/files/*/lib-*.whl", status=404, times=9)
    assert "Built" not in command("install", "broken", code=6).stderr
    assert "Fetched lib" not in command("install", "lib", code=3).stderr


def test_nothing_new_is_told_in_a_line(command: Command) -> None:
    command("install", "app")
    [line] = command("install", "app").stderr.splitlines()
    assert "kept 2" in line


def test_quiet_says_nothing_when_all_is_well(command: Command) -> None:
    result = command("install", "app", "built", "--quiet")
    assert (result.stdout, result.stderr) == ("", "")


def test_quiet_says_errors(command: Command) -> None:
    assert "error[no-such-project]" in command("install", "absent", "-q", code=1).stderr


def test_verbose_says_more(command: Command, index: StockedIndex) -> None:
    index.fail(path="/simple/lib/", status=503, headers={"Retry-After": "0"})
    lines = command("install", "app", "-v", SAFE_INSTALL_RETRY_BUDGET="10").stderr.splitlines()
    assert any("503" in line and "trying again" in line for line in lines), lines
    assert any(line.startswith("unpack: lib-1.0-py3-none-any.whl") for line in lines), lines


def test_retry_is_counted(command: Command, index: StockedIndex) -> None:
    index.fail(path="/simple/lib/", status=503, headers={"Retry-After": "0"})
    result = command("install", "app", SAFE_INSTALL_RETRY_BUDGET="10")
    assert result.counts["retries"] == 1
    assert "1 retry" in result.stderr


def test_no_colour_without_a_terminal_unless_forced(command: Command) -> None:
    assert "\x1b" not in command("install", "absent", code=1).stderr
    assert "\x1b[1;31merror" in command("install", "absent", code=1, FORCE_COLOR="1").stderr


@pytest.mark.skipif(os.name == "nt", reason="pseudo-terminals")
@pytest.mark.parametrize(("variables", "bars"), [({}, True), ({"CI": "true"}, False), ({"TERM": "dumb"}, False)])
def test_bars_on_a_terminal_that_is_not_a_ci_log(command: Command, variables: dict[str, str], bars: bool) -> None:
    import pty
    import subprocess
    import sys

    ours, theirs = pty.openpty()
    environment = {"TERM": "xterm", "COLUMNS": "100", **command.variables, **variables}
    arguments = [sys.executable, "-m", "safe_install", "install", "app"]
    with subprocess.Popen(arguments, stderr=theirs, cwd=command.folder, env=environment) as process:
        os.close(theirs)
        seen = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # the other side has closed it
                break
            if not piece:
                break
            seen += piece
    os.close(ours)
    assert process.returncode == 0
    assert (b"Fetching" in seen) is bars
    assert b"Installed 2 distributions" in seen


def test_closed_pipe_does_not_spoil_an_installation(command: Command) -> None:
    process = command.start("install", "app")
    assert process.stderr is not None
    assert process.stdout is not None
    process.stderr.close()
    process.stdout.close()
    assert process.wait(60) == 0
    assert command.installed() == {"app": "1.0", "lib": "1.0"}


def test_closed_standard_output_is_no_traceback(command: Command) -> None:
    process = command.start("lock", "app")
    assert process.stderr is not None
    assert process.stdout is not None
    process.stdout.close()
    complaint = process.stderr.read()
    process.stderr.close()
    process.wait(60)
    assert "Traceback" not in complaint


@pytest.mark.parametrize("command_line", [[], ["sync"], ["install"], ["lock"], ["fetch"], ["venv"], ["cache"]])
def test_help_of_every_command(command: Command, command_line: list[str]) -> None:
    result = command(*command_line, "--help")
    assert result.stdout.startswith("Usage: ci-install")
    assert result.stderr == ""


def test_no_command_shows_the_help_and_fails(command: Command) -> None:
    assert "Usage: ci-install" in command(code=2).text.replace("\\n", "\n")


def test_unknown_command_suggests_the_help(command: Command) -> None:
    result = command("instal", code=2)
    assert result.stderr.startswith("error[usage]:")
    assert "--help" in result.stderr


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.EMFILE, errno.EACCES])
def test_failing_disk_is_no_bug_of_ours_wherever_it_is_met(command: Command, number: int) -> None:
    (command.home / "broken").mkdir()
    (command.home / "broken" / "sitecustomize.py").write_text(
        "import os, safe_install.engine.install as part\n"
        f"def explode(*arguments, **options): raise OSError({number}, os.strerror({number}), '/the/file')\n"
        "part.find_target = explode\n"
    )
    result = command("install", "app", code=7, PYTHONPATH=str(command.home / "broken"))
    assert result.error in {"io-error", "permission-denied"}
    assert "/the/file" in result.stderr
    assert "engine/install.py, line " in result.stderr


def test_bug_of_ours_is_told_as_one(command: Command) -> None:
    """Nothing of the command is mocked: a sitecustomize module breaks one of its parts."""
    (command.home / "broken").mkdir()
    (command.home / "broken" / "sitecustomize.py").write_text(
        "import safe_install.engine.install as part\n"
        "def explode(*arguments, **options): raise RuntimeError('https://u:hidden@host.test/ went wrong')\n"
        "part.find_target = explode\n"
    )
    result = command("install", "app", code=70, PYTHONPATH=str(command.home / "broken"))
    assert result.error == "internal-error"
    assert "RuntimeError" in result.stderr
    assert "report it" in result.stderr
    assert "hidden" not in result.text
