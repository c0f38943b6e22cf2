#!/bin/sh
# Start the command with the first Python of this agent that is new enough.
set -eu
# Reports that the controller has read long ago.
find "$(dirname "$SAFE_INSTALL_START")" -maxdepth 1 -name 'safe-install-*' -mtime +1 -exec rm -f {} + 2>/dev/null || :
for python in ${SAFE_INSTALL_TOOL_PYTHON:+"$SAFE_INSTALL_TOOL_PYTHON"} python3 python python3.14 python3.13 python3.12 python3.11; do
    if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        status=0
        "$python" -P "$SAFE_INSTALL_START" door jenkins 2>&1 || status=$?
        rm -f "$SAFE_INSTALL_START"
        exit "$status"
    fi
done
rm -f "$SAFE_INSTALL_START"
echo "error[no-python]: this agent has no Python 3.11 or newer on PATH"
echo "  hint: install one, or name one in SAFE_INSTALL_TOOL_PYTHON; environments may be of any CPython from 3.8"
exit 8
