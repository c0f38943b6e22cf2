#!/usr/bin/env bash
# Run the script in SAFE_INSTALL_WRAP_RUN with caches of this job's own.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
options=()
while IFS= read -r tool; do
    [ -z "${tool// /}" ] || options+=("--tool=${tool//[[:space:]]/}")
done <<<"$SAFE_INSTALL_WRAP_TOOL"
case $SAFE_INSTALL_WRAP_PUBLISH in
    true) options+=(--publish) ;;
    false | '') ;;
    *)
        echo "::error title=safe-install%3A input-invalid::the input publish: expected true or false"
        exit 2
        ;;
esac
exec bash "$here/start.sh" wrap "${options[@]}" -- bash -eo pipefail -c "$SAFE_INSTALL_WRAP_RUN"
