#!/usr/bin/env bash
# make-wine.sh FOLDER RELEASE: make FOLDER a minimal Debian with Wine, from the mirror that this Debian's apt uses, elsewhere
# from the one that debootstrap knows.
set -euo pipefail
system=$1 release=$2
export DEBIAN_FRONTEND=noninteractive
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
if ! command -v debootstrap >/dev/null || [ ! -e $keyring ]; then
    apt-get update -qq
    apt-get -o DPkg::Lock::Timeout=300 install -qq --no-install-recommends debootstrap debian-archive-keyring >/dev/null
fi
mirror=()
if grep -qx 'ID=debian' /etc/os-release; then
    # shellcheck disable=SC2016  # apt replaces this, not the shell
    mirror=("$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | head -n 1)")
fi
mkdir -p "$system"
log=$system.log
if ! {
    debootstrap --variant=minbase --include=ca-certificates --keyring=$keyring --force-check-gpg "$release" "$system" "${mirror[@]}" &&
        cp /etc/resolv.conf /etc/hosts "$system/etc/" &&
        chroot "$system" apt-get install -qq --no-install-recommends wine wine64 &&
        rm -rf "$system"/var/cache/apt/archives/*.deb "$system"/var/lib/apt/lists/* "$system"/usr/share/doc
} >"$log" 2>&1; then
    tail -n 30 "$log" >&2
    exit 1
fi
