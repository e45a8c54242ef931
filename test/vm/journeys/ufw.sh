# packages: ufw
# A host whose administrator has switched ufw on. Played by name only: the host has more packages than those of other journeys.

if [ -n "$ORACLE" ]; then skip "$JOURNEY: all" "systemd-networkd knows nothing of ufw"; exit 0; fi
. /usr/lib/vmtest/firewall.sh
traces >"$FILES/traces-before"
drops() { equal "$(iptables -S | head -n 2 | xargs)" "-P INPUT DROP -P FORWARD DROP"; }

require "there is a world outside" outside_more
systemd-run -q --collect python3 /usr/lib/vmtest/who-asks.py 8088
require "ufw is switched on" ufw --force enable
check "it drops what comes in and what is forwarded" drops
ufw reload # it doubles two rules of its own
rules >"$FILES/rules-before"

published_file | nspawn_file web
systemctl daemon-reload
require "web is up" up web
answers web
has_network web "behind ufw"
host=$(host_address ve-web)
check "the host reaches a service of its own" eventually 30 curl -fsS --max-time 10 "http://${host%/*}:8088/"
check "which ufw keeps from web" not inside web curl -fsS --max-time 10 "http://${host%/*}:8088/"
for command in reload disable "--force enable"; do
    check "ufw $command" ufw $command
    has_network web "after “ufw $command”"
done
check "it drops again" drops

check "the administrator forbids the port" ufw route deny proto tcp to any port 80
check "nobody outside reaches it" eventually 30 not from_outside
check "and web reaches nobody's" eventually 30 not reaches web
check "the administrator takes that back" ufw route delete deny proto tcp to any port 80
check "the port is reached again" eventually 30 from_outside
check "as is the server outside" eventually 30 reaches web

stop web
ends_clean
check "these are as they were before" unchanged
