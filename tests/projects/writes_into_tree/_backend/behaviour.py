"""Edits its own input, as many do, and drops something beside it."""

from pathlib import Path

import in_tree_backend
from in_tree_backend import *


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    Path("demo/__init__.py").write_text("edited = True\n")
    Path("build").mkdir(exist_ok=True)
    Path("build/left.o").write_text("object")
    Path("../beside.txt").write_text("outside of the tree")
    return in_tree_backend.build_wheel(wheel_directory, config_settings, metadata_directory)
