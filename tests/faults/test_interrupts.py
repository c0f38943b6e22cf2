"""Ctrl-C and SIGTERM at any moment: exit code 130, nothing half-made anywhere, environments whole (promise 1)."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from helpers.command import Command
from helpers.environments import tree_of
from helpers.processes import wait_until, wait_until_gone
from helpers.stocked_index import StockedIndex

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from helpers.command import Result

pytestmark = pytest.mark.skipif(os.name == "nt", reason="a console is needed to send Ctrl-C there")

# To the process alone, as a CI runner does; or to its whole group, as a terminal does.
SIGNALS = [(signal.SIGINT, "group"), (signal.SIGTERM, "process")]
both_signals = pytest.mark.parametrize(("number", "to"), SIGNALS, ids=["ctrl-c", "terminate"])
# What a CI system grants between asking a job to end and killing it is 7.5 s at the least (GitHub).
PATIENCE = 7.0


@pytest.fixture
def index() -> Iterator[StockedIndex]:
    with StockedIndex() as index:
        yield index


@pytest.fixture
def command(tmp_path: Path, index: StockedIndex) -> Iterator[Command]:
    command = Command(home=tmp_path / "home", folder=tmp_path / "work")
    command.use(index)
    yield command
    assert command.litter() == []


def interrupted(
    command: Command, number: int, to: str, *arguments: str, when: Callable[[], object], **variables: Any
) -> Result:
    """Run the command, send the signal once *when* returns, and return what came of it."""
    process = command.start(*arguments, **variables)
    try:
        when()
        assert process.poll() is None, f"it ended by itself: {process.communicate()}"
        send(process, number, to)
        stdout, stderr = process.communicate(timeout=60)
    finally:
        end_group(process)
    return command.result(process.returncode, stdout, stderr)


def send(process: subprocess.Popen[str], number: int, to: str) -> None:
    with contextlib.suppress(ProcessLookupError):
        if to == "group":
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)


def end_group(process: subprocess.Popen[str]) -> None:
    """Leave nothing running and nothing open after a test that failed."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def assert_interrupted(result: Result) -> None:
    assert result.code == 130, f"{result.code}\n{result.stderr}"
    assert result.error == "interrupted"
    assert "error[interrupted]" in result.stderr
    assert "Traceback" not in result.stderr


@both_signals
@pytest.mark.parametrize("count", [1, 5], ids=["one file", "many files"])
def test_stalled_downloads(command: Command, index: StockedIndex, number: int, to: str, count: int) -> None:
    names = [f"big{position}" for position in range(count)]
    for name in names:
        index.wheel(name)
        index.fail(path=f"/files/*/{name}-*.whl", stall_after=50, times=9)
    command("venv")
    with command.unchanged():
        begun = time.monotonic()
        result = interrupted(
            command, number, to, "install", *names, when=lambda: wait_until(lambda: index.files_read() == count)
        )
    assert_interrupted(result)
    assert time.monotonic() - begun < 20 + PATIENCE  # --timeout alone would take 20 seconds for one, and then again


@both_signals
@pytest.mark.parametrize("path", ["/simple/lib/", "/files/*/lib-*.whl"], ids=["page", "file"])
def test_server_that_never_answers(command: Command, index: StockedIndex, number: int, to: str, path: str) -> None:
    index.wheel("lib")
    index.fail(path=path, pause=600, times=9)
    with command.unchanged():
        sent: list[float] = []

        def when() -> None:
            wait_until(lambda: index.count(path) > 0)
            sent.append(time.monotonic())

        result = interrupted(command, number, to, "install", "lib", when=when, SAFE_INSTALL_TIMEOUT="60")
    assert_interrupted(result)
    assert time.monotonic() - sent[0] < PATIENCE


@both_signals
def test_waiting_to_try_again(command: Command, index: StockedIndex, number: int, to: str) -> None:
    index.wheel("lib")
    index.fail(path="/simple/lib/", status=503, headers={"Retry-After": "300"}, times=9)
    with command.unchanged():
        result = interrupted(
            command,
            number,
            to,
            "install",
            "lib",
            when=lambda: wait_until(lambda: index.count("/simple/lib/") > 0),
            SAFE_INSTALL_RETRY_BUDGET="600",
        )
    assert_interrupted(result)


