# systemd-networkd may run on the host as well, also when it comes later: then it looks after the links, and networkd-lite
# leaves them to it, until it is stopped again. The last journey: systemd-networkd leaves its nft tables behind.

if [ -n "$ORACLE" ]; then skip "$JOURNEY: all" "systemd-nspawn always leaves links to systemd-networkd"; exit 0; fi
nspawn_file web <<<$'[Network]\nVirtualEthernet=yes'
systemctl daemon-reload
stop web
require "web is up" up web
require "a server beyond the host's uplink answers the host" outside_world
require "networkd-lite gave web an address" eventually 60 address web

reaches_outside() { equal "$(inside web curl -sS --max-time 5 http://198.51.100.2/)" 198.51.100.1; }
noticed() { journalctl --no-pager -q -o cat -D /var/lib/machines/web/var/log/journal -b | grep -F 'host0: Lost carrier'; }
keeper() { networkd-lite status | grep -E "^ve-web .*$1"; }
check "it reaches the server outside" eventually 60 reaches_outside

note "systemctl start systemd-networkd"
systemctl -q unmask systemd-networkd.socket systemd-networkd
check "systemd-networkd starts" systemctl start systemd-networkd
managed() { contains "$(networkctl status ve-web --no-pager)" "(configured)"; }
check "it manages ve-web" eventually 60 managed
check "networkd-lite leaves ve-web to it" eventually 30 keeper 'left to systemd-networkd'
masquerades() { nft list set inet nspawnkit masquerade4 | grep -F '"ve-web"'; }
check "and does not masquerade it" not masquerades
check "one DHCP server is left" equal "$(ss -Hulpn 'sport = :67' | grep -c networkd-lite)" 0
# networkd takes the link down for less than a second, and the kernel, when it is late, tells nobody of a change of carrier that is over:
# then web does not know that it is to ask for another address.
eventually 10 noticed >/dev/null || { note "web did not notice: it is told"; inside web networkctl reconfigure host0; }
check "web reaches the server outside again" eventually 120 reaches_outside

note "systemctl stop systemd-networkd"
systemctl stop systemd-networkd.socket systemd-networkd
systemctl -q mask systemd-networkd.socket systemd-networkd
check "networkd-lite takes ve-web over" eventually 60 keeper 'DHCP server'
check "web reaches the server outside still" eventually 120 reaches_outside
check "and networkd-lite masquerades it" eventually 30 masquerades
