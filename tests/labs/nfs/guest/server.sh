#!/bin/sh
# The server: mounts of its own, so that its rpcbind is not the one that hosts would talk to.
export LD_LIBRARY_PATH="$TOOLS_LIBRARIES"
mount -t tmpfs tmpfs /var/lib
cp -a "$TOOLS/var/lib/nfs" /var/lib/
mount -t tmpfs tmpfs /run
mkdir -p /run/rpcbind /run/sendsigs.omit.d
mount -t nfsd nfsd /proc/fs/nfsd
no_v3="-N 3"
if [ "$VERSION" = 3 ]; then
    no_v3=
    rpcbind -w
fi
exportfs -o rw,fsid=0,no_root_squash,insecure,no_subtree_check,async '*:/mnt/export'
# shellcheck disable=SC2086  # no word, or two
rpc.mountd $no_v3 -p 20048
[ "$VERSION" != 3 ] || rpc.statd
cat >/mnt/control/tool <<END
export LD_LIBRARY_PATH=$TOOLS_LIBRARIES PATH=$PATH
exec "\$@"
END
# Leases and grace of 10 s, and no grace at the start: nobody has anything to reclaim.
# shellcheck disable=SC2086  # no word, or two
rpc.nfsd -L 10 -G 10 $no_v3 8
echo Y >/proc/fs/nfsd/v4_end_grace
touch /mnt/control/server.up
unset LD_LIBRARY_PATH
exec sleep 1000000
