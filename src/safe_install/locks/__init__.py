"""Locks among the processes of one or several hosts."""

from .holding import hold, read_owner

__all__ = ["hold", "read_owner"]
