# Containers of a zone find each other by name, the world by the host's DNS servers, and are found by the host.

if [ -n "$ORACLE" ]; then skip "$JOURNEY: all" "systemd-networkd serves no names"; exit 0; fi
looks_up() { inside "$1" resolvectl query --legend=no "$2"; }
finds() { contains "$(looks_up "$1" "$2")" "$3"; }

outside_world
ip -n outside addr add 198.51.100.53/32 dev eth0
systemd-run -q --collect ip netns exec outside python3 /usr/lib/vmtest/any-name.py 198.51.100.53
stop web
for name in web db; do
    nspawn_file $name <<<$'[Network]\nZone=app'
done
systemctl daemon-reload
require "web starts" start web
require "db starts" start db
require "web boots" eventually 300 is_booted web
require "db boots" eventually 300 is_booted db
require "web has an address" eventually 60 address web
require "db has an address" eventually 60 address db
web=$(address web) db=$(address db)
check "web finds db" eventually 30 finds web db.nspawn.internal "${db%/*}"
check "db finds web" eventually 30 finds db web.nspawn.internal "${web%/*}"
check "by its address, too" eventually 30 finds db "${web%/*}" web.nspawn.internal
check "web finds a name of the world, through the host's server" eventually 30 finds web www.example.org 203.0.113.7
check "by name web reaches db" inside web ping -q -c 2 -W 20 db.nspawn.internal
check "networkd-lite names tells of both" contains "$(networkd-lite names)" "${db%/*}"
check "the host does not answer on its uplink" not ip netns exec outside python3 -c 'import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(3); s.sendto(b"\0\1\1\0\0\1\0\0\0\0\0\0\3web\6nspawn\10internal\0\0\1\0\1", ("198.51.100.1", 53)); s.recv(512)'
stop db
check "a container that has ended has no name" eventually 30 not looks_up web db.nspawn.internal
stop web
web_file | nspawn_file web
printf '[Network]\nVirtualEthernet=yes\n' | nspawn_file db
systemctl daemon-reload
check "nothing is left" eventually 10 clean
