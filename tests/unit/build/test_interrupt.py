"""Ctrl-C in the middle of a build: the build is gone, and so is everything it made."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.processes import wait_until, wait_until_gone
from helpers.projects import project

DRIVER = """
import os, sys
from pathlib import Path
from helpers.projects import BareFiller
from safe_install.build.builder import Builder, BuildOrder, BuildSettings
from safe_install.fs.scratch import Scratch
from safe_install.install.interpreter import probe

tree, temporary, note = map(Path, sys.argv[1:])
with Scratch(temporary) as scratch:
    settings = BuildSettings(
        log_folder=temporary / "logs", available={"PATH": os.defpath, "DEMO_NOTE": str(note)}, declared=("DEMO_NOTE",)
    )
    Builder(BareFiller(), scratch, settings).build_wheel(
        BuildOrder(source_tree=tree, interpreter=probe(sys.executable))
    )
"""


@pytest.mark.skipif(os.name == "nt", reason="a console is needed to send Ctrl-C there")
def test_nothing_is_left_after_an_interrupt(tmp_path: Path) -> None:
    note = tmp_path / "note"
    temporary = tmp_path / "temporary"
    paths = [str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
    with subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(project("hangs", tmp_path)), str(temporary), str(note)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        stderr=subprocess.PIPE,
        text=True,
    ) as driver:
        try:
            wait_until(note.exists)
            driver.send_signal(signal.SIGINT)
            _, complaint = driver.communicate(timeout=60)
        finally:
            driver.kill()
    assert complaint.rstrip().endswith("KeyboardInterrupt")
    assert list(temporary.iterdir()) == []
    wait_until_gone(int(number) for number in note.read_text().split())
