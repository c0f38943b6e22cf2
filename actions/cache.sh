#!/usr/bin/env bash
# cache.sh restore|save: move what a store holds through one file, which the platform keeps. Whatever fails here costs time in
# a later step, and fails no job.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
limit=300 # seconds

ci_install() {
    if command -v timeout >/dev/null; then
        timeout "$limit" bash "$here/start.sh" "$@"
    else
        bash "$here/start.sh" "$@"
    fi
}

restore() {
    [ -f "$SAFE_INSTALL_CACHE_FILE" ] || return 0
    ci_install cache import "$SAFE_INSTALL_CACHE_FILE" --cache-dir "$SAFE_INSTALL_CACHE_DIR" ||
        echo "::warning title=safe-install%3A not-restored::what an earlier run saved could not be brought into the store"
    rm -f "$SAFE_INSTALL_CACHE_FILE"
}

save() {
    local locks=() lock
    if [ "${SAFE_INSTALL_CACHE_HIT:-}" = true ]; then
        echo "there is one for these files already"
        return
    fi
    if [ "$SAFE_INSTALL_TRUST" != trusted ]; then
        echo "::notice title=safe-install%3A untrusted::this job saves nothing for later runs, since it is not trusted"
        return
    fi
    while IFS= read -r lock; do
        [ ! -f "$lock" ] || locks+=(--lock "$lock")
    done <<<"$SAFE_INSTALL_CACHE_LOCKS"
    if [ ${#locks[@]} -eq 0 ]; then
        echo "::warning title=safe-install%3A no-lock::none of the input files is there, so nothing is saved"
        return
    fi
    if ci_install cache export "$SAFE_INSTALL_CACHE_FILE" --cache-dir "$SAFE_INSTALL_CACHE_DIR" "${locks[@]}"; then
        echo save=true >>"$GITHUB_OUTPUT"
    else
        echo "::warning title=safe-install%3A not-saved::the store could not be written to a file"
    fi
}

# The first layer of this job: that of the runner for trusted jobs, its own for others.
layout=$(ci_install layout --format env) || {
    echo "::warning title=safe-install%3A layout-unusable::no layout works here"
    exit 0
}
eval "$layout"
if [ -z "${SAFE_INSTALL_CACHE_DIR:-}" ]; then
    echo "the store of this job is a temporary one: nothing to $1"
    exit 0
fi
"$1"
