# User namespaces where the kernel cannot id-map: a share and a root directory on NFS. And users that systemd-nsresourced picks.

file=/etc/systemd/nspawn/tiny.nspawn
share=/mnt/share
said() { contains "$(unit_journal "${1:-tiny}")" "$2"; }
users() { awk '{print $2}' "/proc/$(leader "$1")/uid_map"; }
owner() { stat -c %u "$1"; }
again() { stop tiny 2>/dev/null; systemctl reset-failed "$(unit tiny)" 2>/dev/null; systemctl daemon-reload; }

# serve_share exports a folder of this host over NFS to itself.
serve_share() {
    mkdir -p /srv/share $share /var/lib/nfs/v4recovery
    echo "of the share" >/srv/share/file
    modprobe nfsd && mount -t nfsd nfsd /proc/fs/nfsd || mountpoint -q /proc/fs/nfsd || return 1
    exportfs -i -o rw,no_root_squash,no_subtree_check,insecure,fsid=0 127.0.0.1:/srv/share || return 1
    rpc.mountd -N 3 && rpc.nfsd -N 3 -G 10 -L 10 2 || return 1
    echo Y >/proc/fs/nfsd/v4_end_grace 2>/dev/null
    mount -t nfs4 127.0.0.1:/ $share
}

# undo leaves nothing to the journeys that follow, wherever this one ends.
undo() {
    stop web 2>/dev/null
    rm -rf /etc/systemd/nspawn/web.nspawn.d $file /etc/systemd/nspawn/shared.nspawn
    again
    systemctl stop "$(unit shared)" systemd-nsresourced.socket systemd-nsresourced.service 2>/dev/null
    systemctl reset-failed "$(unit web)" "$(unit shared)" 2>/dev/null
    rm -f /var/lib/machines/shared
    ! mountpoint -q $share || umount -l $share
}

if [ -n "$ORACLE" ]; then skip "$JOURNEY: all" "systemd-nspawn says nothing of it"; exit 0; fi
trap undo EXIT
serve_share || { check "a share is mounted over NFS" false; exit 1; }

printf '[Files]\nBind=%s:/srv\n' $share | nspawn_file tiny
again
require "a container with a bind of the share starts" tiny_up tiny
check "it reads the share" equal "$(inside tiny busybox cat /srv/file)" "of the share"
check "the journal says why its owner is nobody" eventually 10 said tiny "the kernel cannot id-map its file system, nfs"
check "with file and line" said tiny "$file:2"
printf '[Files]\nBind=%s:/srv:idmap\n' $share >$file
again
check "asked to id-map the share, it does not start" not start tiny
check "and says that NFS cannot" eventually 10 said tiny "$share (file system nfs)"
first=$((1 << 20))
chown $first:$first $share $share/file
printf '[Exec]\nPrivateUsers=%s\n[Files]\nBind=%s:/srv\n' $first $share >$file
again
require "with users of its own on the share it starts" tiny_up tiny
check "and writes to it" inside tiny busybox sh -c 'echo new >/srv/new'
check "as its root" equal "$(owner $share/new)" $first
stop tiny

mkdir -p $share/machines
cp -a /var/lib/machines/tiny $share/machines/tree
ln -s $share/machines/tree /var/lib/machines/shared
printf '[Files]\nPrivateUsersOwnership=map\n[Exec]\nPrivateUsers=pick\n' | nspawn_file shared
systemctl daemon-reload
check "a root directory on NFS cannot be mapped" not start shared
check "and that is said" eventually 10 said shared "$share/machines/tree (file system nfs)"
printf '[Exec]\nPrivateUsers=pick\n' >/etc/systemd/nspawn/shared.nspawn
systemctl reset-failed "$(unit shared)"
systemctl daemon-reload
require "automatically, it starts" tiny_up shared
check "its owners were changed" equal "$(owner $share/machines/tree/bin/busybox)" "$(users shared)"
check "one line says so" eventually 10 said shared "Changed the owners in $share/machines/tree"
check "inside they are as they were" equal "$(inside shared busybox stat -c %u /bin/busybox)" 0
stop shared
check "the second start changes nothing" tiny_up shared
check "and says nothing" not said shared "Changed the owners"
stop shared
rm -f /var/lib/machines/shared /etc/systemd/nspawn/shared.nspawn
check "nothing holds the share" eventually 20 umount $share

