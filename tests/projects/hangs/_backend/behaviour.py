"""Starts a child, a child that leaves the process group, and waits for ever. Their numbers go into a file."""

import os
import subprocess
import sys
import time
from pathlib import Path

from in_tree_backend import *

SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    children = [subprocess.Popen(SLEEPER), subprocess.Popen(SLEEPER, start_new_session=True)]
    numbers = [os.getpid(), *(child.pid for child in children)]
    note = Path(os.environ["DEMO_NOTE"])
    note.with_suffix(".part").write_text(" ".join(map(str, numbers)))
    note.with_suffix(".part").rename(note)
    print("waiting for ever", flush=True)
    time.sleep(600)
