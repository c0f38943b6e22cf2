"""Files and folders: placing, publishing, removing, hashing; the only layer that knows the operating system.

Platform differences live in `_unix` and `_windows`, which offer the same names; `_system` picks one of them.
"""
