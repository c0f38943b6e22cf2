#!/bin/sh
# inside.sh SYSTEM COMMAND…: run a program of Wine in the Debian at SYSTEM. To be started in namespaces of its own (mounts, processes):
# what is mounted here and what Wine leaves running are gone when it ends.
system=$1
shift
mount -t proc proc "$system/proc" && mount --rbind /dev "$system/dev" || exit 125
# Temporary files in memory: tests make thousands.
mount -t tmpfs -o size=6g tmpfs "$system/wine/drive_c/users/root/AppData/Local/Temp" || exit 125
mount -t tmpfs tmpfs "$system/tmp" || exit 125
# Output always through a pipe: Wine gives a standard stream on a plain file no name, and CPython dies of that.
chroot "$system" env -i -C /lab/checkout HOME=/root PATH=/usr/bin:/bin LANG=C.UTF-8 XDG_RUNTIME_DIR=/tmp \
    WINEPREFIX=/wine WINEDEBUG="${WINEDEBUG:--all}" WINEDLLOVERRIDES=mscoree,mshtml= PYTHONUTF8=1 "$@" </dev/null
