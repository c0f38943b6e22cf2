"""Run ci-install on a machine that has nothing but Python::

    python3 ci_install.py [--wheels DIR] [--tool-dir DIR] -- sync requirements.txt

Every Python can read this file, so that one that is too old is told so. The work is in `tool.py` beside it.
"""

import os
import runpy
import sys

if sys.version_info < (3, 11):  # noqa: UP036 - whoever starts it with an older one is to be told
    sys.stderr.write(
        "error[python-too-old]: ci-install needs Python 3.11 or newer, and %s is %d.%d\n"  # noqa: UP031 - old ones know no f-strings
        "  hint: install one on this runner, or name it where the job chooses its Python\n"
        % (sys.executable, sys.version_info[0], sys.version_info[1])
    )
    sys.exit(8)

if __name__ == "__main__":
    here = os.path.dirname(os.path.realpath(__file__))
    # What lies beside this file is not for the tool to import.
    sys.path[:] = [folder for folder in sys.path if os.path.abspath(folder) != here]
    runpy.run_path(os.path.join(here, "tool.py"))["main"](sys.argv[1:])
