# kernel: init=/usr/lib/vmtest/without-systemd
# A host whose first process is a shell script: nspawn-exec boots a container, networkd-lite started by hand gives it a network.

without() { not test -d /run/systemd/system; }
require "this host does not run systemd" without
/usr/bin/networkd-lite >"$FILES/networkd-lite.log" 2>&1 &
daemon=$!
boot_web() { nspawn-exec --quiet --boot --network-veth --private-users=pick --directory=/var/lib/machines/web --console=read-only >"$FILES/web.log" 2>&1 </dev/null & }
init_of() { awk '{print $1; exit}' "/proc/$1/task/$1/children" | grep .; }
within() { nsenter --all --target "$(init_of $supervisor)" -- "$@"; }
booted() { case $(within systemctl is-system-running 2>&1) in running | degraded) ;; *) return 1 ;; esac }
has_address() { within ip -4 -o addr show dev host0 scope global | grep -o 'inet [0-9./]*'; }

ip netns add outside
ip link add uplink type veth peer name eth0 netns outside
ip addr add 198.51.100.1/24 dev uplink
ip link set uplink up
ip route add default via 198.51.100.2
ip -n outside addr add 198.51.100.2/24 dev eth0
ip -n outside link set eth0 up
ip netns exec outside python3 /usr/lib/vmtest/who-asks.py 80 &
server=$!

boot_web
supervisor=$!
require "a Debian boots" eventually 300 booted
check "networkd-lite gives it an address" eventually 60 has_address
reaches() { equal "$(within curl -sS --max-time 5 http://198.51.100.2/)" 198.51.100.1; }
check "and a way out" eventually 60 reaches
check "networkd-lite status shows the link" contains "$(networkd-lite status)" ve-web
check "the container is in a control group of its own" not equal "$(cat "/proc/$(init_of $supervisor)/cgroup")" "$(cat /proc/self/cgroup)"
ends() { ! grep -q '^State:[[:space:]]*[^Z]' "/proc/$supervisor/status" 2>/dev/null; }
within systemctl poweroff
check "poweroff inside ends it" eventually 120 ends
check "its link is gone" eventually 20 not test -e /sys/class/net/ve-web
kill $daemon
daemon_ends() { ! grep -q '^State:[[:space:]]*[^Z]' "/proc/$daemon/status" 2>/dev/null; }
check "networkd-lite ends" eventually 20 daemon_ends
check "and leaves no rules" equal "$(nft list tables)" ""
kill $server
