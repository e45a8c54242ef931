# “Access the host's file system”, “package cache”, “template” and “ephemeral”: what a container shares with the host, and copies.

machine=/var/lib/machines/share
a_copy share
mkdir -p /srv/given /srv/packages/archives
echo given >/srv/given/file
echo cached >/srv/packages/archives/one.deb
settings share <<'END'
[Files]
Bind=/srv/given
BindReadOnly=/srv/given:/mnt/fixed
Bind=/srv/packages/archives:/var/cache/apt/archives:rootidmap
END
require "Bind= and BindReadOnly=" tiny_up share
check "is ours" by_ours share
check "the container sees the folder under its name" equal "$(inside share busybox cat /srv/given/file)" given
check "and, elsewhere, read-only" not inside share busybox touch /mnt/fixed/other
check "the cache of packages is shared" inside share busybox sh -c 'echo fetched >/var/cache/apt/archives/two.deb'
check "with what a container fetched" equal "$(cat /srv/packages/archives/two.deb)" fetched
stop share
check "systemd-nspawn --bind= --bind-ro=" equal "$(systemd-nspawn -q --pipe -D $machine --bind=/srv/given:/mnt --bind-ro=/srv/packages /bin/busybox cat /mnt/file)" given
forget share

note "a template on btrfs"
modprobe -a loop btrfs
truncate -s 256M /srv/templates.img
mkfs.btrfs -q -f /srv/templates.img
mkdir -p /srv/templates
mount -o loop /srv/templates.img /srv/templates
btrfs -q subvolume create /srv/templates/base 2>/dev/null || btrfs subvolume create /srv/templates/base
cp -a /var/lib/machines/tiny/. /srv/templates/base/
check "systemd-nspawn --template=" systemd-nspawn -q --template=/srv/templates/base -D /srv/templates/made /bin/busybox touch /root/marker
check "makes a snapshot" btrfs subvolume show /srv/templates/made
check "in which the container wrote" test -e /srv/templates/made/root/marker
check "the template stays as it was" not test -e /srv/templates/base/root/marker
check "systemd-nspawn --ephemeral" systemd-nspawn -q -x -D /srv/templates/base /bin/busybox touch /root/marker
check "forgets what it wrote" not test -e /srv/templates/base/root/marker
check "and leaves no snapshot" equal "$(btrfs subvolume list /srv/templates | wc -l)" 2
umount /srv/templates
rm -r /srv/templates /srv/templates.img /srv/given /srv/packages

# The whole disk of this host would take minutes: a service has a small one.
note "an ephemeral copy of the host"
cp -a /var/lib/machines/tiny /srv/small
mkdir -p /srv/small/{usr/bin,var/lib,var/tmp,tmp,run,proc,sys,dev}
copy=$(systemd-run -q --wait --pipe -p RootDirectory=/srv/small -p MountAPIVFS=yes -p BindReadOnlyPaths=/usr/bin/nspawn-exec -p BindPaths=/sys/fs/cgroup \
    /usr/bin/nspawn-exec -q --pipe --register=no --keep-unit -x -D / /bin/busybox sh -c 'echo >/made-in-copy && busybox cat /proc/1/comm' 2>&1)
check "systemd-nspawn -x -D /" equal "$copy" busybox
check "the host has nothing of it" not test -e /srv/small/made-in-copy
rm -rf --one-file-system /srv/small
check "nothing is left" eventually 20 clean
