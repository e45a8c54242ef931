# “Networking”: every kind of link of the page, with systemd-networkd on the host where it runs, with networkd-lite elsewhere.

outside_world
a_copy job
has_link() { inside job busybox test -e "/sys/class/net/$1"; }
netns() { readlink "/proc/$1/ns/net"; }
job_address() { inside job busybox ip -4 -o addr show dev "${1:-host0}" scope global | awk '{print $4; exit}' | grep .; }
by_dhcp() { inside job busybox ip link set "$1" up && inside job busybox udhcpc -q -n -f -i "$1" -s /bin/lease; }
begin() { stop job 2>/dev/null; settings job "$1" && tiny_up job; }
cat >/var/lib/machines/job/bin/lease <<'END'
#!/bin/sh
[ "$1" = bound ] || exit 0
busybox ip addr add "$ip/$mask" dev "$interface"
[ -z "$router" ] || busybox ip route add default via "$router"
END
chmod 755 /var/lib/machines/job/bin/lease

note "host networking"
require "VirtualEthernet=no" begin $'[Network]\nVirtualEthernet=no'
check "is ours" by_ours job
check "is the network of the host" equal "$(netns "$(leader job)")" "$(netns self)"

note "a virtual Ethernet link"
stop job
rm -f /etc/systemd/nspawn/job.nspawn
systemctl daemon-reload
require "without a file there is one" tiny_up job
check "ve-job on the host" test -e /sys/class/net/ve-job
check "host0 inside" has_link host0
if systemctl -q is-active systemd-networkd; then keeper=systemd-networkd; else keeper=networkd-lite; fi
note "$keeper looks after it"
check "the container gets an address by DHCP" eventually 60 by_dhcp host0
check "the host has one, too" eventually 60 host_address ve-job
check "and reaches the host by it" inside job busybox ping -c 1 -W 5 "$(host_address ve-job | cut -d/ -f1)"
long=a-container-of-a-long-name
a_copy $long
require "a container of a long name" tiny_up $long
check "its link has the whole name, too" ip link show dev "ve-$long"
check "and a short one" equal "$(ip -o link show dev "ve-$long" | cut -d: -f2 | cut -d@ -f1 | xargs | wc -c)" 16
forget $long

note "a bridge of the host, into a network with a DHCP server"
ip link add br0 type bridge
ip addr add 10.79.0.1/24 dev br0
ip link set br0 up
cat >/run/udhcpd.conf <<'END'
interface br0
start 10.79.0.50
end 10.79.0.90
lease_file /run/udhcpd.leases
pidfile /run/udhcpd.pid
option subnet 255.255.255.0
END
: >/run/udhcpd.leases
systemd-run -q --collect --unit=office busybox udhcpd -f /run/udhcpd.conf
require "Bridge=br0" begin $'[Network]\nBridge=br0'
check "vb-job is a port of it" contains "$(ip -o link show dev vb-job)" "master br0"
check "an address by DHCP of that network" eventually 60 by_dhcp host0
check "is one of it" contains "$(job_address)" 10.79.0.
stop db 2>/dev/null
settings db <<<$'[Network]\nBridge=br0'
mkdir -p /var/lib/machines/db/etc/systemd/network
printf '[Match]\nName=host0\n[Network]\nAddress=10.79.0.10/24\nGateway=10.79.0.1\nDNS=10.79.0.1\n' >/var/lib/machines/db/etc/systemd/network/80-container-host0.network
require "a Debian on the bridge, with a static address" up db
has_static() { equal "$(address db)" 10.79.0.10/24; }
check "has it" eventually 60 has_static
check "and is reached by it" eventually 30 ping -q -c 1 -W 5 10.79.0.10
check "by the other container, too" inside job busybox ping -c 1 -W 5 10.79.0.10
stop db
rm /var/lib/machines/db/etc/systemd/network/80-container-host0.network /etc/systemd/nspawn/db.nspawn
systemctl stop office
ip link del br0

note "a zone"
a_copy other
settings other <<<$'[Network]\nZone=office'
require "Zone=office" begin $'[Network]\nZone=office'
require "another container in it" tiny_up other
check "vz-office is a bridge of both" equal "$(ls /sys/class/net/vz-office/brif | wc -l)" 2
check "a container gets an address" eventually 60 by_dhcp host0
check "the bridge has one, too" eventually 60 host_address vz-office
inside other busybox ip addr add "$(job_address | cut -d. -f1-3).250/24" dev host0 2>/dev/null
forget other
stop job
check "the zone goes with its last container" eventually 20 not test -e /sys/class/net/vz-office

note "interfaces of the host"
modprobe -a macvlan ipvlan veth
for name in lan spare; do ip link add $name type veth peer name $name-far; ip link set $name up; done
require "MACVLAN=lan" begin $'[Network]\nMACVLAN=lan'
check "is mv-lan inside" has_link mv-lan
require "IPVLAN=lan" begin $'[Network]\nIPVLAN=lan'
check "is iv-lan inside" has_link iv-lan
require "Interface=spare" begin $'[Network]\nInterface=spare'
check "is inside" has_link spare
check "and no longer on the host" not test -e /sys/class/net/spare
stop job
check "it comes back" eventually 20 test -e /sys/class/net/spare
ip link del lan
ip link del spare

note "port mapping"
require "Port=tcp:8080:80" begin $'[Network]\nVirtualEthernet=yes\nPort=tcp:8080:80'
check "it gets its address" eventually 60 by_dhcp host0
inside job busybox sh -c 'mkdir -p /srv && echo served inside >/srv/index.html && busybox httpd -p 80 -h /srv'
served() { contains "$(curl -sS --max-time 5 "http://$1:8080/")" "served inside"; }
from_outside() { contains "$(ip netns exec outside curl -sS --max-time 5 http://198.51.100.1:8080/)" "served inside"; }
check "the port is reached from outside" eventually 60 from_outside
check "and by the host's own address" eventually 30 served 198.51.100.1
[ $keeper = systemd-networkd ] || check "and by 127.0.0.1" eventually 30 served 127.0.0.1

note "domain name resolution"
for mode in copy-host bind-host replace-host; do
    require "ResolvConf=$mode" begin "[Exec]"$'\n'"ResolvConf=$mode"$'\n[Network]\nVirtualEthernet=no'
    check "is the host's" equal "$(inside job busybox cat /etc/resolv.conf)" "$(cat /etc/resolv.conf)"
done
require "ResolvConf=off" begin $'[Exec]\nResolvConf=off\n[Network]\nVirtualEthernet=no'
forget job
check "nothing is left" eventually 20 clean
