# “Run Docker in systemd-nspawn”: the page's recipe as it is, and what takes its place.

tree=/var/lib/machines/nest
for name in web db; do stop $name 2>/dev/null; done
mkdir -p $FILES/image/bin $tree/srv
cp /usr/bin/busybox $FILES/image/bin/
tar -C $FILES/image --owner=0 --group=0 -cf $tree/srv/image.tar .
modprobe overlay
docker() { inside nest systemd-run --quiet --wait --pipe --collect --property=Delegate=yes -- docker "$@"; }
works() {
    require "Docker starts $1" eventually 240 inside nest systemctl start docker
    require "loads an image $1" docker import /srv/image.tar busybox:here
    check "and runs it $1" equal "$(docker run --rm --network=none busybox:here /bin/busybox echo hello)" hello
}

mkdir -p "/etc/systemd/system/$(unit nest).d"
printf '[Service]\nEnvironment=SYSTEMD_NSPAWN_USE_CGNS=0\n' >"/etc/systemd/system/$(unit nest).d/override.conf"
settings nest <<'END'
[Exec]
PrivateUsers=no
Capability=all
SystemCallFilter=add_key keyctl bpf

[Files]
Bind=/sys/fs/cgroup
END
require "the page's recipe boots" up nest
check "it is ours" by_ours nest
check "it sees the control groups of the host" equal "$(readlink "/proc/$(leader nest)/ns/cgroup")" "$(readlink /proc/1/ns/cgroup)"
works "by the page's recipe"
stop nest
rm -r "/etc/systemd/system/$(unit nest).d"

settings nest <<<$'[Exec]\nNesting=yes'
require "Nesting=yes boots" up nest
check "with users of its own" not equal "$(awk '{print $2}' "/proc/$(leader nest)/uid_map")" 0
works "with Nesting=yes"
stop nest
rm -rf /etc/systemd/nspawn/nest.nspawn $FILES/image
systemctl daemon-reload
check "nothing is left" eventually 20 clean
