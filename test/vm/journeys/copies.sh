# A container runs from a copy that is fresh at every start, or is made from a template: a snapshot where the file system has them.

stop web
stop db
disk=/srv/btrfs
modprobe -a loop btrfs
truncate -s 256M $disk.img
mkfs.btrfs -q $disk.img
mkdir -p $disk
mount -o loop $disk.img $disk
btrfs subvolume create $disk/snap
cp -a /var/lib/machines/tiny/. $disk/snap/
ln -s $disk/snap /var/lib/machines/snap # a machine may be a link
nspawn_file snap <<<$'[Exec]\nEphemeral=yes\n[Network]\nVirtualEthernet=yes'
systemctl daemon-reload

# snapshots prints how many snapshots are beside the subvolume, copies how many copies are beside a directory of ext4.
snapshots() { btrfs subvolume list $disk | grep -c 'path \.#'; }
no_snapshots() { equal "$(snapshots)" 0; }
copies() { find /var/lib/machines -maxdepth 1 -type d -name '.#*' | wc -l; }
no_copies() { equal "$(copies)" 0; }
marked() { inside "$1" busybox test -e /marker; }
another_leader() { leader snap >/dev/null && not equal "$(leader snap)" "$1"; }

# --- a snapshot for each start ---
require "an ephemeral container of a btrfs subvolume starts" tiny_up snap
check "it runs from a snapshot" equal "$(snapshots)" 1
check "which is not the subvolume" not equal "$(inside snap busybox stat -c %d /)" "$(stat -c %d $disk/snap)"
inside snap busybox touch /marker
check "what it writes is there" marked snap
check "but not in the image" not test -e $disk/snap/marker
note "reboot inside"
before=$(leader snap)
inside snap busybox reboot -f
check "reboot inside starts it again" eventually 60 another_leader "$before"
check "and it is up" eventually 20 tiny_is_up snap
check "fresh" not marked snap
check "from the one snapshot that there is" equal "$(snapshots)" 1
check "systemctl stop" stop snap
check "removes the snapshot" eventually 10 no_snapshots
check "nothing else is left" eventually 10 clean

# --- kill -9 of the supervisor ---
require "it starts once more" tiny_up snap
note "kill -9 of the supervisor"
kill -9 "$(show snap MainPID)"
check "kill -9 of the supervisor ends the unit" eventually 60 is_down snap
check "no snapshot is left after the kill" eventually 10 no_snapshots
check "an ephemeral container starts again at once" start snap || mend snap
check "and is fresh, too" not marked snap
stop snap

# --- a copy where there are no snapshots ---
nspawn_file tiny <<<$'[Exec]\nEphemeral=yes\n[Network]\nVirtualEthernet=yes'
systemctl daemon-reload
check "an ephemeral container on ext4 starts" tiny_up tiny
check "it runs from a copy" equal "$(copies)" 1
inside tiny busybox touch /marker
check "what it writes is not in the image" not test -e /var/lib/machines/tiny/marker
stop tiny
check "the copy goes with it" eventually 10 no_copies

# --- a template ---
program=${ORACLE:+systemd-nspawn}
made() {
    "${program:-nspawn-exec}" --quiet --register=no --pipe --timezone=off --resolv-conf=off --link-journal=no \
        --template=$disk/snap --directory="$1" /bin/busybox echo made
}
check "--template= makes the root directory that is missing" equal "$(made $disk/new)" made
check "as a snapshot" btrfs subvolume show $disk/new
touch $disk/new/marker
check "the second time it is taken as it is" equal "$(made $disk/new)" made
check "with what was changed" test -e $disk/new/marker
check "on another file system as a copy" equal "$(made /var/lib/machines/new)" made
check "of all there is" equal "$(cd /var/lib/machines/new && find . ! -path './run/*' ! -path './tmp/*' -type f | sort)" \
    "$(cd $disk/snap && find . ! -path './run/*' ! -path './tmp/*' -type f | sort)"
check "the template stays as it is" not test -e $disk/snap/marker

stop snap
rm -r /var/lib/machines/new /var/lib/machines/snap /etc/systemd/nspawn/{snap,tiny}.nspawn
systemctl daemon-reload
umount $disk
rm -r $disk $disk.img
check "nothing is left of any of them" eventually 10 clean
[ -z "$ORACLE" ] || rm -rf /run/systemd/nspawn/snap # or it is left behind in every journey that follows, too
