package main

import (
	"net/netip"
	"strings"
	"testing"
)

// declines has the DHCP client of a container, which asks with ARP first, decline the address that it is given.
func (n *namespace) declines(address string) {
	n.t.Helper()
	n.command("ip", "link", "set", "host0", "up")
	client := n.world.start("nsenter", "--target="+n.pid, "--net", "busybox", "udhcpc", "-i", "host0", "-f", "-a", "-t", "10", "-T", "1", "-s", "/bin/true")
	n.waitFor(`"declined": "`+address+`"`, "cat", n.root+"/run/nspawnkit/network/status.json")
	client.Kill()
}

// A client that found that somebody else uses its address is said to have declined it, and by whom it is used: by the host on a link to one container.
func TestDoctorDecline(t *testing.T) {
	w := newWorld(t)
	w.outside.dnsServer("203.0.113.2:53", netip.Addr{})
	w.startDaemon()
	web := w.addContainer("web")
	w.waitFor("192.168.177.49", "ip", "address", "show", "dev", "ve-web")
	w.command("ip", "link", "add", "other0", "type", "bridge")
	w.command("ip", "address", "add", "192.168.177.55/32", "dev", "other0") // after the subnet was chosen
	web.declines("192.168.177.55")
	report := w.examined("container", "FAIL  container   host0 has no IPv4 address: the container's DHCP client declined 192.168.177.55, which the host has on other0\n")
	if fix := fixOf(report, "container"); !strings.HasSuffix(fix, " is offered now") {
		t.Errorf("try: %s", fix)
	}
	web.dhcp()
	w.examined("")
}

// A static lease is not looked for before it is given: somebody on the bridge of a zone may use its address.
func TestDoctorDeclineInZone(t *testing.T) {
	w := smallZone(t, "[Network]\nAddress=\nAddress=10.7.0.1/24\n[DHCPServerStaticLease]\nMACAddress="+ownMAC+"\nAddress=10.7.0.9\n")
	squatter := w.addToZone("squatter", otherMAC, false)
	squatter.command("ip", "address", "add", "10.7.0.9/24", "dev", "host0")
	squatter.command("ip", "link", "set", "host0", "up")
	w.waitFor("10.7.0.1/24", "ip", "address", "show", "dev", "vz-app")
	w.addToZone("web", ownMAC, true).declines("10.7.0.9")
	report := w.examined("container", "FAIL  container   host0 has no IPv4 address: the container's DHCP client declined 10.7.0.9, which "+otherMAC+" uses\n")
	if fix := fixOf(report, "container"); fix != "networkd-lite leases; ip neighbour show 10.7.0.9" {
		t.Errorf("try: %s", fix)
	}
}
