# machinectl bind, copy-to and copy-from, into containers with and without users of their own; systemd-nspawn's do the same.

with_package "machinectl bind, copy-to, copy-from" || exit 0
for name in plain users; do
    cp -a /var/lib/machines/tiny /var/lib/machines/$name
    mkdir -p /var/lib/machines/$name/mnt
done
printf '[Exec]\nPrivateUsers=no\n' | nspawn_file plain
systemctl daemon-reload
require "a container without users of its own" tiny_up plain
require "and one with them" tiny_up users
rm -rf /srv/shared /srv/back-*
mkdir -p /srv/shared/below
echo ours >/srv/shared/file
chmod 640 /srv/shared/file

# --- bind ---
check "machinectl bind" machinectl bind plain /srv/shared /mnt
check "the container sees it" equal "$(inside plain busybox cat /mnt/file)" ours
check "and writes to it" inside plain busybox touch /mnt/new
check "which the host sees" test -e /srv/shared/new
check "machinectl bind --read-only --mkdir" machinectl bind --read-only --mkdir plain /srv/shared /opt/new/place
check "the container sees it there, too" equal "$(inside plain busybox cat /opt/new/place/file)" ours
check "and cannot write to it" not inside plain busybox touch /opt/new/place/other
check "machinectl bind of a file" machinectl bind --mkdir plain /srv/shared/file /opt/file
check "which the container sees" equal "$(inside plain busybox cat /opt/file)" ours
check "a place that is missing" not machinectl bind plain /srv/shared /srv/none
check "nothing of it is left on the host" equal "$(ls -A /run/systemd/nspawn/propagate/plain)$(ls -d /tmp/propagate.* 2>/dev/null)" ""
machinectl bind --mkdir users /srv/shared /mnt >"$FILES/bind-users" 2>&1
check "systemd-machined binds into no user namespace, and says so" contains "$(cat "$FILES/bind-users")" "user namespac"

# --- copy ---
for name in plain users; do
    check "$name: machinectl copy-to" machinectl copy-to $name /srv/shared /root/tree
    check "$name: the container has it" equal "$(inside $name busybox cat /root/tree/file)" ours
    check "$name: it belongs to the container's root" equal "$(inside $name busybox stat -c '%u:%g %a' /root/tree/file)" "0:0 640"
    check "$name: machinectl copy-from" machinectl copy-from $name /root/tree /srv/back-$name
    check "$name: it belongs to root on the host" equal "$(stat -c '%u:%g %a' /srv/back-$name/file)" "0:0 640"
done

check "the containers stop" stop plain
check "also the one with users" stop users
check "what was bound is still there" equal "$(cat /srv/shared/file)" ours
rm -rf /var/lib/machines/{plain,users} /etc/systemd/nspawn/plain.nspawn /srv/shared /srv/back-*
systemctl daemon-reload
