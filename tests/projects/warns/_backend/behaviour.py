"""Warns, which is no failure."""

import warnings

import in_tree_backend
from in_tree_backend import *


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    warnings.warn("this backend is deprecated", UserWarning)
    return in_tree_backend.build_wheel(wheel_directory, config_settings, metadata_directory)
