"""``ci-install wrap``: exit codes and output of the command, caches of its own, one clean retry, trust."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from helpers.capabilities import unix_only
from helpers.missing_parts import program

if TYPE_CHECKING:
    from helpers.command import Command
    from helpers.stocked_index import StockedIndex

PYTHON = sys.executable


def fake(command: Command, name: str, text: str) -> Path:
    """A program called *name*, written in Python."""
    path = command.folder / name
    path.write_text(f"#!{PYTHON}\n{text}", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_output_and_exit_code_pass_through(command: Command) -> None:
    code = "import sys; sys.stdout.write('out\\n'); sys.stderr.write('err\\n'); sys.exit(3)"
    result = command("wrap", "--", PYTHON, "-c", code, code=3)
    assert result.stdout == "out\n"
    assert result.stderr == "err\n"


def test_options_after_the_command_are_its_own(command: Command) -> None:
    assert command("wrap", PYTHON, "-c", "print('mine')", "--quiet").stdout == "mine\n"


def test_what_is_not_there_cannot_be_run(command: Command) -> None:
    assert "error[command-unusable]" in command("wrap", "--", "./nothing", code=125).stderr


def test_without_a_command(command: Command) -> None:
    assert "error[usage]" in command("wrap", code=125).stderr


def test_wrong_setting_is_no_failure_of_the_command(command: Command) -> None:
    assert "error[setting-invalid]" in command("wrap", "--lock-timeout", "soon", "--", PYTHON, code=125).stderr


@unix_only
def test_signal_that_ended_the_command(command: Command) -> None:
    command("wrap", "--", PYTHON, "-c", "import os; os.kill(os.getpid(), 9)", code=137)


@unix_only
def test_request_to_end_reaches_the_command(command: Command) -> None:
    tool = fake(
        command,
        "tool",
        "import signal, sys, time\n"
        "def end(*_): print('told', flush=True); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end)\nprint('began', flush=True)\ntime.sleep(60)\n",
    )
    process = command.start("wrap", "--", tool)
    assert process.stdout is not None
    assert process.stdout.readline() == "began\n"
    begun = time.monotonic()
    process.send_signal(signal.SIGTERM)
    stdout, _ = process.communicate(timeout=30)
    assert (process.returncode, stdout) == (130, "told\n")
    assert time.monotonic() - begun < 20


@unix_only
def test_each_job_has_caches_of_its_own_that_begin_as_the_seed(command: Command) -> None:
    tool = fake(
        command,
        "uv",
        "import os, pathlib\ncache = pathlib.Path(os.environ['UV_CACHE_DIR'])\n"
        "print(sorted(path.name for path in cache.iterdir()), cache)\n(cache / str(os.getpid())).touch()\n",
    )
    first = command("wrap", "--publish", "--", tool).stdout
    second = command("wrap", "--", tool).stdout
    third = command("wrap", "--", tool).stdout
    assert first.startswith("[] ")
    (published,) = eval(second.partition("]")[0] + "]")
    assert eval(third.partition("]")[0] + "]") == [published]
    folders = {line.partition("] ")[2] for line in (first, second, third)}
    assert len(folders) == 3
    assert not any(Path(folder.strip()).exists() for folder in folders)


@unix_only
def test_failed_command_publishes_nothing(command: Command) -> None:
    text = "import os, pathlib, sys\ncache = pathlib.Path(os.environ['UV_CACHE_DIR'])\nprint(list(cache.iterdir()))\n"
    bad = fake(command, "uv", text + "(cache / 'bad').touch()\nsys.exit(1)\n")
    command("wrap", "--publish", "--", bad, code=1)
    assert command("wrap", "--", fake(command, "uv", text)).stdout == "[]\n"


@unix_only
def test_failure_that_passes_is_tried_once_more_with_fresh_caches(command: Command) -> None:
    text = (
        "import os, pathlib, sys\ncache = pathlib.Path(os.environ['UV_CACHE_DIR'])\n"
        "with open({log!r}, 'a') as log: print(list(cache.iterdir()), file=log)\n"
        "(cache / 'mine').touch()\n"
        "if open({log!r}).read().count('\\n') <= {failures}:\n"
        "    sys.exit('error: failed to remove directory: Directory not empty (os error 39)')\n"
    )
    log = command.folder / "log"
    tool = fake(command, "uv", text.format(log=str(log), failures=1))
    result = command("wrap", "--", tool)
    assert "uv#12036" in result.stderr
    assert "run once more" in result.stderr
    assert log.read_text() == "[]\n[]\n"
    assert result.report is not None
    assert [each["kind"] for each in result.report["step_downs"]] == ["run-again"]
    log.unlink()
    command("wrap", "--", fake(command, "uv", text.format(log=str(log), failures=9)), code=1)
    assert log.read_text() == "[]\n[]\n"


@unix_only
def test_other_failures_are_not_tried_again(command: Command) -> None:
    log = command.folder / "log"
    tool = fake(command, "uv", f"import sys\nprint(1, file=open({str(log)!r}, 'a'))\nsys.exit('No solution found')\n")
    command("wrap", "--", tool, code=1)
    assert log.read_text() == "1\n"


@unix_only
def test_untrusted_job_publishes_nothing(command: Command) -> None:
    text = "import os, pathlib\ncache = pathlib.Path(os.environ['UV_CACHE_DIR'])\nprint(list(cache.iterdir()))\n(cache / 'x').touch()\n"
    tool = fake(command, "uv", text)
    result = command("wrap", "--publish", "--trust", "untrusted", "--", tool)
    assert "publishes no caches" in result.stderr
    assert command("wrap", "--", tool).stdout == "[]\n"


@unix_only
@pytest.mark.slow
@pytest.mark.parametrize("tool", ["uv", "pip"])
def test_herd_with_a_seed(command: Command, index: StockedIndex, tool: str) -> None:
    """Eight at once, each with a copy: all succeed; and with uv, whose cache needs no promises of a server, nothing is fetched."""
    for name in ("alpha", "beta", "gamma"):
        index.wheel(name)
    command.write("requirements.txt", "alpha\nbeta\ngamma\n")

    def arguments(venv: str) -> list[str]:
        if tool == "uv":
            uv = str(program("uv", "pip install uv"))
            rest = ["--python", f"{venv}/bin/python", "--default-index", index.url, "-r", "requirements.txt"]
            return [uv, "pip", "install", *rest]
        return [f"{venv}/bin/python", "-m", "pip", "install", "--index-url", index.url, "-r", "requirements.txt"]

    names = [f"venv{number}" for number in range(9)]
    for name in names:
        command("venv", name, "--with-pip", SAFE_INSTALL_INDEX_URL=None)
    command("wrap", "--publish", "--", *arguments(names[0]))
    before = index.files_read()
    processes = [command.start("wrap", "--", *arguments(name)) for name in names[1:]]
    said = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0] * 8, said
    for name in names:
        assert {"alpha", "beta", "gamma"} <= set(command.installed(command.folder / name))
    if tool == "uv":
        assert index.files_read() == before


@unix_only
def test_terminal_is_the_commands_own(command: Command) -> None:
    """Its output goes straight to a terminal, so that it can draw its own progress."""
    pty = pytest.importorskip("pty")
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [PYTHON, "-m", "safe_install", "wrap", "--", PYTHON, "-c", "import sys; print(sys.stdout.isatty())"],
        cwd=command.folder,
        env=command.variables,
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    said = b""
    while b"\n" not in said:
        said += os.read(master, 1000)
    os.close(master)
    assert process.wait(timeout=30) == 0
    assert said.strip() == b"True"


@unix_only
def test_edit_in_an_environment_is_in_no_cache_that_is_published(command: Command, index: StockedIndex) -> None:
    """Promise 4, for other installers: uv would link its cache into the environment."""
    index.wheel("alpha")
    uv = program("uv", "pip install uv")
    command("venv", "one")
    command("venv", "two")
    install = f"{uv} pip install --quiet --default-index {index.url} alpha --python"
    edit = "for f in one/lib/*/site-packages/alpha/__init__.py; do echo 'edited = 1' >> $f; done"
    command("wrap", "--tool", "uv", "--publish", "--", "sh", "-c", f"{install} one/bin/python && {edit}")
    command("wrap", "--", *f"{install} two/bin/python".split())
    assert command.run_python("import alpha; print(hasattr(alpha, 'edited'))", command.folder / "one") == "True"
    assert command.run_python("import alpha; print(hasattr(alpha, 'edited'))", command.folder / "two") == "False"


def test_hard_links_are_refused(command: Command) -> None:
    assert "error[setting-invalid]" in command("wrap", "--link-mode", "hardlink", "--", PYTHON, code=125).stderr


@pytest.mark.parametrize("arguments", [["--nope"], ["--tool", "nope"]])
def test_wrong_usage_is_no_exit_code_of_the_command(command: Command, arguments: list[str]) -> None:
    command("wrap", *arguments, "--", PYTHON, "-c", "pass", code=125)


def test_report_that_cannot_be_written_hides_no_failure(command: Command) -> None:
    command("wrap", "--report", "/proc/nope/x", "--", PYTHON, "-c", "raise SystemExit(3)", code=3)
    command("wrap", "--report", "/proc/nope/x", "--", PYTHON, "-c", "pass", code=7)


@unix_only
def test_script_is_not_run_twice_for_what_it_prints(command: Command) -> None:
    log = command.folder / "log"
    script = f"echo x >> {log}; echo 'failed to remove: Directory not empty (os error 39)'; exit 1"
    command("wrap", "--tool", "uv", "--", "sh", "-c", script, code=1)
    assert log.read_text() == "x\n"


@unix_only
def test_failure_is_found_among_many_lines(command: Command) -> None:
    log = command.folder / "log"
    text = (
        f"import sys\nprint(1, file=open({str(log)!r}, 'a'))\n"
        "print('Directory not empty (os error 39)', flush=True)\n"
        "for number in range(300): print(number, flush=True)\nsys.exit(1)\n"
    )
    command("wrap", "--", fake(command, "uv", text), code=1)
    assert log.read_text() == "1\n1\n"


@unix_only
def test_tool_that_removes_itself_keeps_its_exit_code(command: Command) -> None:
    text = "import os, sys\nos.unlink(sys.argv[0])\nprint('Directory not empty (os error 39)')\nsys.exit(9)\n"
    result = command("wrap", "--", fake(command, "uv", text), code=9)
    assert "cannot run" in result.stderr


@unix_only
def test_nobody_reads_the_output(command: Command) -> None:
    process = command.start("wrap", "--", PYTHON, "-c", "while True: print('y' * 1000)")
    assert process.stdout is not None
    assert process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=30) != 0
    assert process.stderr is not None
    process.stderr.close()


@unix_only
def test_output_that_does_not_block_loses_nothing(command: Command) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    process = subprocess.Popen(
        [PYTHON, "-m", "safe_install", "wrap", "--", PYTHON, "-c", "print('y' * 999_999)"],
        cwd=command.folder,
        env=command.variables,
        stdout=writing,
    )
    os.close(writing)
    time.sleep(1.0)  # the pipe is full now
    with open(reading, "rb") as stream:
        assert len(stream.read()) == 1_000_000
    assert process.wait(timeout=30) == 0


@unix_only
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_outputs_are_no_failure(command: Command, closed: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f"{PYTHON} -m safe_install wrap -- sh -c 'exit 3' {closed}"],
        cwd=command.folder,
        env=command.variables,
        check=False,
    )
    assert done.returncode == 3


@unix_only
def test_what_it_left_in_the_background_is_not_waited_for(command: Command) -> None:
    begun = time.monotonic()
    command("wrap", "--", "sh", "-c", "sleep 30 & exit 0")
    assert time.monotonic() - begun < 15
    subprocess.run(["pkill", "-f", "^sleep 30$"], check=False)


@unix_only
def test_request_to_end_reaches_what_the_command_started(command: Command) -> None:
    log = command.folder / "log"
    child = f"import time; print('began', flush=True); time.sleep(60); open({str(log)!r}, 'w')"
    process = command.start("wrap", "--", "bash", "-euo", "pipefail", "-c", f'{PYTHON} -c "{child}"; echo after')
    assert process.stdout is not None
    assert process.stdout.readline() == "began\n"
    process.send_signal(signal.SIGTERM)
    stdout, _ = process.communicate(timeout=30)
    assert (process.returncode, stdout) == (130, "")


@unix_only
def test_killed_call_is_cleaned_up_by_the_next(command: Command) -> None:
    process = command.start("wrap", "--", PYTHON, "-c", "import time; print('began', flush=True); time.sleep(60)")
    assert process.stdout is not None
    process.stdout.readline()
    process.kill()
    process.communicate(timeout=30)
    assert list(command.scratch.iterdir())
    command("wrap", "--", PYTHON, "-c", "pass")
    assert list(command.scratch.iterdir()) == []


@unix_only
def test_nothing_to_publish_is_told(command: Command) -> None:
    assert "nothing is known of a cache" in command("wrap", "--publish", "--", PYTHON, "-c", "pass").stderr
