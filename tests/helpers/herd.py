"""Many jobs at once: real processes that share one store and nothing else, and begin at the same moment.

::

    herd = Herd(tmp_path, index, size=8)
    herd.start("sync", lock)
    results = herd.wait()

What each says is read while it runs, so that a test can let something happen once so many wait (`Herd.wait_for_waiters`).
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers.command import Command, Result
from helpers.processes import wait_until
from safe_install.fs.hashing import hash_file
from safe_install.store.layout import MANIFEST, WHEELS
from safe_install.store.manifest import read_manifest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Self

    from helpers.index import LocalIndex, Offered

# A guard against a deadlock, no statement about speed: many processes on a small machine that has other work, too.
PATIENCE = 280.0
TESTS = Path(__file__).parents[1]


class Member:
    """One job. :param command: its own home, working folder and report."""

    def __init__(self, command: Command, arguments: Sequence[str | Path], variables: dict[str, str]) -> None:
        self.command = command
        self.lines: list[str] = []
        self._output: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "helpers.herd_member", *map(str, arguments)],
            cwd=command.folder,
            env={**command.variables, "PYTHONPATH": str(TESTS), **variables},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )
        self._readers = [
            threading.Thread(target=self._read, args=(stream, lines), daemon=True)
            for stream, lines in ((self.process.stdout, self._output), (self.process.stderr, self.lines))
        ]
        for reader in self._readers:
            reader.start()

    @property
    def is_ready(self) -> bool:
        return bool(self._output)

    def go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.close()

    def result(self) -> Result:
        """Wait for its end."""
        self.process.wait(PATIENCE)
        for reader in self._readers:
            reader.join(PATIENCE)
        return self.command.result(self.process.returncode, "".join(self._output[1:]), "".join(self.lines))

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        for reader in self._readers:
            reader.join()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()

    def _read(self, stream: Any, lines: list[str]) -> None:
        for line in stream:
            lines.append(line)


class Herd:
    """A context manager; at its end no process of it runs.

    :param folder: for everything but the store.
    :param index: None for what *variables* name.
    :param store: shared by all.
    :param variables: for all.
    """

    def __init__(self, folder: Path, index: LocalIndex | None, *, size: int, store: Path, **variables: str) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.store = store
        # Beside the store: builds see its name, so another one would be another build.
        self.builds = store.with_name("builds.log")
        self._index = index
        self._size = size
        self._variables = {
            "SAFE_INSTALL_TEST_BUILD_LOG": str(self.builds),
            "SAFE_INSTALL_BUILD_ENV": "SAFE_INSTALL_TEST_BUILD_LOG",
            # Many processes and one index on a small machine.
            "SAFE_INSTALL_TIMEOUT": "200",
            "SAFE_INSTALL_RETRY_BUDGET": "60",
            **variables,
        }
        self.members: list[Member] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for member in self.members:
            member.kill()

    def start(self, *arguments: str | Path, **variables: str) -> None:
        """Start all, and let them begin together when every one has done its imports."""
        for _ in range(self._size):
            self.add(*arguments, **variables)
        self.release()

    def add(self, *arguments: str | Path, **variables: str) -> Member:
        """Start one more, which waits for `release`."""
        number = len(self.members)
        home = self.folder / f"job-{number}"
        command = Command(home=home / "home", folder=home / "work")
        command.variables |= {**self._variables, "SAFE_INSTALL_CACHE_DIR": str(self.store)}
        if self._index is not None:
            command.use(self._index)
        member = Member(command, arguments, variables)
        self.members.append(member)
        return member

    def release(self, *members: Member) -> None:
        """Let them begin, all that were added when none is named."""
        chosen = members or tuple(self.members)
        wait_until(
            lambda: all(member.is_ready or member.process.poll() is not None for member in chosen), patience=PATIENCE
        )
        for member in chosen:
            member.go()

    def wait_for_waiters(self, what: str, count: int) -> None:
        """Return when *count* have said that they wait for *what*. :raises AssertionError: one has ended before."""

        def are_waiting() -> bool:
            ended = ["".join(member.lines) for member in self.members if member.process.poll() is not None]
            assert ended == []
            return sum(any(f"waiting for {what}," in line for line in member.lines) for member in self.members) == count

        wait_until(are_waiting, patience=PATIENCE)

    def wait(self) -> list[Result]:
        """Wait for all, and hold them to success."""
        results = [member.result() for member in self.members]
        assert [result.code for result in results] == [0] * len(results), "\n".join(r.stderr for r in results if r.code)
        return results

    def built(self, name: str) -> int:
        """How many times a wheel of this project was built from source."""
        text = self.builds.read_text(encoding="utf-8") if self.builds.exists() else ""
        return sum(line.split()[:2] == ["build_wheel", name] for line in text.splitlines())


def write_lock(path: Path, index: LocalIndex, *offered: Offered) -> Path:
    """Write a lock (PEP 751) of files of *index*."""
    lines = ['lock-version = "1.0"', 'created-by = "tests"']
    for file in offered:
        stem = file.filename.removesuffix(".tar.gz").removesuffix(".whl")
        version = stem.split("-")[1]
        table = "[[packages.wheels]]" if file.filename.endswith(".whl") else "[packages.sdist]"
        lines += ["[[packages]]", f'name = "{file.project}"', f'version = "{version}"', table]
        lines += [f'url = "{index.file_url(file.filename)}"', f'hashes = {{sha256 = "{file.sha256}"}}']
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def damage_of(store: Path) -> list[str]:
    """Read every unpacked wheel of a store whole; return what is wrong."""
    problems = []
    for manifest_file in sorted((store / WHEELS).glob(f"*/*/{MANIFEST}")):
        tree = manifest_file.parent / "tree"
        manifest = read_manifest(manifest_file)
        expected = {entry.path for entry in manifest.files}
        found = {path.relative_to(tree).as_posix() for path in tree.rglob("*") if path.is_file()}
        problems += [f"{tree}: {name}" for name in expected ^ found]
        for entry in manifest.files:
            if hash_file(tree / entry.path)["sha256"] != entry.sha256:
                problems.append(f"{tree}: {entry.path} has other content")
    for place in ("staging", "trash"):
        problems += [f"{place}: {name}" for name in os.listdir(store / place)]
    return problems
