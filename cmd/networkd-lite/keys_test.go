package main

import (
	"strings"
	"testing"
)

// What [Link] and [Bridge] say is what ip shows.
func TestLinkKeys(t *testing.T) {
	w := newWorld(t)
	w.write("etc/systemd/network/80-container-vb.network.d/port.conf", `[Link]
MTUBytes=1400
Group=7
Promiscuous=yes
AllMulticast=yes
ARP=no
[Bridge]
UnicastFlood=no
MulticastFlood=no
MulticastToUnicast=yes
NeighborSuppression=yes
Learning=yes
Locked=yes
MACAuthenticationBypass=yes
VLANTunnel=yes
HairPin=yes
Isolated=yes
UseBPDU=no
FastLeave=yes
AllowPortToBeRoot=no
ProxyARP=yes
ProxyARPWiFi=yes
MulticastRouter=permanent
Cost=123
Priority=5
[Network]
IPv4ReversePathFilter=loose
IPv6HopLimit=33
IPv6PrivacyExtensions=prefer-public
IPv6RetransmissionTimeSec=700ms
LinkLocalAddressing=ipv6
IPv6LinkLocalAddressGenerationMode=random
`)
	w.write("etc/systemd/network/80-container-vz.network.d/mac.conf", "[Link]\nMACAddress=02:00:00:00:00:77\n")
	w.startDaemon()
	w.command("ip", "link", "add", "vz-app", "type", "bridge")
	w.addToZone("web", "02:00:00:00:00:01", false)
	w.waitFor("isolated on", "ip", "-d", "link", "show", "dev", "vb-web")
	shown := w.command("ip", "-d", "link", "show", "dev", "vb-web")
	for _, want := range []string{
		"mtu 1400", "group 7", "PROMISC", "ALLMULTI", "NOARP", "flood off", "mcast_flood off", "mcast_to_unicast on", "neigh_suppress on", "learning on", "locked on", "vlan_tunnel on",
		"hairpin on", "guard on", "fastleave on", "root_block on", "proxy_arp on", "proxy_arp_wifi on", "mcast_router 2", "cost 123", "priority 5",
	} {
		if !strings.Contains(shown, want) {
			t.Errorf("no %q in %s", want, shown)
		}
	}
	w.waitFor("02:00:00:00:00:77", "ip", "link", "show", "dev", "vz-app")
	for path, want := range map[string]string{
		"ipv4/conf/vb-web/rp_filter": "2\n", "ipv6/conf/vb-web/hop_limit": "33\n", "ipv6/conf/vb-web/use_tempaddr": "1\n",
		"ipv6/neigh/vb-web/retrans_time_ms": "700\n", "ipv6/conf/vb-web/addr_gen_mode": "3\n",
	} {
		if got := w.command("cat", "/proc/sys/net/"+path); got != want {
			t.Errorf("%s is %q", path, got)
		}
	}
	if said := w.daemon.said(); strings.Contains(said, ".conf:") {
		t.Errorf("said: %s", said)
	}
}
