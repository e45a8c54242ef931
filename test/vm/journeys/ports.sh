# A port that a container publishes leads to it: from elsewhere, from the host itself and from containers.

port_file() {
    web_file | section 'Exec|Service'
    printf '[Network]\nVirtualEthernet=yes\nPort=tcp:%s:80\n' "$1"
}
serve() { systemd-run -q --collect nsenter --net --target "$(leader "$1")" python3 /usr/lib/vmtest/who-asks.py 80; }
ask() { curl -sS --max-time 20 "http://$1/"; }
from_outside() { ip netns exec outside curl -sS --max-time 20 http://198.51.100.1:8080/; }
refused() { contains "$(unit_journal db)" "$1"; }
sees_outside() { equal "$(from_outside)" 198.51.100.2; }

outside_world
stop web
port_file 8080 | nspawn_file web
port_file 8081 | nspawn_file db
systemctl daemon-reload
require "web starts with Port=tcp:8080:80" start web
require "db starts with another one" start db
require "web boots" eventually 300 is_booted web
require "db boots" eventually 300 is_booted db
require "web has an address" eventually 60 address web
require "db has an address" eventually 60 address db
serve web
check "from elsewhere the port leads to web, which sees who asks" eventually 30 sees_outside
check "from the host, by its own address" eventually 10 ask 198.51.100.1:8080
check "from another container" eventually 10 inside db curl -sS --max-time 20 http://198.51.100.1:8080/
check "from web itself" eventually 10 inside web curl -sS --max-time 20 http://198.51.100.1:8080/
if [ -z "$ORACLE" ]; then
    check "from the host's 127.0.0.1" eventually 10 ask 127.0.0.1:8080
    check "from the host's ::1" eventually 10 ask "[::1]:8080"
    check "127.0.0.1 of the host is not routed to" equal "$(cat /proc/sys/net/ipv4/conf/ve-web/route_localnet)" 0
    check "networkd-lite ports names the container" contains "$(networkd-lite ports)" web
    stop db
    port_file 8080 | nspawn_file db
    systemctl daemon-reload
    check "a second container that wants the port does not start" not start db
    check "and is told whose it is" eventually 10 refused web
    port_file 8081 | nspawn_file db
    systemctl daemon-reload
    systemctl reset-failed "$(unit db)"
    systemctl restart networkd-lite
    check "the port leads to web after a restart of networkd-lite" eventually 30 from_outside
fi
stop db
stop web
check "the port is the host's again when web has ended" not from_outside
web_file | nspawn_file web
printf '[Network]\nVirtualEthernet=yes\n' | nspawn_file db
systemctl daemon-reload
check "nothing is left" eventually 10 clean
