"""Stores: folders of immutable entries named by digest, and the one module that makes things appear in them."""

from .documents import CachedPage
from .inventory import BucketInfo, StoreInfo
from .layout import BUILT, FILES, INDEX, INTERPRETERS, WHEELS
from .manifest import FileEntry, Manifest
from .store import Store
from .trees import TreeWriter, WheelTree

__all__ = [
    "BUILT",
    "FILES",
    "INDEX",
    "INTERPRETERS",
    "WHEELS",
    "BucketInfo",
    "CachedPage",
    "FileEntry",
    "Manifest",
    "Store",
    "StoreInfo",
    "TreeWriter",
    "WheelTree",
]
