#!/usr/bin/env python3
"""Set up this checkout and run something in it; needs only Python 3.11 or newer with pip.

    python3 dev.py example          install the example project with ci-install and check it
    python3 dev.py test             run the whole test suite, on as many as eight cores
    python3 dev.py test ARG…        run pytest with these arguments
    python3 dev.py lint             ruff and mypy
    python3 dev.py bench [ARG…]     measure against uv and pip (bench/README.md)
    python3 dev.py run CMD [ARG…]   run any command of the development environment

The environment lies in `.dev/` of the checkout. It is made once, brought up to date when `pyproject.toml` changes,
and made again when the interpreter changes or a set-up was cut off. Two of these at once wait for one another.
The Python that runs this is not changed (PEP 668), and nothing needs root. pip takes everything from the index that
it is configured for.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

ROOT = Path(__file__).resolve().parent
HOME = ROOT / ".dev"
ENVIRONMENT = HOME / f"{sys.implementation.name}-{sys.version_info[0]}.{sys.version_info[1]}"
SCRIPTS = ENVIRONMENT / ("Scripts" if os.name == "nt" else "bin")
SUFFIX = ".exe" if os.name == "nt" else ""
EXAMPLE = ROOT / "examples" / "web-service"


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    if sys.version_info < (3, 11):  # noqa: UP036 -- whoever starts it with an older one is to be told
        print(f"dev.py needs Python 3.11 or newer; this is {sys.version.split()[0]}", file=sys.stderr)
        return 2
    command, rest = (arguments[0], list(arguments[1:])) if arguments else ("help", [])
    if command not in COMMANDS:
        print(__doc__, file=sys.stdout if command in {"help", "-h", "--help"} else sys.stderr)
        return 0 if command in {"help", "-h", "--help"} else 2
    try:
        groups, function = COMMANDS[command]
        set_up(groups)
        return function(rest)
    except subprocess.CalledProcessError as error:
        print(f"dev.py: failed with exit code {error.returncode}: {' '.join(map(str, error.cmd))}", file=sys.stderr)
        return error.returncode if error.returncode > 0 else 1
    except KeyboardInterrupt:
        return 130


def example(arguments: list[str]) -> int:
    """Install the example's lock with `ci-install` and let the example check what it got."""
    environment = EXAMPLE / ".venv"
    pins = EXAMPLE / "requirements.txt"
    call(program("ci-install"), "sync", pins, "--venv", environment, "--python", sys.executable, *arguments)
    return call(environment / SCRIPTS.name / f"python{SUFFIX}", EXAMPLE / "check.py", check=False)


def test(arguments: list[str]) -> int:
    """Run pytest from the checkout: with *arguments*, or everything on several cores."""
    everything = ["--numprocesses", "logical", "--maxprocesses", "8", "--dist", "loadgroup"]
    return call(program("python"), "-m", "pytest", *(arguments or everything), check=False)


def lint(arguments: list[str]) -> int:
    """Run every linter, also after one has found something, and return the first bad exit code."""
    codes = [
        call(program("ruff"), "check", *arguments, check=False),
        call(program("ruff"), "format", "--check", check=False),
        call(program("mypy"), check=False),
    ]
    return next(filter(None, codes), 0)


def bench(arguments: list[str]) -> int:
    """Run the benchmark."""
    return call(program("python"), "-m", "bench", *arguments, check=False)


def run(arguments: list[str]) -> int:
    """Run a command with the development environment first on PATH."""
    if not arguments:
        print("dev.py run: which command?", file=sys.stderr)
        return 2
    return call(shutil.which(arguments[0], path=search_path()) or arguments[0], *arguments[1:], check=False)


# Each command's function, and the groups of pyproject.toml that it needs beside the project itself.
COMMANDS: dict[str, tuple[tuple[str, ...], Callable[[list[str]], int]]] = {
    "example": ((), example),
    "test": (("test",), test),
    "lint": (("test", "lint"), lint),
    "bench": (("bench",), bench),
    "run": ((), run),
}


def set_up(groups: Sequence[str]) -> None:
    """Make `ENVIRONMENT` hold the project, editable, and *groups*; or find that it does.

    What it holds is noted in a file that is written last, so that a set-up that was cut off is done again.
    """
    note = ENVIRONMENT / "dev.json"
    interpreter = [sys.version, sys.base_prefix]
    project = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    with lock(HOME):
        done = {}
        with contextlib.suppress(OSError, ValueError):
            done = json.loads(note.read_text(encoding="utf-8"))
        if done.get("interpreter") != interpreter or not program("python").exists():
            make_environment()
            done = {}
        present = set(done.get("groups", ()))
        if done.get("project") == project and present.issuperset(groups):
            return
        wanted = sorted(present.union(groups))
        options = [option for group in wanted for option in ("--group", group)]
        call(program("python"), "-m", "pip", "install", "--quiet", "--editable", ".", *options)
        text = json.dumps({"interpreter": interpreter, "project": project, "groups": wanted})
        note.write_text(text, encoding="utf-8")


def make_environment() -> None:
    """Make an empty environment and put the newest pip into it.

    Without ensurepip, which Debian leaves out: the pip that runs here fills the new environment from outside.
    """
    shutil.rmtree(ENVIRONMENT, ignore_errors=True)
    venv.EnvBuilder(with_pip=False, symlinks=os.name != "nt").create(ENVIRONMENT)
    call(sys.executable, "-m", "pip", "--python", program("python"), "install", "--quiet", "--upgrade", "pip")


def program(name: str) -> Path:
    """A program of the development environment."""
    return SCRIPTS / (name + SUFFIX)


def search_path() -> str:
    """PATH with the development environment first."""
    return str(SCRIPTS) + os.pathsep + os.environ.get("PATH", os.defpath)


def call(*command: str | Path, check: bool = True) -> int:
    """Run *command* from the checkout and return its exit code.

    :raises subprocess.CalledProcessError: it failed and *check* is set.
    """
    # A user-wide wish for `pip install --user` or `--target` would put things outside the environment.
    unwanted = {"PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PYTHONHOME", "PYTHONPATH"}
    environ = {name: value for name, value in os.environ.items() if name not in unwanted}
    environ.update(PATH=search_path(), PIP_USER="0", PIP_DISABLE_PIP_VERSION_CHECK="1", VIRTUAL_ENV=str(ENVIRONMENT))
    sys.stdout.flush()
    return subprocess.run([str(part) for part in command], cwd=ROOT, env=environ, check=check).returncode


@contextlib.contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Hold the lock of *folder*, which is made; the system frees it when this process dies."""
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("a+b") as file:
        told = False
        while not try_to_lock(file.fileno()):
            if not told:
                print(f"dev.py: another one is setting up {folder}; waiting", file=sys.stderr)
                told = True
            time.sleep(0.2)
        yield


def try_to_lock(descriptor: int) -> bool:
    """Take the lock of an open file, without waiting, until the file is closed."""
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(descriptor, 0, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
