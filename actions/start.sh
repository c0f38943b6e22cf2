#!/usr/bin/env bash
# start.sh ARGUMENT…: run the ci-install of this checkout with the first Python of this runner that is new enough.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
for python in ${SAFE_INSTALL_TOOL_PYTHON:+"$SAFE_INSTALL_TOOL_PYTHON"} python3 python python3.14 python3.13 python3.12 python3.11; do
    if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        exec "$python" "$root/bootstrap/ci_install.py" -- "$@"
    fi
done
# To the other stream, since what is asked for may be read from this one; the runner listens to both.
echo >&2 "::error title=safe-install%3A no-python::This runner has no Python 3.11 or newer on PATH. Add actions/setup-python before this step, install one on the runner, or name one in SAFE_INSTALL_TOOL_PYTHON; environments may be of any CPython from 3.8."
exit 8
