"""Builds a wheel and gives it the file name of the config setting ``filename``; ``content`` replaces its bytes."""

from pathlib import Path

import in_tree_backend
from in_tree_backend import *


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    made = Path(wheel_directory, in_tree_backend.build_wheel(wheel_directory, None, metadata_directory))
    made = made.rename(made.with_name(config_settings["filename"]))
    if "content" in config_settings:
        made.write_text(config_settings["content"])
    return made.name
