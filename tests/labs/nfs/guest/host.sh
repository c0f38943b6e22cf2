#!/bin/sh
# One host: network, mounts, name and processes of its own. Its number is the argument.
number=$1
export LD_LIBRARY_PATH="$TOOLS_LIBRARIES"
until ip link set "c$number" up; do sleep 0.05; done
ip link set lo up
ip addr add "10.9.$number.2/24" dev "c$number"
[ -z "$DELAY" ] || tc qdisc add dev "c$number" root netem delay "$DELAY"
hostname "h$number"
umount /mnt/export
for place in /var/lib /run /dev/shm /mnt/local; do mount -t tmpfs -o mode=1777 tmpfs $place; done
mkdir -p /run/rpcbind /run/sendsigs.omit.d
cp -a "$TOOLS/var/lib/nfs" /var/lib/
# Its kernel is the others' too; but another machine has another boot.
cat /proc/sys/kernel/random/uuid >/run/boot_id
mount --bind /run/boot_id /proc/sys/kernel/random/boot_id
mount -t sysfs sysfs /sys
echo "h$number-$(cat /run/boot_id)" >/sys/fs/nfs/net/nfs_client/identifier
until [ -e /mnt/control/server.up ]; do sleep 0.05; done
server=10.9.$number.1
if [ "$VERSION" = 3 ]; then
    rpcbind -w
    rpc.statd --no-notify
    kind=nfs
    source=$server:/mnt/export
    options=vers=3,addr=$server,mountaddr=$server,mountport=20048,mountproto=tcp,proto=tcp
else
    kind=nfs4
    source=$server:/
    options=vers=$VERSION,addr=$server,clientaddr=10.9.$number.2
fi
tries=0
# shellcheck disable=SC2086  # a source is one word, and quoted in none of the combinations
until mount -i -t $kind -o "$options${MOUNT_OPTIONS:+,$MOUNT_OPTIONS}" $source "$MOUNT"; do
    tries=$((tries + 1))
    [ $tries -lt 100 ] || exit 1
    sleep 0.1
done
unset LD_LIBRARY_PATH
touch "/mnt/control/h$number.up"
exec sleep 1000000
