#!/usr/bin/env bash
# Install the programs that tests need and Python's index does not have. Needs root and Debian's package manager; elsewhere it
# only says what is missing, and the tests that need it skip.
set -euo pipefail

missing=()
for program in git strace setpriv; do
    command -v "$program" >/dev/null || missing+=("$program")
done
[ ${#missing[@]} -gt 0 ] || exit 0
# The package is named after the program but for this one.
packages=("${missing[@]/setpriv/util-linux}")
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update --quiet
    DEBIAN_FRONTEND=noninteractive apt-get install --quiet --yes --no-install-recommends "${packages[@]}"
else
    echo "missing, and to be installed by somebody who may: ${packages[*]}" >&2
fi
