"""Cannot tell its metadata without building."""

from in_tree_backend import *

del prepare_metadata_for_build_wheel, prepare_metadata_for_build_editable
