# Two containers of one zone reach each other and the world; the zone's bridge goes with the last one.

bridge_ports() { ls /sys/class/net/vz-app/brif 2>/dev/null | xargs; }
same_network() { equal "$(cut -d. -f1-3 <<<"$1")" "$(cut -d. -f1-3 <<<"$2")"; }

stop web
for name in web db; do
    nspawn_file $name <<<$'[Network]\nZone=app'
done
systemctl daemon-reload
outside_world
note "starting web and db with Zone=app"
systemctl start --no-block "$(unit db)"
require "web starts" start web
check "without NotifyReady the start returns before web has booted" not is_booted web
require "db starts" start db
check "both links are on the bridge vz-app" equal "$(bridge_ports)" "vb-db vb-web"
require "web boots" eventually 300 is_booted web
require "db boots" eventually 300 is_booted db
require "web has an address" eventually 60 address web
require "db has an address" eventually 60 address db
web=$(address web) db=$(address db)
check "of the same network" same_network "$web" "$db"
check "but not the same" not equal "$web" "$db"
check "web pings db" inside web ping -q -c 2 -W 20 "${db%/*}"
check "db pings web" inside db ping -q -c 2 -W 20 "${web%/*}"
outside_sees() { equal "$(inside db curl -sS --max-time 30 http://198.51.100.2/)" 198.51.100.1; }
check "db reaches the server outside, which sees the host's address" eventually 60 outside_sees # its route follows the address
observe "prefix length in a zone" "${web#*/}"
observe "links of a zone on the host" "$(ip -o link | awk -F'[:@] *' '$2 ~ /^(ve|vb|vz)-/ {print $2}' | sort | xargs)"
observe "addresses of a zone's ports" "$(ip -o addr show dev vb-web | wc -l)"
check "web stops" stop web
check "the bridge stays for db" equal "$(bridge_ports)" vb-db
check "db stops" stop db
check "the bridge goes with the last one" eventually 10 not test -e /sys/class/net/vz-app
check "nothing is left" eventually 10 clean
