# packages: docker.io docker-cli
# kernel: apparmor=0
# A host with Docker, which drops what it does not forward itself; with br_netfilter and strict rp_filter, too. Containers have their
# network, and Docker's its own. Docker would need apparmor_parser where AppArmor is on. Played by name only: the host has more packages
# than those of other journeys.

if [ -n "$ORACLE" ]; then skip "$JOURNEY: all" "systemd-networkd knows nothing of Docker"; exit 0; fi
. /usr/lib/vmtest/firewall.sh
traces >"$FILES/traces-before"
modprobe br_netfilter
sysctl -q net.bridge.bridge-nf-call-iptables=1 net.bridge.bridge-nf-call-ip6tables=1 net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.default.rp_filter=1
docker_outside() { equal "$(docker run --rm tiny busybox wget -q -O - http://198.51.100.2/)" 198.51.100.1; }
docker_port() { contains "$(ip netns exec outside curl -fsS --max-time 10 http://198.51.100.1:8082/)" "of Docker"; }
docker_from_web() { inside web curl -fsS --max-time 10 http://198.51.100.1:8082/; }

require "Docker runs" eventually 120 docker version
require "there is a world outside" outside_more
check "Docker takes an image" sh -c 'tar -C /var/lib/machines/tiny -c . | docker import - tiny'
check "and runs it" docker run -d --restart=always --name page -p 8082:80 tiny busybox sh -c 'echo of Docker >/tmp/index.html; exec busybox httpd -f -p 80 -h /tmp'
systemctl restart docker # its rules come in another order then
require "its port is reached from outside" eventually 120 docker_port
check "Docker drops what it does not forward" equal "$(iptables -S FORWARD | head -n 1)" "-P FORWARD DROP"
rules >"$FILES/rules-before"

published_file | nspawn_file web
nspawn_file db <<<$'[Network]\nZone=app'
nspawn_file tiny <<<$'[Network]\nZone=app\nDHCP=yes'
systemctl daemon-reload
require "web is up" up web
require "db is up" up db
require "tiny is up" tiny_up tiny
answers web
has_network web "beside Docker"
check "db, in a zone, reaches the server outside" eventually 60 reaches db
db=$(address db)
check "tiny reaches db in the zone, though frames pass the packet filter" eventually 30 inside tiny busybox ping -c 1 -W 10 "${db%/*}"
check "Docker's container reaches the world" docker_outside
check "its port is reached from outside as before" docker_port
check "and from web" docker_from_web
inner=$(docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' page)
check "the host pings Docker's container" ping -q -c 1 -W 10 "$inner"
check "which Docker keeps from web" not inside web ping -q -c 1 -W 10 "$inner"

systemctl reload docker
check "after a reload of Docker web reaches the server outside" reaches web
check "its port is reached, too" from_outside
systemctl restart docker
check "its port is reached again" eventually 120 docker_port
has_network web "after a restart of Docker"
check "tiny reaches db after it" inside tiny busybox ping -c 1 -W 10 "${db%/*}"
systemctl kill --kill-whom=main --signal=KILL networkd-lite
check "networkd-lite comes again after SIGKILL" eventually 60 systemctl -q is-active networkd-lite
has_network web "with another networkd-lite"
iptables -I DOCKER-USER -p tcp -d 198.51.100.2 --dport 80 -j REJECT
check "a rule of the administrator in DOCKER-USER comes first" eventually 10 not reaches web
iptables -D DOCKER-USER -p tcp -d 198.51.100.2 --dport 80 -j REJECT

stop tiny
stop db
stop web
check "Docker's port is reached at the end" docker_port
ends_clean
check "these are as they were before" unchanged
