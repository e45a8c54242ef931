# Interfaces of the host in a container: a macvlan, an ipvlan, and one that is moved in and comes back, after kill -9 of the supervisor too.

stop web
modprobe -a macvlan ipvlan dummy
for name in spare parent other; do ip link add "$name" type dummy; ip link set "$name" up; done
address_of() { cat "/sys/class/net/$1/address"; }
spare=$(address_of spare)
# IPVLAN= and MACVLAN= cannot share a link: the kernel has one kind on top of it.
nspawn_file web <<<$'[Network]\nInterface=spare\nMACVLAN=parent\nIPVLAN=other'
systemctl daemon-reload
require "web starts" start web
require "web boots" eventually 300 is_booted web
has_links() { equal "$(inside web sh -c 'ls /sys/class/net | xargs')" "iv-other lo mv-parent spare"; }
is_back() { equal "$(address_of spare)" "$spare"; }
check "it has all three" eventually 30 has_links
check "spare is its own alone" not test -e /sys/class/net/spare
check "the macvlan is in mode bridge" contains "$(inside web ip -d -o link show mv-parent)" "macvlan mode bridge"
check "the ipvlan is in mode l2" equal "$(inside web ip -d -o link show iv-other | grep -oE 'ipvlan +mode l[0-9]' | xargs)" "ipvlan mode l2"

check "web stops" stop web
check "spare is back" eventually 10 is_back

require "web starts again" start web
require "web boots again" eventually 300 is_booted web
check "with all three" eventually 30 has_links
if [ -n "$ORACLE" ]; then
    skip "$JOURNEY: kill -9" "systemd-nspawn does not give a virtual interface back then: the kernel has destroyed it"
else
    inside web ip link set spare down
    inside web ip link set spare name renamed
    note "kill -9 of the supervisor"
    kill -9 "$(show web MainPID)"
    check "the unit ends" eventually 30 is_down web
    check "spare is back under its old name" eventually 10 is_back
    check "nothing keeps the network namespace" not ls /run/nspawnkit/netns/web
fi
stop web
for name in spare parent other; do ip link del "$name"; done
nspawn_file web <<<$'[Network]\nVirtualEthernet=yes'
systemctl daemon-reload