printf '[Exec]\nPrivateUsers=managed\n' >$file
again
if [ -e /usr/lib/systemd/systemd-nsresourced ]; then
    note "users of systemd-nsresourced"
    systemctl start systemd-nsresourced.socket
    require "users of systemd-nsresourced: it starts" tiny_up tiny
    picked=$(users tiny)
    check "with a range" equal "$((picked % 65536 == 0 && picked > 0))" 1
    check "that is reserved" test -e /run/systemd/nsresource/registry/u$picked.userns
    check "and locked" test -e /run/systemd/nspawn-uid/$picked
    check "its files are its own" equal "$(inside tiny busybox stat -c %u /bin/busybox)" 0
    check "and the host's on disk" equal "$(owner /var/lib/machines/tiny/bin/busybox)" 0
    stop tiny
    check "the range is given back" eventually 20 not test -e /run/systemd/nspawn-uid/$picked
    if varlinkctl introspect /run/systemd/io.systemd.NamespaceResource io.systemd.NamespaceResource | grep -q delegateContainerRanges; then
        note "ranges for containers inside"
        mkdir -p /etc/systemd/nspawn/web.nspawn.d
        printf '[Exec]\nPrivateUsers=managed\nPrivateUsersDelegate=2\n' >/etc/systemd/nspawn/web.nspawn.d/delegate.conf
        stop web 2>/dev/null
        require "with PrivateUsersDelegate=2 it boots" up web
        map=$(inside web cat /proc/self/uid_map)
        check "it has three ranges" equal "$(wc -l <<<"$map")" 3
        check "two of them mapped to themselves" equal "$(awk '$1 == $2 && $3 == 65536' <<<"$map" | wc -l)" 2
        # Since systemd 262, systemd-nsresourced forbids to make files as users that it hands out where these would be owners on disk.
        check "it writes to its root directory" inside web touch /srv/file
        check "to its temporary file systems" inside web touch /run/file /run/host/unix-export/file /dev/file
        check "there also as users of the ranges" inside web chown "$(awk '$1 == $2 {print $2; exit}' <<<"$map")" /run/file
        check "and gives a service with a user of its own a directory" \
            inside web systemd-run -q --wait -p DynamicUser=yes -p RuntimeDirectory=dynamic touch /run/dynamic/file
        # allocate has systemd-nsresourced fill a user namespace that is made inside, and prints the users.
        allocate() {
            inside web unshare --user varlinkctl --exec call --push-fd=/proc/self/ns/user /run/varlink/registry/io.systemd.NamespaceResource \
                io.systemd.NamespaceResource.AllocateUserRange "{\"name\":\"$1\",\"size\":65536,\"userNamespaceFileDescriptor\":0}" -- cat /proc/self/uid_map
        }
        nested=$(allocate one 2>&1)
        check "a user namespace inside gets one of these" equal "$(awk '$1 == $2 {print $2}' <<<"$map" | grep -cx "$(awk '{print $2}' <<<"$nested")")" 1
        check "the container starts no systemd-nsresourced of its own" not inside web systemctl is-active systemd-nsresourced.socket
        stop web
        check "all ranges are given back" eventually 20 not test -e "/run/systemd/nspawn-uid/$(awk '$1 == 0 {print $2}' <<<"$map")"
    else
        printf 'PrivateUsersDelegate=1\n' >>$file
        check "PrivateUsersDelegate= needs a newer one" not start tiny
        check "which is said" eventually 10 said tiny "ranges are delegated since systemd 260"
    fi
    systemctl stop systemd-nsresourced.socket systemd-nsresourced.service
    again
fi
check "without systemd-nsresourced it does not start" not start tiny
check "and says what is missing" eventually 10 said tiny "systemd-nsresourced.service is not available"
