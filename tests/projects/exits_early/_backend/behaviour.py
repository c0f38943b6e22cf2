"""Leaves with success and without an answer."""

import os

from in_tree_backend import *


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    os._exit(0)
