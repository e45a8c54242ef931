# What journeys on hosts with packet filters share.
#
#   published_file           the text of web.nspawn with a published port, 8080
#   outside_more             more beyond the host's uplink: the name server of the host's /etc/resolv.conf, and IPv6 with a web server
#   has_network NAME WHEN    checks the whole network of the container NAME, which has the published port
#   rules                    prints all rules of the host's packet filters in some order, without counters and tables of ours
#   unchanged                compares them with those in $FILES/rules-before
#   ends_clean               checks that networkd-lite warned of nothing, and leaves nothing when it ends

published_file() {
    web_file | section 'Exec|Service'
    printf '[Network]\nVirtualEthernet=yes\nPort=tcp:8080:80\n'
}

outside_more() {
    outside_world
    ip -n outside addr add 198.51.100.53/32 dev eth0
    systemd-run -q --collect ip netns exec outside python3 /usr/lib/vmtest/any-name.py 198.51.100.53
    ip addr add 2001:db8::1/64 dev uplink nodad
    ip route add default via 2001:db8::2
    ip -n outside addr add 2001:db8::2/64 dev eth0 nodad
    systemd-run -q --collect ip netns exec outside python3 -m http.server --bind 2001:db8::2 --directory /usr/lib/vmtest 80
    eventually 60 curl -fsS --max-time 5 "http://[2001:db8::2]/"
}

address6() { inside "$1" ip -6 -o addr show dev host0 scope global | awk '!/tentative/ {sub("/.*", "", $4); print $4; exit}' | grep .; }
# answers has a container answer on port 80 whoever asks, until it ends.
answers() {
    local in="systemd-run -q --collect nsenter --net --target $(leader "$1")" own
    own=$(eventually 60 address6 "$1")
    $in python3 /usr/lib/vmtest/who-asks.py 80
    $in python3 -m http.server --bind "$own" --directory /usr/lib/vmtest 80
    eventually 60 curl -fsS --max-time 10 "http://[$own]/" # before the address goes for a moment
}

finds() { contains "$(inside "$1" resolvectl query --cache=no --legend=no www.example.org)" 203.0.113.7; }
reaches() { equal "$(inside "$1" curl -sS --max-time 10 http://198.51.100.2/)" 198.51.100.1; }
from_outside() { equal "$(ip netns exec outside curl -sS --max-time 10 "http://198.51.100.1:${1:-8080}/")" 198.51.100.2; }
reaches6() { inside "$1" curl -fsS --max-time 10 "http://[2001:db8::2]/"; }
from_outside6() { ip netns exec outside curl -fsS --max-time 10 "http://[2001:db8::1]:8080/"; }
from_here() { curl -fsS --max-time 10 http://127.0.0.1:8080/; }
# renews: the server answers a client that begins anew.
leased() { inside "$1" journalctl -q --no-pager -o cat -u systemd-networkd | grep -c 'DHCPv4 address .* acquired'; }
leased_again() { [ "$(leased "$1")" -gt "$2" ]; }
renews() {
    local before
    before=$(leased "$1")
    inside "$1" networkctl reconfigure host0 && eventually 60 leased_again "$1" "$before"
}

has_network() {
    check "$1 gets its address $2" renews "$1"
    check "$1 finds a name of the world $2" eventually 60 finds "$1"
    check "$1 reaches the server outside $2, which sees the host's address" eventually 60 reaches "$1"
    check "its port is reached from outside $2" eventually 60 from_outside
    check "and from the host's 127.0.0.1 $2" eventually 30 from_here
    check "$1 reaches the server outside by IPv6 $2" eventually 60 reaches6 "$1"
    check "its port is reached by IPv6 $2" eventually 60 from_outside6
}

rules() {
    local save
    for save in iptables-save ip6tables-save; do
        ! command -v $save >/dev/null || $save | sed "/^#/d; s/ \\[[0-9:]*\\]\$//; s/^/$save: /"
    done | sort
    nft --stateless list ruleset | awk '/^table (inet|bridge) nspawnkit / {ours = 1} !ours; /^}/ {ours = 0}' | sort
}
unchanged() { rules >"$FILES/rules-after"; diff "$FILES/rules-before" "$FILES/rules-after"; }
# of_ours prints our tables, and our rules in those of others.
of_ours() { { nft list tables; iptables-save; ip6tables-save; } 2>/dev/null | grep -E 'table .* nspawnkit$|"nspawnkit: '; }

# warnings leaves out that firewalld drops what the host sends while it reloads: it is sent again.
warnings() { journalctl -q --no-pager -o cat -p warning _COMM=networkd-lite | grep -v 'a packet filter of the host drops it'; }

ends_clean() {
    check "networkd-lite warned of nothing" equal "$(warnings)" ""
    check "nothing is left of the containers" eventually 10 clean
    check "networkd-lite stops" systemctl stop networkd-lite
    check "nothing of ours is in the packet filters" not of_ours
}
