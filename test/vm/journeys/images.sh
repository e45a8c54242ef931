# Containers boot from disk images: plain, with partitions, checked by dm-verity, encrypted. Nothing of them stays attached.

machines=/var/lib/machines
tree=$machines/tiny
size=24 # MiB, of a file system with the tree

attached() { losetup --list --noheadings --output NAME,BACK-FILE | grep "$machines" | tr '\n' ';'; ls /sys/block | grep ^dm-; }
nothing_attached() { equal "$(attached)" ""; }
mounted() { inside "$1" busybox grep " $2 " /proc/mounts; }
# ended stops a container and removes its image and what is beside it.
ended() {
    stop "$1"
    check "$1: nothing stays attached" eventually 15 nothing_attached
    rm -f "$machines/$1".* "/etc/systemd/nspawn/$1.nspawn"
    systemctl daemon-reload
}
ext4() { truncate -s "${3:-$size}M" "$1" && mkfs.ext4 -q -F -b 4096 -d "$2" "$1"; } # dm-verity has blocks of 4096 bytes
# prepare does what is none of nspawn-exec's, and says only that it failed.
prepare() { local output; output=$("${@:2}" 2>&1) || { check "$1: $output" false; exit 1; }; }
file_for() { printf '[Network]\nPrivate=yes\n%s\n' "${2:-}" | nspawn_file "$1"; systemctl daemon-reload; }

prepare "tools" which mkfs.ext4 mkfs.vfat mksquashfs sfdisk cryptsetup veritysetup
stop tiny 2>/dev/null
modprobe -a loop dm_mod 2>/dev/null

# --- one file system ---

file_for plain
prepare "an ext4 image" ext4 $machines/plain.raw $tree
require "plain: starts by its name" tiny_up plain
check "plain: the root is the image" contains "$(mounted plain /)" "ext4 rw,nodev"
check "plain: a loop device has it" contains "$(attached)" /plain.raw
inside plain busybox touch /root/written
if [ -z "$ORACLE" ]; then
    systemctl kill -s KILL "$(unit plain)"
    eventually 20 is_down plain >/dev/null
    systemctl reset-failed "$(unit plain)" 2>/dev/null
    check "plain: nothing stays attached after kill -9" eventually 15 nothing_attached
    check "plain: starts again at once" tiny_up plain
    check "plain: with what it had written" inside plain busybox test -e /root/written
fi
ended plain

file_for squash
prepare "a squashfs image" mksquashfs $tree $machines/squash.raw -quiet -no-progress
if [ -n "$ORACLE" ] || [ "$(uname -r | awk -F. '{print $1 * 100 + $2}')" -ge 602 ]; then
    check "squash: starts" tiny_up squash
    check "squash: the root is the image" contains "$(mounted squash /)" "squashfs ro"
else
    check "squash: this kernel cannot id-map it" not start squash
    check "squash: which systemctl status says" contains "$(status squash 20)" "file system squashfs"
fi
ended squash

# --- partitions ---

