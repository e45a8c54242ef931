# “Image handling”: images imported, exported, cloned, renamed, limited and downloaded; what comes out starts.

machines=/var/lib/machines
disk=/srv/machines.img
folder=/srv/images
stop db 2>/dev/null
stop web 2>/dev/null
mkdir -p $folder
tar -C $machines/tiny -czf $folder/tiny.tar.gz .
truncate -s 32M $folder/tiny.raw
mkfs.ext4 -q -F -d $machines/tiny $folder/tiny.raw
modprobe -a loop btrfs
truncate -s 512M $disk
mkfs.btrfs -q -f $disk
mount -o loop $disk $machines # hides the images of the other journeys
trap 'for name in one two three raw plain pulled; do systemctl stop "$(unit $name)"; done 2>/dev/null
    umount -R $machines; rm -rf $disk $folder; systemctl stop files 2>/dev/null' EXIT

works() {
    check "$1 starts" tiny_up "$1"
    check "$1 is ours" by_ours "$1"
    stop "$1"
}
no_transfer() { contains "$(machinectl list-transfers 2>&1)" "No transfers"; }

check "machinectl import-tar" machinectl import-tar $folder/tiny.tar.gz one
works one
check "machinectl import-raw" machinectl import-raw $folder/tiny.raw raw
check "makes a disk image" test -s $machines/raw.raw
works raw
check "machinectl clone" machinectl clone one two
check "makes a snapshot" btrfs subvolume show $machines/two
works two
check "machinectl rename" machinectl rename two three
works three
check "machinectl read-only" machinectl read-only three true
check "makes it read-only" not touch $machines/three/file
check "which starts" tiny_up three
stop three
check "machinectl read-only no" machinectl read-only three no
check "machinectl set-limit" machinectl set-limit three 100M
check "is in force" contains "$(machinectl image-status --no-pager three)" "Limit: 100"
check "machinectl export-tar" machinectl export-tar three $folder/out.tar.gz
check "has all files" equal "$(tar -tzf $folder/out.tar.gz | grep -c bin/busybox)" 1
check "machinectl export-raw" machinectl export-raw raw $folder/out.raw
check "is a disk of that size" equal "$(stat -c %s $folder/out.raw)" "$(stat -c %s $folder/tiny.raw)"

note "downloading from a server of this host"
(cd $folder && sha256sum tiny.tar.gz >SHA256SUMS)
systemd-run -q --collect --unit=files python3 -m http.server --bind 127.0.0.1 --directory $folder 8000
check "the server answers" eventually 60 curl -fsS -o /dev/null http://127.0.0.1:8000/SHA256SUMS
check "machinectl pull-tar --verify=checksum" machinectl pull-tar --verify=checksum http://127.0.0.1:8000/tiny.tar.gz pulled
works pulled
echo "$(printf '%064d' 0)  tiny.tar.gz" >$folder/SHA256SUMS
check "a wrong checksum is refused" not timeout 60 machinectl pull-tar --verify=checksum http://127.0.0.1:8000/tiny.tar.gz wrong
check "machinectl list-images" contains "$(machinectl list-images --no-legend)" pulled
for name in one three raw pulled; do check "machinectl remove $name" machinectl remove $name; done
