# Container managers in a container with users of its own: Podman and Docker run an image that is made here, on overlay and with a
# published port, and nspawn-exec runs a container, too. What is the host's stays the host's.

nest=/var/lib/machines/nest
# as_service runs a command as a service of the container: with its filter, its capabilities and its control groups.
as_service() { inside nest systemd-run --quiet --wait --pipe --collect --property=Delegate=yes --property=KillMode=process -- "$@"; }
ask() { curl -fsS --max-time 5 "http://$(address nest | cut -d/ -f1):$1/"; }
said() { contains "$(unit_journal nest)" "$1"; }
answers() { equal "$(ask "$1")" "from a container in a container"; }
# runs MANAGER PORT: the manager loads the image, runs it and publishes its port.
runs() {
    local manager=$1 port=$2 memory
    require "$manager loads an image" as_service $manager import /srv/image.tar busybox:here
    check "$manager stores on overlay" contains "$(as_service $manager info 2>&1)" overlay
    check "$manager runs a program" equal "$(as_service $manager run --rm busybox:here /bin/busybox echo hello)" hello
    check "$manager starts a web server" as_service $manager run -d --name server --memory 64m -p "$port:80" busybox:here \
        /bin/busybox httpd -f -p 80 -h /srv
    check "the host reaches it on the container's port $port" eventually 60 answers "$port"
    memory=$(as_service $manager exec server /bin/busybox cat /sys/fs/cgroup/memory.max)
    check "$manager limits its memory" equal "$memory" $((64 << 20))
    check "$manager removes it" as_service $manager rm -f server
}

if [ -n "$ORACLE" ]; then skip "$JOURNEY: all" "systemd-nspawn has no Nesting="; exit 0; fi
for name in web db; do stop $name 2>/dev/null; done
mkdir -p $FILES/image/bin $FILES/image/srv $nest/srv
cp /usr/bin/busybox $FILES/image/bin/
echo "from a container in a container" >$FILES/image/srv/index.html
tar -C $FILES/image --owner=0 --group=0 -cf $nest/srv/image.tar .
cp "$(command -v nspawn-exec)" $nest/usr/local/bin/
cp -a /var/lib/machines/tiny $nest/srv/tiny
systemctl start networkd-lite.service
printf '[Exec]\nNesting=yes\nPrivateUsers=pick\n[Network]\nVirtualEthernet=yes\n' | nspawn_file nest
systemctl daemon-reload

require "a container for containers boots" up nest
check "it has users of its own" not equal "$(awk '{print $2}' "/proc/$(leader nest)/uid_map")" 0
check "no kernel module was missing" not contains "$(unit_journal nest)" "may lack"
for module in overlay br_netfilter nf_tables nft_chain_nat; do
    check "the host has loaded $module" test -e /sys/module/$module
done
require "it has an address" eventually 60 address nest

runs podman 8080
require "Docker starts" eventually 240 as_service systemctl start docker
runs docker 8081
as_service systemctl stop docker docker.socket containerd

for users in no identity 1000:1000; do
    check "nspawn-exec runs a container in it with --private-users=$users" contains "$(as_service nspawn-exec --quiet --register=no \
        --keep-unit --console=pipe --private-network --private-users=$users -D /srv/tiny /bin/sh -c 'echo gone >/dev/null && echo nested' 2>&1)" nested
done

# The most that the container's root can get of the host's kernel.
whole() { as_service unshare --mount sh -c "mount -t proc proc /mnt && mount -t sysfs sysfs /media && { true $1; }"; }
check "a new /proc and /sys can be mounted" whole "</mnt/version"
for file in /mnt/sysrq-trigger /mnt/sys/kernel/core_pattern /mnt/sys/kernel/modprobe /mnt/sys/vm/drop_caches /media/kernel/uevent_helper /media/power/state; do
    [ ! -e "/proc${file#/mnt}" ] && [ ! -e "/sys${file#/media}" ] || check "nobody inside writes to $file" not whole ">>$file"
done
check "nobody inside reads the kernel's memory" not whole "</mnt/kcore"
check "what the container itself sees is protected as ever" not as_service sh -c 'true >>/proc/sys/kernel/hostname'

invocation=$(show nest InvocationID)
require "it stops" stop nest
log=$(journalctl --no-pager -q -o cat "_SYSTEMD_INVOCATION_ID=$invocation")
check "its end was logged" test -n "$log"
check "and no trouble with mounts" not contains "$log" .nesting
check "nothing is left" eventually 10 clean
printf '[Exec]\nNesting=yes\nPrivateUsers=no\n' | nspawn_file nest
systemctl daemon-reload
check "without users of its own it does not start" not start nest
check "and says why" eventually 10 said "nest.nspawn:2: needs a user namespace"
rm -rf /etc/systemd/nspawn/nest.nspawn $nest/srv/tiny $FILES/image
systemctl reset-failed "$(unit nest)" 2>/dev/null
systemctl daemon-reload
