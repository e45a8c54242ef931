# From a plain Debian to ours and back: dpkg installs, upgrades, removes and purges the packages, and nothing of them is left. Played by
# name only: other journeys want what meson installed.

if [ -n "$ORACLE" ]; then skip "$JOURNEY: all" "there is no package of it to install"; exit 0; fi
require "the host is without nspawnkit" not test -e /usr/bin/nspawn-exec
debs=/usr/lib/vmtest/packages
program() { readlink "/proc/$(show "$1" MainPID)/exe"; }
daemon() { systemctl show --value -p "$1" networkd-lite.service; }
dpkg_does() { DEBIAN_FRONTEND=noninteractive dpkg "$@" >"$FILES/dpkg.log" 2>&1 || { tail -n 3 "$FILES/dpkg.log"; return 1; }; }

# state prints what the host has: files (not what changes by itself, what is in containers, nor a folder that newer versions of
# systemd-nspawn leave, too), rules, links, units.
state() {
    find /etc /opt /root /run /usr /var/cache /var/lib /var/spool \
        \( -path /var/lib/dpkg -o -path /var/lib/vmtest -o -path '/var/lib/machines/*/*' -o -path /run/vmtest -o -name __pycache__ -o -path /run/udev \
        -o -path /run/log -o -path /run/user -o -path /run/systemd/journal -o -path /run/systemd/units -o -path /run/systemd/transient \
        -o -path /run/netns -o -path /run/credentials -o -path /run/systemd/nspawn/unix-export \) -prune -o -printf '%p %M %u:%g %l\n' | sort
    nft --stateless list ruleset
    ip -o link | awk -F': ' '{print "link " $2}' | sort
    systemctl list-unit-files --no-legend --plain | awk '{print "unit " $1, $2}'
}
equal_address() { equal "$(host_address "$1")" "$2"; }
same_as() { diff "$1" "$2" | grep '^[<>]' >"$FILES/difference"; not grep . "$FILES/difference"; }

outside_world
nft add table inet mine
nft add chain inet mine forward '{ type filter hook forward priority 0; }'
web_file | nspawn_file web
systemctl daemon-reload
if with_package "a container that systemd-nspawn runs before"; then
    require "systemd-nspawn runs a container" tiny_up tiny # and makes what it needs
    stop tiny
fi
state >"$FILES/before"

# --- installation ---
if with_package "the installation while systemd-nspawn runs a container"; then
    tiny_up tiny
    before=$(show tiny MainPID)
fi
require "dpkg installs nspawnkit" dpkg_does -i $debs/nspawnkit_1.0_*.deb
if [ "$CONTAINER_PACKAGE" = yes ]; then
    check "what systemd-nspawn runs goes on" equal "$(show tiny MainPID) $(program tiny)" "$before /usr/bin/systemd-nspawn"
    check "and stops as ever" stop tiny
    check "and starts by nspawn-exec" tiny_up tiny
    check "which it does" equal "$(program tiny)" /usr/bin/nspawn-exec
    stop tiny
fi
check "networkd-lite is not enabled" equal "$(systemctl is-enabled networkd-lite.service)" disabled
check "systemctl preset leaves it so" systemctl preset networkd-lite.service
check "which it does" equal "$(systemctl is-enabled networkd-lite.service)" disabled
check "/run/nspawnkit is there" test -d /run/nspawnkit
mkdir -p /etc/nspawnkit
echo '[Exec]' >/etc/nspawnkit/mine.nspawn
require "web boots" up web
check "by nspawn-exec" equal "$(program web)" /usr/bin/nspawn-exec
require "it has an address" eventually 60 address web
check "and reaches the server outside" eventually 30 inside web curl -fsS --max-time 10 http://198.51.100.2/
check "systemctl enable networkd-lite" systemctl enable networkd-lite.service
check "systemctl enable a container" systemctl enable "$(unit db)"

# --- upgrade ---
supervisor=$(show web MainPID) init=$(leader web) before=$(address web) server=$(daemon MainPID)
ip netns exec outside busybox nc -l -p 9000 >"$FILES/received" &
eventually 10 ip netns exec outside sh -c 'ss -Hlt 2>/dev/null | grep -q :9000 || grep -q :2328 /proc/net/tcp*'
inside web python3 -c 'import socket, time
s = socket.create_connection(("198.51.100.2", 9000))
while True: s.sendall(b"x\n"); time.sleep(0.1)' &
sender=$!
inside web ping -q -i 0.2 198.51.100.2 >"$FILES/ping" &
ping=$!
arrives() { local lines; lines=$(wc -l <"$FILES/received"); sleep 1; [ "$(wc -l <"$FILES/received")" -gt "$lines" ]; }
check "its connection to the server is up" eventually 20 arrives
check "dpkg upgrades nspawnkit" dpkg_does -i $debs/nspawnkit_2.0_*.deb
check "to the new version" equal "$(dpkg-query -W -f '${Version}' nspawnkit)" 2.0
check "web runs on" equal "$(show web MainPID) $(leader web)" "$supervisor $init"
check "networkd-lite was restarted" not equal "$(daemon MainPID)" "$server"
check "and runs" equal "$(daemon ActiveState)" active
check "web's connection goes on" eventually 10 arrives
check "with the process that opened it" kill -0 $sender
pkill -INT -f '^ping -q -i 0.2' # it sums up
wait $ping
# The last one was under way when ping was told to end.
check "no packet was lost" awk '/ received/ {found = 1; lost = $1 - $4} END {print lost " lost"; exit !(found && lost <= 1)}' "$FILES/ping"
check "web keeps its address" equal "$(address web)" "$before"
check "and opens new connections" inside web curl -fsS --max-time 10 http://198.51.100.2/
check "networkd-lite looks after its link" contains "$(networkd-lite status)" ve-web
check "it is still enabled" equal "$(systemctl is-enabled networkd-lite.service)" enabled
kill $sender %1 2>/dev/null