@both_signals
@pytest.mark.parametrize("hook", ["prepare_metadata_for_build_wheel", "build_wheel"])
@pytest.mark.parametrize("count", [1, 2], ids=["one build", "two builds"])
def test_builds(command: Command, index: StockedIndex, number: int, to: str, hook: str, count: int) -> None:
    """Builds run in sessions of their own, so the signal does not reach them by itself."""
    note = command.home / "pids"
    slow = (
        "\nimport os, time as _time\n"
        f"_real = {hook}\n"
        f"def {hook}(*arguments, **options):\n"
        f"    with open({str(note)!r}, 'a') as stream:\n"
        "        stream.write(f'{os.getpid()}\\n')\n"
        "    _time.sleep(600)\n"
    )
    for position in range(count):
        name = f"slow{position}"
        index.sdist(name, files={f"{name}/__init__.py": ""})
    _append_to_backends(index, slow)
    builds = 1 if hook.startswith("prepare") else count
    with command.unchanged():
        result = interrupted(
            command,
            number,
            to,
            "install",
            *(f"slow{position}" for position in range(count)),
            when=lambda: wait_until(lambda: note.exists() and len(note.read_text().split()) >= builds),
        )
    assert_interrupted(result)
    wait_until_gone(int(line) for line in note.read_text().split())


def _append_to_backends(index: StockedIndex, code: str) -> None:
    """Make the backends of all sdists on offer end with *code*."""
    import gzip
    import io
    import tarfile

    for files in index._roots["simple"].values():
        for file in list(files):
            buffer = io.BytesIO()
            with tarfile.open(fileobj=io.BytesIO(file.data)) as old, tarfile.open(fileobj=buffer, mode="w") as new:
                for member in old:
                    stream = old.extractfile(member)
                    assert stream is not None
                    content = stream.read()
                    if member.name.endswith("in_tree_backend.py"):
                        content += code.encode()
                    member.size = len(content)
                    new.addfile(member, io.BytesIO(content))
            index.add(file.filename, gzip.compress(buffer.getvalue(), mtime=0))


@both_signals
def test_waiting_for_the_lock_of_an_environment(command: Command, index: StockedIndex, number: int, to: str) -> None:
    from safe_install.events import ignore
    from safe_install.install.holding import hold_environment

    index.wheel("lib")
    command("venv")
    with command.unchanged(), hold_environment(command.venv, timeout=1, sink=ignore):
        process = command.start("install", "lib")
        try:
            assert process.stderr is not None
            line = ""
            while "waiting for" not in line:
                line = process.stderr.readline()
                assert line, "it never waited"
            send(process, number, to)
            _, stderr = process.communicate(timeout=60)
        finally:
            end_group(process)
    assert process.returncode == 130
    assert "error[interrupted]" in stderr


def test_second_signal_does_not_spoil_the_cleaning_up(command: Command, index: StockedIndex) -> None:
    names = [f"big{position}" for position in range(5)]
    for name in names:
        index.wheel(name)
        index.fail(path=f"/files/*/{name}-*.whl", stall_after=50, times=9)
    with command.unchanged():
        process = command.start("install", *names)
        try:
            wait_until(lambda: index.files_read() == len(names))
            for _ in range(5):
                send(process, signal.SIGINT, "group")
                send(process, signal.SIGTERM, "process")
            stdout, stderr = process.communicate(timeout=60)
        finally:
            end_group(process)
    assert_interrupted(command.result(process.returncode, stdout, stderr))


