# packages: firewalld
# A host with firewalld, with the zone that it has by default. Played by name only: the host has more packages than those of other
# journeys.

if [ -n "$ORACLE" ]; then skip "$JOURNEY: all" "systemd-networkd knows nothing of firewalld"; exit 0; fi
. /usr/lib/vmtest/firewall.sh
traces >"$FILES/traces-before"
in_zone() { equal "$(firewall-cmd --zone=nspawnkit --list-interfaces | xargs)" "$1"; }

require "firewalld runs" eventually 120 firewall-cmd --state
require "there is a world outside" outside_more
systemd-run -q --collect python3 /usr/lib/vmtest/who-asks.py 8088
check "its default zone is public" equal "$(firewall-cmd --get-default-zone)" public
check "which lets nobody outside in" not from_outside 8088
firewall-cmd -q --reload
rules >"$FILES/rules-before"

published_file | nspawn_file web
systemctl daemon-reload
require "web is up" up web
answers web
check "its link is in a zone of its own" eventually 30 in_zone "ve-+ vz-+"
has_network web "behind firewalld"
host=$(host_address ve-web)
check "the host reaches a service of its own" eventually 30 curl -fsS --max-time 10 "http://${host%/*}:8088/"
check "which firewalld keeps from web" not inside web curl -fsS --max-time 10 "http://${host%/*}:8088/"
for option in --reload --complete-reload; do
    check "firewall-cmd $option" firewall-cmd $option
    check "the link is in its zone" eventually 30 in_zone "ve-+ vz-+"
    has_network web "after “firewall-cmd $option”"
done
check "firewalld restarts" systemctl restart firewalld
check "the link is in its zone again" eventually 60 in_zone "ve-+ vz-+"
has_network web "after a restart of firewalld"
rule='rule family=ipv4 destination address=198.51.100.2 reject'
check "the administrator forbids a destination" firewall-cmd --policy=nspawnkit-out --add-rich-rule="$rule"
check "web does not reach it" eventually 30 not reaches web
check "and allows it" firewall-cmd --policy=nspawnkit-out --remove-rich-rule="$rule"
check "web reaches it again" eventually 30 reaches web

stop web
check "no link is in the zone" eventually 30 in_zone ""
ends_clean
firewall-cmd -q --reload # until then it keeps the chains of the zone, to which nothing leads
check "these are as they were before" unchanged
