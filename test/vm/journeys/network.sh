# The container has an address, a route and, through NAT, the world, without any networkd on the host.

require "web is up" up web
require "a server beyond the host's uplink answers the host" outside_world
[ -n "$ORACLE" ] || check "systemd-networkd does not run on the host" not systemctl -q is-active systemd-networkd
[ -n "$ORACLE" ] || check "nspawn-exec knew that networkd-lite runs" not contains "$(unit_journal web)" "neither networkd-lite"
[ -n "$ORACLE" ] || check "networkd-lite has the least privileges" systemd-analyze security --no-pager --threshold=29 networkd-lite.service
host_link=ve-web

check "host0 got an address" eventually 60 address web
check "by DHCP" contains "$(inside web ip -4 addr show dev host0)" dynamic
check "ve-web has one of the same network" eventually 60 host_address $host_link
routed() { inside web ip -4 route show default | grep -o 'via [0-9.]* dev host0'; }
check "host0 has a default route" eventually 60 routed
gateway=$(routed | cut -d' ' -f2)
check "by way of the host" contains "$(ip -4 -o addr show dev $host_link)" " ${gateway:-none}/"
check "the container pings the host" inside web ping -q -c 2 -W 20 "$gateway"
ours=$(address web)
check "the host pings the container" ping -q -c 2 -W 20 "${ours%/*}"
check "the container reaches the server outside, which sees the host's address" \
    equal "$(inside web curl -sS --max-time 30 http://198.51.100.2/)" 198.51.100.1
configured() { contains "$(inside web networkctl status host0 --no-pager)" "routable (configured)"; }
check "networkd inside is content" eventually 60 configured
check "ve-web listens to no router advertisements" equal "$(cat /proc/sys/net/ipv6/conf/$host_link/accept_ra)" 0
check "127.0.0.1 of the host is not routed to" equal "$(cat /proc/sys/net/ipv4/conf/$host_link/route_localnet)" 0

observe "prefix length of host0" "${ours#*/}"
observe "address of ve-web is" "$([[ $gateway =~ ^(10|172|192\.168)\. ]] && echo private || echo "$gateway")"
observe "addresses by family on host0" "$(inside web ip -o addr show dev host0 | awk '{print $3, $NF == "forever" ? "" : ""}' | sort | uniq -c | xargs)"
observe "routes inside" "$(inside web ip -4 route | sed -E "s/${ours%/*}/OWN/g; s/$gateway\b/HOST/g; s/[0-9.]+\/28/NET/" | sort | xargs -d '\n' printf '%s;')"
observe "name servers inside" "$(inside web resolvectl dns host0 | sed 's/^[^:]*: *//')"
observe "forwarding of ve-web" "$(cat /proc/sys/net/ipv4/conf/$host_link/forwarding) $(cat /proc/sys/net/ipv6/conf/$host_link/forwarding)"
observe "IPv6 link-local address of ve-web" "$(ip -6 -o addr show dev $host_link scope link | awk '{print $4}')"
ip route >"$FILES/routes"; nft list ruleset >"$FILES/nft-network"
inside web networkctl status host0 --no-pager >"$FILES/networkctl-inside"; inside web ip -d addr >"$FILES/ip-inside"
true
