"""Older than PEP 660."""

from in_tree_backend import *

del build_editable, prepare_metadata_for_build_editable
