"""Answers with whatever the config setting ``answer`` says, as JSON."""

import contextlib
import json
import os
from pathlib import Path

from in_tree_backend import *


def get_requires_for_build_wheel(config_settings=None):
    return json.loads((config_settings or {}).get("requires", "[]"))


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    (Path(metadata_directory).parent / "x.dist-info").mkdir()
    (Path(metadata_directory).parent / "x.dist-info" / "METADATA").write_text("Name: x\nVersion: 1\n")
    return json.loads(config_settings["answer"])


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    (Path(wheel_directory).parent / "evil-1.0-py3-none-any.whl").write_bytes(b"outside")
    with contextlib.suppress(OSError):  # a privilege on Windows
        os.symlink(__file__, Path(wheel_directory) / "link-1.0-py3-none-any.whl")
    return json.loads(config_settings["answer"])