# --- removal ---
require "another container starts" tiny_up tiny
require "and has an address on the host" eventually 30 host_address ve-tiny
subnet=$(host_address ve-tiny)
check "dpkg removes nspawnkit" dpkg_does -r nspawnkit
check "web was stopped" equal "$(show web ActiveState) $(show web Result)" "inactive success"
check "tiny, too" equal "$(show tiny ActiveState) $(show tiny Result)" "inactive success"
check "networkd-lite does not run" not pgrep -x networkd-lite
check "none of our rules is left" not contains "$(nft list ruleset)" nspawnkit
check "no link is left" not ls -d /sys/class/net/v[ebz]-*
check "no unit is hidden" equal "$(find /etc/systemd/system -maxdepth 1 -xtype l -name 'systemd-nspawn@*')" ""
check "the leases are" test -e /var/lib/nspawnkit/network/subnets.json
if with_package "what the unit is after the removal"; then
    check "the unit is the distribution's" contains "$(systemctl show --value -p ExecStart "$(unit tiny)")" systemd-nspawn
fi
require "dpkg installs it again" dpkg_does -i $debs/nspawnkit_2.0_*.deb
require "tiny starts" tiny_up tiny
check "with the same subnet" eventually 30 equal_address ve-tiny "$subnet"
check "networkd-lite is enabled as before" equal "$(systemctl is-enabled networkd-lite.service)" enabled

# --- under the name of systemd-nspawn ---
original=$(sha256sum /usr/bin/systemd-nspawn 2>/dev/null)
check "dpkg installs nspawnkit-replace" dpkg_does -i $debs/nspawnkit-replace_2.0_*.deb
check "systemd-nspawn is nspawn-exec" equal "$(readlink -f /usr/bin/systemd-nspawn)" /usr/bin/nspawn-exec
check "and runs a container" equal "$(systemd-nspawn --quiet --register=no --pipe -D /var/lib/machines/db /bin/echo done)" done
check "dpkg removes it" dpkg_does -P nspawnkit-replace
check "systemd-nspawn is the distribution's" equal "$(sha256sum /usr/bin/systemd-nspawn 2>/dev/null)" "$original"

# --- purge ---
check "dpkg purges nspawnkit while a container runs" dpkg_does -P nspawnkit
check "which stopped it" equal "$(show tiny ActiveState)" inactive
check "what is mine stays" equal "$(cat /etc/nspawnkit/mine.nspawn)" '[Exec]'
rm -r /etc/nspawnkit
if with_package "what systemctl enable did"; then
    check "what was enabled still is" equal "$(systemctl is-enabled "$(unit db)")" enabled
    systemctl disable "$(unit db)"
fi
systemctl reset-failed
state >"$FILES/after"
check "the host is as before" same_as "$FILES/before" "$FILES/after" || note "$(head -n 20 "$FILES/difference")"
if with_package "containers by systemd-nspawn"; then
    check "tiny starts with systemd-nspawn again" tiny_up tiny
    check "which runs it" equal "$(program tiny)" /usr/bin/systemd-nspawn
    stop tiny
fi

# --- an image, where nothing runs ---
image=/run/vmtest/image
mkdir -p $image /run/vmtest/upper /run/vmtest/work
mount -t overlay overlay -o lowerdir=/var/lib/machines/web,upperdir=/run/vmtest/upper,workdir=/run/vmtest/work $image
in_image() { (cd $image && find etc run usr var/cache var/lib -path var/lib/dpkg -prune -o -printf '%p %M %u:%g %l\n' | sort); }
in_image >"$FILES/image-before"
check "dpkg installs it into an image" dpkg_does --root=$image -i $debs/nspawnkit_1.0_*.deb
check "without starting anything" not pgrep -x networkd-lite
check "systemctl enables it there" systemctl --root=$image enable networkd-lite.service
check "dpkg purges it" dpkg_does --root=$image -P nspawnkit
in_image >"$FILES/image-after"
check "the image is as before" same_as "$FILES/image-before" "$FILES/image-after" || note "$(head -n 20 "$FILES/difference")"
umount $image
rm -r /run/vmtest
