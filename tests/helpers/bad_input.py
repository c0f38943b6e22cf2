"""What jobs bring to a door by mistake or by malice; the same for every platform, so that no platform is spared any of it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from helpers.environments import other_interpreters
from helpers.processes import wait_until, wait_until_gone

if TYPE_CHECKING:
    from collections.abc import Iterator

    from helpers.stocked_index import StockedIndex

HOSTILE = {
    "quotes": 'it\'s "so" `odd`',
    "a command": "$(touch {place}) `touch {place}` ; touch {place}",
    "a variable": "$HOME ${HOME} $$ %PATH% 100% %25",
    "a workflow command": "::error title=hacked::hacked ::set-env name=HACKED::yes",
    "lines": "one\n::error title=hacked::hacked\n::set-output name=venv::hacked",
    "brackets": "]] && touch {place} #",
    "YAML": "x: [y, *z] !reference [a]",
    "no ASCII": "größer 中文 \u202e",
    "very long": "x" * 10_000,
}
"""Values of inputs; ``{place}`` stands for a file that none of them may make."""
CANCELS = (signal.SIGTERM, signal.SIGKILL)
_OLD = """\
#!/bin/sh
# Python 3.9, as far as anybody asks it: nothing but what it is told with -c.
[ "$1" = -c ] || { echo "SyntaxError: invalid syntax"; exit 1; }
exec '%s' -c "import sys; sys.version_info = (3, 9, 2, 'final', 0)
$2"
"""


def path_without_python(folder: Path, *, old: bool) -> Path:
    """Fill the new *folder* with all programs of this system but Python. :param old: there is one, which is too old."""
    folder.mkdir()
    for each in Path("/usr/bin").iterdir():
        if not each.name.startswith(("python", "pypy")):
            (folder / each.name).symlink_to(each)
    if old:
        too_old = ("3.8.", "3.9.", "3.10.")
        found = next((path for path in other_interpreters() if path.parts[-3].startswith(too_old)), None)
        for name in ("python3", "python"):
            if found:
                (folder / name).symlink_to(found)
            else:
                (folder / name).write_text(_OLD % sys.executable)
                (folder / name).chmod(0o755)
    return folder


def path_with_new_python_last(folder: Path) -> Path:
    """As `path_without_python` with an old one; a new one is there too, by its full name only."""
    path_without_python(folder, old=True)
    (folder / "python3.11").symlink_to(Path(sys.base_prefix, "bin", "python3"))
    return folder


@contextlib.contextmanager
def stalled(index: StockedIndex) -> Iterator[None]:
    """Meanwhile no file arrives whole."""
    gate = threading.Event()
    index.fail(path="/files/*", stall_after=1, gate=gate, times=99)
    try:
        yield
    finally:
        gate.set()


def cancel_while_fetching(process: subprocess.Popen[str], index: StockedIndex, number: signal.Signals) -> None:
    """End the job of *process* and all that it has started, at a moment when a file of *index* is half there.

    :param process: at the head of a process group.
    """
    try:
        wait_until(lambda: index.files_read() > 0 or process.poll() is not None, patience=60)
        assert process.poll() is None, process.communicate()
        doors = processes_of(index)
        assert doors
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        process.communicate(timeout=60)
    wait_until_gone(doors)


def processes_of(index: StockedIndex) -> list[int]:
    """The commands that were told to use *index*: those of one test, since each has an index of its own."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            is_door = b"\0door\0" in (each / "cmdline").read_bytes()
            if is_door and f"PIP_INDEX_URL={index.url}\0".encode() in (each / "environ").read_bytes():
                found.append(int(each.name))
    return found


def fill(disk: Path) -> None:
    """Leave not one byte on it."""
    with contextlib.suppress(OSError), (disk / "filling").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
