#!/usr/bin/env bash
# Install the programs that tests need and Python's index does not have. Needs root and Debian's package manager; elsewhere it
# only says what is missing, and the tests that need it skip.
set -euo pipefail

# Each program and the package that brings it. Only root makes disks.
declare -A parts=([git]=git [strace]=strace [setpriv]=util-linux)
if [ "$(id -u)" = 0 ]; then
    parts+=([mkfs.xfs]=xfsprogs [mkfs.btrfs]=btrfs-progs [mkfs.ext4]=e2fsprogs)
fi

packages=()
for program in "${!parts[@]}"; do
    command -v "$program" >/dev/null || packages+=("${parts[$program]}")
done
[ ${#packages[@]} -gt 0 ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update --quiet
    DEBIAN_FRONTEND=noninteractive apt-get install --quiet --yes --no-install-recommends "${packages[@]}"
else
    echo "missing, and to be installed by somebody who may: ${packages[*]}" >&2
fi
