"""Find out what folders can do, by doing it there, judge it, and decide on a layout (promise 7).

::

    examination   starts a process for each place, bounds it by a deadline, and removes what it made
    child         that process: runs one probe after another, and tells each result at once
    steps         the probes: each is one function from a place to facts
    facts         what they find, as plain values
    rules         facts to findings: cause, effect, and what mends it; `docs/doctor.md` is its table
    layout        facts and findings to a layout: layers, environment, scratch, link mode, locks
    mending       what can be put right safely

Only ``doctor`` and whoever chooses a layout need any of this: the path of a warm ``sync`` imports none of it.
"""
