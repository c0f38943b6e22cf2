"""The command in this process: what needs no index and no environment."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from safe_install import __version__
from safe_install.cli import main
from safe_install.cli.call import Call, perform
from safe_install.engine.report import Outcome
from safe_install.errors import ExitCode, IntegrityError

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A working folder without configuration, and the handlers of signals back in their place afterwards."""
    monkeypatch.chdir(tmp_path)
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    handlers = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"ci-install {__version__}\n"


def test_version_among_other_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version", "install"]) == 0
    assert __version__ in capsys.readouterr().out


def test_no_arguments_show_the_help_and_are_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == ExitCode.USAGE
    assert "Usage: ci-install" in "".join(capsys.readouterr())


@pytest.mark.parametrize("arguments", [["nonsense"], ["sync"], ["sync", "x", "--nonsense"], ["sync", "x", "--timeout"]])
def test_wrong_usage_has_a_message_and_a_hint(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == ExitCode.USAGE
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("error[usage]: ")
    assert "--help" in shown.err


def test_wrong_usage_is_a_document_with_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sync", "--json", "x", "--nonsense"]) == ExitCode.USAGE
    document = json.loads(capsys.readouterr().out)
    assert (document["command"], document["error"]["code"], document["exit_code"]) == ("sync", "usage", 2)


def test_wrong_choice_does_not_show_a_secret(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sync", "x", "--link-mode", "https://user:hidden@host.test/"]) == ExitCode.USAGE
    assert "hidden" not in "".join(capsys.readouterr())


def test_interrupt_becomes_exit_code_and_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def work(_: Call) -> Outcome:
        raise KeyboardInterrupt

    assert perform("sync", {"report": str(tmp_path / "report.json")}, "Installed", work) == ExitCode.INTERRUPTED
    assert json.loads((tmp_path / "report.json").read_text())["error"]["code"] == "interrupted"
    assert "error[interrupted]" in capsys.readouterr().err


def test_error_with_a_name_keeps_its_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    def work(_: Call) -> Outcome:
        raise IntegrityError("bad", code="hash-mismatch", context=("expected a", "got b"), hint="do this")

    assert perform("sync", {}, "Installed", work) == ExitCode.INTEGRITY
    assert capsys.readouterr().err == "error[hash-mismatch]: bad\n  expected a\n  got b\n  hint: do this\n"


def test_error_without_a_name_is_our_fault(capsys: pytest.CaptureFixture[str]) -> None:
    def work(_: Call) -> Outcome:
        raise LookupError("https://user:hidden@host.test/")

    assert perform("sync", {}, "Installed", work) == ExitCode.INTERNAL
    shown = capsys.readouterr().err
    assert "error[internal-error]" in shown
    assert "LookupError" in shown
    assert "hidden" not in shown


def test_full_disk_is_nobodys_bug(capsys: pytest.CaptureFixture[str]) -> None:
    import errno

    def work(_: Call) -> Outcome:
        raise OSError(errno.ENOSPC, "No space left on device", "/somewhere/file")

    assert perform("sync", {}, "Installed", work) == ExitCode.STORE
    assert "error[disk-full]" in capsys.readouterr().err


def test_report_that_cannot_be_written_does_not_hide_the_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()

    def work(_: Call) -> Outcome:
        raise IntegrityError("bad", code="hash-mismatch")

    code = perform("sync", {"report": str(tmp_path / "file" / "report.json")}, "Installed", work)
    assert code == ExitCode.INTEGRITY
    shown = capsys.readouterr().err
    assert "error[hash-mismatch]" in shown
    assert "error[report-unwritable]" in shown


def test_report_of_names_that_are_no_text_can_be_read(tmp_path: Path) -> None:
    def work(_: Call) -> Outcome:
        return Outcome(layout={"venv": "/tmp/\udcff"})

    assert perform("sync", {"report": str(tmp_path / "report.json")}, "Installed", work) == ExitCode.DONE
    assert json.loads((tmp_path / "report.json").read_text())["layout"]["venv"] == "/tmp/\udcff"
