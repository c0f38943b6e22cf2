"""Run other installers so that no job breaks another: a cache of its own for each, and one clean retry.

::

    tools    one table: which tools there are, and where they look for their cache
    passing  one table: which of their failures pass
    seed     a tool's cache as jobs begin with it: published by trusted jobs, copied by all
"""
