# “Troubleshooting”: each trap of the page ends in a hint with the way out.

a_copy trap
said() { contains "$(journalctl -q --no-pager -o cat -b -u "$(unit trap)")" "$1"; }
again() { stop trap 2>/dev/null; systemctl reset-failed "$(unit trap)" 2>/dev/null; settings trap "$1"; }

note "root login fails"
cp -a /var/lib/machines/trap/etc /srv/etc-before
printf 'console\ntty1\n' >/var/lib/machines/trap/etc/securetty
mkdir -p /var/lib/machines/trap/etc/pam.d
echo 'auth required pam_securetty.so' >/var/lib/machines/trap/etc/pam.d/login
require "a container whose securetty(5) has no pts" tiny_up trap
check "the journal says which line to add" eventually 10 said "add lines pts/0"
rm -r /var/lib/machines/trap/etc
mv /srv/etc-before /var/lib/machines/trap/etc

note "execv(...) failed: Permission denied"
stop trap
truncate -s 16M /srv/noexec.img
mkfs.ext4 -q -F -d /var/lib/machines/trap /srv/noexec.img
mkdir -p /srv/noexec
modprobe loop
mount -o loop,noexec /srv/noexec.img /srv/noexec
output=$(systemd-nspawn -q -D /srv/noexec /bin/busybox true 2>&1)
check "a root directory mounted noexec is named" contains "$output" noexec
umount /srv/noexec
rm -r /srv/noexec /srv/noexec.img

# “The terminal type is not right”: it is (journey machinectl).

note "an NFS share inside"
serve() {
    mkdir -p /srv/share /mnt/share /var/lib/nfs/v4recovery
    modprobe nfsd && mount -t nfsd nfsd /proc/fs/nfsd || mountpoint -q /proc/fs/nfsd || return 1
    exportfs -i -o rw,no_root_squash,no_subtree_check,insecure,fsid=0 127.0.0.1:/srv/share || return 1
    rpc.mountd -N 3 && rpc.nfsd -N 3 -G 10 -L 10 2 || return 1
    echo Y >/proc/fs/nfsd/v4_end_grace 2>/dev/null
    mount -t nfs4 127.0.0.1:/ /mnt/share
}
require "a share is mounted on the host" serve
trap 'stop trap; umount -l /mnt/share' EXIT
again $'[Files]\nBind=/mnt/share'
require "and bound into the container" tiny_up trap
check "the journal says why its owner is nobody there" eventually 10 said "the kernel cannot id-map its file system, nfs"
again $'[Exec]\nPrivateUsers=no\n[Files]\nBind=/mnt/share'
require "without users of its own" tiny_up trap
check "it writes to the share" inside trap busybox touch /mnt/share/file
stop trap
umount /mnt/share
trap - EXIT
forget trap
check "nothing is left" eventually 20 clean
