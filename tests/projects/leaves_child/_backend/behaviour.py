"""Ends well, and leaves a process behind that writes into the source tree."""

import os
import subprocess
import sys
from pathlib import Path

import in_tree_backend
from in_tree_backend import *

WRITER = """
import pathlib, time
for number in range(6000):
    try:
        pathlib.Path(f"late-{number}").write_text("x")
    except OSError:
        pass
    time.sleep(0.01)
"""


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    child = subprocess.Popen([sys.executable, "-c", WRITER])
    Path(os.environ["DEMO_NOTE"]).write_text(str(child.pid))
    return in_tree_backend.build_wheel(wheel_directory, config_settings, metadata_directory)
