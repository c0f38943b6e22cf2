#!/usr/bin/env bash
# Put ci-install on PATH for later steps, with the layout of this job; show what it says as annotations.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
bin=${RUNNER_TEMP:?the runner names no folder for temporary files}/safe-install/bin
mkdir -p "$bin"
printf '#!/usr/bin/env bash\nexec bash %q "$@"\n' "$here/start.sh" >"$bin/ci-install"
chmod +x "$bin/ci-install"
printf '@bash "%%~dp0ci-install" %%*\r\n' >"$bin/ci-install.cmd"
layout=$(bash "$here/start.sh" layout --format github)
printf '%s\n' "$layout" >>"$GITHUB_ENV"
printf '%s\n' "$bin" >>"$GITHUB_PATH"
# The runner's own spelling of the path: on Windows it does not know that of Bash.
echo "::add-matcher::$GITHUB_ACTION_PATH/../problem-matcher.json"
