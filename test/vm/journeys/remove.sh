# machinectl remove deletes .nspawn files in systemd's folders (systemd#15900); those in /etc/nspawnkit survive it.

with_package "machinectl remove" || exit 0
if [ -n "$ORACLE" ]; then skip "$JOURNEY: all" "systemd-nspawn does not read /etc/nspawnkit"; exit 0; fi
require "a container runs" tiny_up tiny
stop tiny
image=/var/lib/machines/gone
mkdir -p /etc/nspawnkit /etc/systemd/nspawn
printf '[Exec]\nHostname=kept\n[Network]\nPrivate=yes\n[Service]\nMemoryMax=64M\n' >/etc/nspawnkit/gone.nspawn
printf '[Exec]\nHostname=lost\n' >/etc/systemd/nspawn/gone.nspawn
cp -a /var/lib/machines/tiny $image
systemctl daemon-reload
check "machinectl remove" machinectl remove gone
check "removes the image" not test -e $image
check "and systemd's own file" not test -e /etc/systemd/nspawn/gone.nspawn
check "but not the one in /etc/nspawnkit" test -s /etc/nspawnkit/gone.nspawn
cp -a /var/lib/machines/tiny $image
systemctl daemon-reload
require "a new image of the same name starts" tiny_up gone
check "with the settings as ever" equal "$(inside gone busybox hostname) $(cat "$(cgroup gone)/memory.max")" "kept 67108864"
stop gone
rm -r $image /etc/nspawnkit/gone.nspawn
systemctl daemon-reload
