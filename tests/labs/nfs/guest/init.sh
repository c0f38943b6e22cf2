#!/bin/sh
# The first process of the machine: brings up the server, the hosts and the agent, runs the command on host h1, and ends.
# All that differs between machines is in $LAB/conf and $LAB/environment, whose folder is on the kernel's command line.
mount -t proc proc /proc
mount -t sysfs sysfs /sys
grep -q ' /dev ' /proc/mounts || mount -t devtmpfs devtmpfs /dev
# shellcheck disable=SC2013  # its words are what is wanted
for word in $(cat /proc/cmdline); do
    case $word in lab=*) LAB=${word#lab=} ;; esac
done
exec >"$LAB/boot.log" 2>&1
set -ax
# shellcheck source=/dev/null
. "$LAB/conf"
set +a
export PATH="$TOOLS_PATH"

ip() { LD_LIBRARY_PATH=$TOOLS_LIBRARIES command ip "$@"; }
finish() {
    dmesg >"$LAB/kernel.log"
    echo "$1" >"$LAB/code.new"
    mv "$LAB/code.new" "$LAB/code"
    sync
    "$BUSYBOX" poweroff -f
    sleep 10
}
give_up() {
    echo "gave up: $*"
    finish 125
}
# Nobody may be left to end a machine that hangs.
(sleep "$LIMIT" && finish 124) &

# The root is the outer machine's, so all that is written goes to memory.
for place in /run /mnt /var/lib; do mount -t tmpfs tmpfs $place; done
mkdir -p /dev/shm /dev/pts /mnt/control /mnt/export /mnt/local "$MOUNT"
mount -t tmpfs tmpfs /dev/shm
mount -t devpts devpts /dev/pts
ln -sfn /proc/self/fd /dev/fd
{
    cat /etc/passwd
    echo '_rpc:x:998:65534::/run/rpcbind:/usr/sbin/nologin'
    echo 'statd:x:997:65534::/var/lib/nfs:/usr/sbin/nologin'
} >/run/passwd
mount --bind /run/passwd /etc/passwd

kernel=$MODULES/kernel
for module in net/sunrpc/sunrpc fs/nfs_common/grace fs/lockd/lockd fs/nfs_common/nfs_acl lib/oid_registry \
    net/sunrpc/auth_gss/auth_rpcgss fs/netfs/netfs fs/fscache/fscache fs/nfs/nfs fs/nfs/nfsv3 \
    net/dns_resolver/dns_resolver fs/nfs/nfsv4 fs/nfsd/nfsd drivers/net/veth net/sched/sch_netem fs/quota/quota_tree \
    fs/quota/quota_v2; do
    [ ! -e "$kernel/$module.ko" ] || "$BUSYBOX" insmod "$kernel/$module.ko" || give_up "module $module"
done
echo 1 >/proc/sys/fs/nfs/nlm_grace_period
ip link set lo up
mount -t "$EXPORT" -o "$EXPORT_OPTIONS" /dev/ubda /mnt/export || give_up "no $EXPORT"
chmod 1777 /mnt/export
mount --make-rprivate /

unshare --mount sh -x "$HERE/server.sh" >"$LAB/server.log" 2>&1 &
echo $! >/mnt/control/server.pid
for number in $(seq "$HOSTS"); do
    ip link add "s$number" type veth peer name "c$number"
    ip addr add "10.9.$number.1/24" dev "s$number"
    ip link set "s$number" up
    unshare --net --mount --uts --ipc --pid --fork --mount-proc sh -x "$HERE/host.sh" "$number" >"$LAB/host$number.log" 2>&1 &
    outside=$!
    until [ "$(readlink /proc/$outside/ns/net)" != "$(readlink /proc/1/ns/net)" ]; do sleep 0.02; done
    ip link set "c$number" netns $outside || give_up "no link to host $number"
    # The process that is number 1 within.
    until tr -d ' ' </proc/$outside/task/$outside/children | grep . >"/mnt/control/h$number.pid"; do sleep 0.02; done
done
for number in $(seq "$HOSTS"); do
    tries=0
    until [ -e "/mnt/control/h$number.up" ]; do
        tries=$((tries + 1))
        [ $tries -lt 600 ] || give_up "host $number does not mount"
        sleep 0.05
    done
done
"$PYTHON" -S -E "$HERE/agent.py" --serve &
until [ -S /mnt/control/agent ]; do sleep 0.05; done
touch "$LAB/up"

set +x
# shellcheck source=/dev/null
. "$LAB/environment"
nsenter -t "$(cat /mnt/control/h1.pid)" -n -m -u -i -p -- sh "$LAB/command" >"$LAB/output" 2>&1 </dev/null
finish $?
