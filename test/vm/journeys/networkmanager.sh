# packages: network-manager
# A host whose links NetworkManager manages. It leaves those of containers alone, and their network works. Played by name only: the host
# has more packages than those of other journeys.

if [ -n "$ORACLE" ]; then skip "$JOURNEY: all" "systemd-nspawn is not asked"; exit 0; fi
traces >"$FILES/traces-before"
state() { nmcli --terse --fields GENERAL.STATE device show "$1" | cut -d: -f2; }
unmanaged() { contains "$(state "$1")" unmanaged; }

check "NetworkManager runs" eventually 60 systemctl -q is-active NetworkManager
outside_world
nspawn_file db <<<$'[Network]\nZone=app'
systemctl daemon-reload
require "web is up" up web
require "db is up" up db
for link in ve-web vb-db vz-app; do
    check "NetworkManager does not manage $link" eventually 30 unmanaged $link
done
check "web has an address" eventually 60 address web
check "db has an address" eventually 60 address db
before=$(address web)
check "the container reaches the server outside" eventually 30 inside web curl -fsS --max-time 10 http://198.51.100.2/
systemctl restart NetworkManager
check "NetworkManager runs again" eventually 60 nmcli general status
check "and does not manage ve-web either" eventually 30 unmanaged ve-web
check "the container keeps its address" equal "$(address web)" "$before"
check "and its way out" inside web curl -fsS --max-time 10 http://198.51.100.2/
nmcli device connect ve-web >/dev/null 2>&1
check "it keeps it when somebody tells NetworkManager to connect the link" eventually 30 inside web curl -fsS --max-time 10 http://198.51.100.2/
stop web
stop db
check "nothing is left" eventually 10 clean
