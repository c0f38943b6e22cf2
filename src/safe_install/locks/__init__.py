"""Locks among the processes of one or several hosts."""

from .holding import hold
from .notes import read_owner

__all__ = ["hold", "read_owner"]