def test_signals_that_are_ignored_stay_ignored(command: Command, index: StockedIndex) -> None:
    """``nohup`` and the background jobs of scripts ignore them on purpose."""
    index.wheel("lib")
    index.fail(path="/simple/lib/", pause=1.5)
    script = (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "os.execv(sys.executable, [sys.executable, '-m', 'safe_install', 'install', 'lib'])\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], cwd=command.folder, env=command.variables) as process:
        wait_until(lambda: index.count("/simple/lib/") > 0)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    assert command.installed() == {"lib": "1.0"}


@pytest.mark.parametrize("module", ["signals", "call", "parser"])
def test_ctrl_c_while_the_command_itself_is_loaded(command: Command, module: str) -> None:
    script = (
        "import os, signal, sys\n"
        "class Strike:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == 'safe_install.cli.{module}':\n"
        "            sys.meta_path.remove(self)\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "from safe_install.cli import main\n"
        "sys.meta_path.insert(0, Strike())\n"
        "sys.argv[1:] = ['cache', 'dir', '--json']\n"
        "sys.exit(main())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=command.folder,
        env=command.variables,
        capture_output=True,
        check=False,
        text=True,
    )
    assert (done.returncode, json.loads(done.stdout)["error"]["code"]) == (130, "interrupted")
    assert "Traceback" not in done.stderr


class Sweep:
    """Interrupts one command at moments spread over the time that it takes, and checks what each leaves.

    :ivar codes: the exit codes so far.
    """

    def __init__(self, command: Command) -> None:
        self.command = command
        self.codes: list[int] = []

    def at(self, delay: float, number: int, to: str, *arguments: str, **variables: Any) -> Result:
        process = self.command.start(*arguments, **variables)
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(delay)
            send(process, number, to)
            stdout, stderr = process.communicate(timeout=60)
        finally:
            end_group(process)
        result = self.command.result(process.returncode, stdout, stderr)
        self.codes.append(result.code)
        assert self.command.litter() == []
        if result.code not in {0, 130}:
            # Python itself was starting: before `main` runs nothing is begun, and nothing can be caught.
            assert "in main\n" not in stderr, stderr
            assert result.report is None
        else:
            assert "Traceback" not in stderr
        return result


def moments(command: Command, count: int, *arguments: str, **variables: Any) -> list[float]:
    """Run *arguments* once without a signal, and spread moments over the time that it took."""
    begun = time.monotonic()
    command(*arguments, **variables)
    taken = time.monotonic() - begun
    return [taken * position / count for position in range(1, count + 1)]


@pytest.mark.slow
def test_new_environment_at_many_moments_of_a_cold_install(command: Command, index: StockedIndex) -> None:
    """Everything is under way at some moment: the store is made, pages are read, files fetched, a build runs."""
    index.wheel("app", requires_dist=["lib", "built"], files={f"app/m{number}.py": "x = 1\n" for number in range(60)})
    index.wheel("lib", entry_points="[console_scripts]\nlib = lib:main\n")
    index.sdist("built")
    arguments = ("install", "app", "--compile-bytecode")
    sweep = Sweep(command)
    for position, delay in enumerate(moments(command, 16, *arguments)):
        command.variables["SAFE_INSTALL_CACHE_DIR"] = str(command.home / f"store-{position}")
        venv = f"env-{position}"
        number, to = SIGNALS[position % 2]
        result = sweep.at(delay, number, to, *arguments, "--venv", venv)
        staging = command.home / f"store-{position}" / "staging"
        assert not staging.exists() or list(staging.iterdir()) == []
        place = command.folder / venv
        if result.code == 0 or place.exists():
            assert command.installed(place) == {"app": "1.0", "lib": "1.0", "built": "1.0"}
    assert 130 in sweep.codes


@pytest.mark.slow
def test_existing_environment_at_many_moments_of_a_change(command: Command, index: StockedIndex) -> None:
    """It is either as it was or as it was to be, to the byte."""

    def modules(name: str, text: str) -> dict[str, str]:
        return {f"{name}/{letter}{number}.py": text for letter in "abcd" for number in range(100)}

    locks = {}
    for version in ("1.0", "2.0"):
        files = [index.wheel("many", version, files=modules("many", f"v = '{version}'\n")), index.wheel("lib", version)]
        if version == "1.0":
            files.append(index.wheel("going", files=modules("going", "")))
        lines = [f"{f.project}=={version} --hash=sha256:{f.sha256}\n" for f in files]
        locks[version] = command.write(
            f"requirements-{version}.txt", "".join(lines).replace("going==2.0", "going==1.0")
        )
    old, new = str(locks["1.0"]), str(locks["2.0"])
    options = ("--compile-bytecode", "--link-mode", "copy")
    command("sync", new, *options)
    states = {"new": state_of(command)}
    command("sync", old, *options)
    states["old"] = state_of(command)
    sweep = Sweep(command)
    for position, delay in enumerate(moments(command, 24, "sync", new, *options)):
        command("sync", old, *options)
        assert state_of(command) == states["old"]
        number, to = SIGNALS[position % 2]
        result = sweep.at(delay, number, to, "sync", new, *options)
        found = next((name for name, state in states.items() if state == state_of(command)), "neither")
        assert found in ({"new"} if result.code == 0 else {"old", "new"}), (found, delay, result)
    assert 130 in sweep.codes


def state_of(command: Command) -> dict[str, tuple[int, bytes | str]]:
    """The environment to the byte, but for the bytecode, whose content holds the times of sources."""
    tree = tree_of(command.venv)
    return {name: (0, "") if name.endswith(".pyc") else state for name, state in tree.items()}
