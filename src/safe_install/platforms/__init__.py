"""CI platforms: which one runs this job, which folders it gives the job and its runner, and how far the job is trusted.

::

    detection      one table: which variables tell which platform
    job            what all platforms have in common, and the job at hand
    github         …
    gitlab         …  one module each: how that platform says it
    jenkins        …
    administrator  what the administrator of a runner says about all its jobs
    export         a layout as variables, for shells, for later jobs and for other tools

Everything is a function of the variables that the command line passes in; nothing here opens a store.
"""