file_for parts
truncate -s 120M $machines/parts.raw
sfdisk -q $machines/parts.raw <<'END'
label: gpt
start=1MiB, size=40MiB, type=c12a7328-f81f-11d2-ba4b-00a0c93ec93b
start=41MiB, size=24MiB, type=4f68bce3-e8cd-4db1-96e7-fbcaf984b709
start=65MiB, size=24MiB, type=933ac7e1-2eb4-4f13-b844-0e14e2aef915
END
mkdir -p /tmp/parts && cp -a $tree /tmp/parts/root && mkdir -p /tmp/parts/root/{efi,home} /tmp/parts/home && echo hello >/tmp/parts/home/file
truncate -s 40M /tmp/parts/1 && mkfs.vfat /tmp/parts/1 >/dev/null
ext4 /tmp/parts/2 /tmp/parts/root && ext4 /tmp/parts/3 /tmp/parts/home
for part in 1:1 2:41 3:65; do dd if=/tmp/parts/${part%:*} of=$machines/parts.raw bs=1M seek=${part#*:} conv=notrunc status=none; done
check "parts: starts" tiny_up parts
check "parts: has its home" equal "$(inside parts busybox cat /home/file)" hello
check "parts: has its EFI system partition" contains "$(mounted parts /efi)" vfat
[ -n "$ORACLE" ] || check "parts: with nothing in it to execute" contains "$(mounted parts /efi)" "vfat rw,nosuid,nodev,noexec"
check "parts: which belongs to root" equal "$(inside parts busybox stat -c '%u %a' /efi)" "0 700"
stop parts
pile=$machines/pile.mstack
mkdir -p $pile/{rw,layer@1/etc} && mv $machines/parts.raw $pile/layer@0.raw
ended parts
rm -r /tmp/parts

# --- a mount stack of images ---

if [ -z "$ORACLE" ]; then
    file_for pile
    echo above >$pile/layer@1/etc/above
    prepare "an image to be bound" ext4 $pile/bind@srv.raw $tree
    require "pile: starts" tiny_up pile
    check "pile: the root is an overlay" contains "$(mounted pile /)" "overlay rw"
    check "pile: a layer is a directory" equal "$(inside pile busybox cat /etc/above)" above
    check "pile: another an image with a home" equal "$(inside pile busybox cat /home/file)" hello
    check "pile: and an EFI system partition" contains "$(mounted pile /efi)" "vfat ro,nosuid,nodev,noexec"
    check "pile: an image is bound" contains "$(mounted pile /srv)" "ext4 rw"
    check "pile: which belongs to root" equal "$(inside pile busybox stat -c %u /srv)" 0
    inside pile busybox touch /home/written /srv/written
    systemctl kill -s KILL "$(unit pile)"
    eventually 20 is_down pile >/dev/null
    systemctl reset-failed "$(unit pile)" 2>/dev/null
    check "pile: nothing stays attached after kill -9" eventually 15 nothing_attached
    check "pile: starts again at once" tiny_up pile
    check "pile: with what it had written" inside pile busybox test -e /home/written -a -e /srv/written
    check "pile: which is in no layer" equal "$(find $pile/layer@1 -name written)" ""
    stop pile
    check "pile: but in the writable one" test -e $pile/rw/data/home/written
fi
rm -r $pile
ended pile

# --- dm-verity ---

file_for checked
prepare "an image to be checked" ext4 $machines/checked.raw $tree
veritysetup format $machines/checked.raw $machines/checked.verity | awk '/^Root hash/ {print $3}' >$machines/checked.roothash
check "checked: starts" tiny_up checked
check "checked: through the device mapper" contains "$(attached)" dm-
check "checked: read-only" contains "$(mounted checked /)" "ext4 ro"
stop checked
check "checked: nothing stays attached when it stopped" eventually 15 nothing_attached
# Half of the data changes, so that something is read that is wrong.
dd if=/dev/urandom of=$machines/checked.raw bs=1M seek=1 count=12 conv=notrunc status=none
check "checked: does not run when its data was changed" not tiny_up checked
systemctl reset-failed "$(unit checked)" 2>/dev/null
ext4 $machines/checked.raw $tree
printf '%064d\n' 1 >$machines/checked.roothash
check "checked: does not start with another root hash" not start checked
systemctl reset-failed "$(unit checked)" 2>/dev/null
ended checked

# --- encryption ---

# encrypted NAME PASSWORD makes an image that is encrypted.
encrypted() {
    truncate -s 48M "$machines/$1.raw"
    printf %s "$2" | cryptsetup luksFormat --batch-mode --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file - "$machines/$1.raw" &&
        printf %s "$2" | cryptsetup open --type luks --key-file - "$machines/$1.raw" making &&
        mkfs.ext4 -q -d $tree /dev/mapper/making && cryptsetup close making
}
file_for secret $'[Service]\nSetCredential=dissect.passphrase:secret'
prepare "an encrypted image" encrypted secret secret
check "secret: starts with the password as credential" tiny_up secret
check "secret: through the device mapper" contains "$(attached)" dm-
inside secret busybox touch /root/written
if [ -z "$ORACLE" ]; then
    systemctl kill -s KILL "$(unit secret)"
    eventually 20 is_down secret >/dev/null
    systemctl reset-failed "$(unit secret)" 2>/dev/null
    check "secret: nothing stays attached after kill -9" eventually 15 nothing_attached
    check "secret: starts again at once" tiny_up secret
    check "secret: with what it had written" inside secret busybox test -e /root/written
fi
stop secret
# The wrong one is as good as none: the user is asked. systemd-nspawn tries it three times instead, and gives up.
file_for secret $'[Service]\n'"$([ -n "$ORACLE" ] || echo SetCredential=dissect.passphrase:wrong)"
systemctl start --no-block "$(unit secret)"
asked() { grep -h ^Socket= /run/systemd/ask-password/ask.* 2>/dev/null | head -n 1 | cut -d= -f2 | grep .; }
check "secret: asks for the password" eventually 60 asked
printf secret | /lib/systemd/systemd-reply-password 1 "$(asked)"
check "secret: starts with the answer" eventually 60 tiny_is_up secret
ended secret
