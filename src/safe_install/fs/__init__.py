"""Files and folders: placing, publishing, removing, hashing; the only layer that knows the operating system.

Platform differences live in `_unix` and `_windows`, which offer the same names, as do `_placing_unix` and
`_placing_windows`; `_system` picks those of this system.
"""
