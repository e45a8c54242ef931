# A payload that is no init: it has address, route and name servers before its first instruction, on any kind of link, and keeps them.

if [ -n "$ORACLE" ]; then skip "$JOURNEY: all" "systemd-nspawn leaves the network to who runs inside"; exit 0; fi
outside_world
job=/var/lib/machines/job
cp -a /var/lib/machines/tiny $job
# wget of bookworm's busybox crashes with -T.
cat >$job/bin/payload <<'END'
#!/bin/sh
{
    echo "address $(busybox ip -4 -o addr show dev "$1" scope global | busybox awk '{print $4; exit}')"
    echo "route $(busybox ip route show default)"
    echo "server $(busybox awk '/^nameserver/ {print $2; exit}' /etc/resolv.conf)"
    echo "answer $(busybox timeout 3 busybox wget -q -O - http://198.51.100.2/)"
    echo "mac $(busybox cat "/sys/class/net/$1/address")"
} >/run/first
exec /sbin/init
END
chmod 755 $job/bin/payload

# begin LINK LINES starts the payload, which calls its link so, with lines for [Network].
begin() {
    printf '[Exec]\nBoot=no\nParameters=/bin/payload %s\n[Network]\n%s\n' "$1" "$2" | nspawn_file job
    systemctl daemon-reload && tiny_up job
}
first() { inside job busybox awk -v name="$1" '$1 == name {sub("^[^ ]* ", ""); print}' /run/first; }
job_address() { inside job busybox ip -4 -o addr show dev "$1" scope global | awk '{print $4; exit}' | grep .; }

require "it starts with a fixed address" begin host0 $'VirtualEthernet=yes\nAddress=10.77.0.2/24\nMACAddress=02:00:00:00:77:02\nDNS=198.51.100.53'
check "which it has" equal "$(first address)" 10.77.0.2/24
check "as its hardware address" equal "$(first mac)" 02:00:00:00:77:02
check "and its name server" equal "$(first server)" 198.51.100.53
answered() { equal "$(inside job busybox timeout 3 busybox wget -q -O - http://198.51.100.2/)" 198.51.100.1; }
check "it reaches the server outside" eventually 30 answered # the host may still load modules
stop job

require "it starts with a link of its own" begin host0 VirtualEthernet=yes
host=$(host_address ve-job)
check "its first line of code finds an address" equal "$(first address | cut -d. -f1-3)" "$(cut -d. -f1-3 <<<"$host")"
check "the way out by the host" contains "$(first route)" "via ${host%/*}"
check "the host's name server" equal "$(first server)" "${host%/*}"
check "and the server outside" equal "$(first answer)" 198.51.100.1
before=$(job_address host0)
systemctl restart networkd-lite
check "it keeps the address while networkd-lite starts again" equal "$(job_address host0)" "$before"
check "networkd-lite gives the link another subnet" networkd-lite renumber ve-job
moved() { not equal "$(job_address host0)" "$before" && inside job busybox timeout 5 busybox wget -q -O - http://198.51.100.2/; }
check "the payload follows" eventually 30 moved
check "with its name server" equal "$(inside job busybox awk '/^nameserver/ {print $2; exit}' /etc/resolv.conf)" "$(host_address ve-job | cut -d/ -f1)"
stop job

note "a network beyond an interface of the host, with a DHCP server"
modprobe -a macvlan ipvlan
ip netns add office
ip link add lan type veth peer name eth0 netns office
ip link set lan up
ip -n office link set eth0 up
ip -n office addr add 10.78.0.1/24 dev eth0
cat >/run/udhcpd.conf <<'END'
interface eth0
start 10.78.0.50
end 10.78.0.90
lease_file /run/udhcpd.leases
pidfile /run/udhcpd.pid
option subnet 255.255.255.0
option router 10.78.0.1
option dns 10.78.0.53
END
: >/run/udhcpd.leases
systemd-run -q --collect --unit=office ip netns exec office busybox udhcpd -f -a 100 /run/udhcpd.conf
for kind in MACVLAN:mv-lan IPVLAN:iv-lan; do
    require "it starts with a link of kind ${kind%:*}" begin "${kind#*:}" "${kind%:*}=lan"$'\nDHCP=yes'
    check "and has an address of that network" equal "$(first address | cut -d. -f1-3)" 10.78.0
    check "its way out" contains "$(first route)" "via 10.78.0.1"
    check "and its name server" equal "$(first server)" 10.78.0.53
    stop job
done
systemctl stop office
ip link del lan
ip netns del office

note "nobody serves the link"
systemctl mask --quiet --runtime --now networkd-lite
require "it starts nevertheless" begin host0 VirtualEthernet=yes
check "without an address" equal "$(first address)" ""
check "and says why" contains "$(unit_journal job)" "neither networkd-lite"
stop job
require "so it does with DHCP=yes" begin host0 $'VirtualEthernet=yes\nDHCP=yes'
check "without an address, too" equal "$(first address)" ""
check "and says that no server answered" contains "$(unit_journal job)" "no DHCP server has answered"
systemctl unmask --quiet --runtime networkd-lite
systemctl start networkd-lite
check "it gets one when somebody does" eventually 60 job_address host0
stop job
rm -r $job /etc/systemd/nspawn/job.nspawn
check "nothing is left" eventually 10 clean
