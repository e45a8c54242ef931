package main

import (
	"net/netip"
	"strings"
	"syscall"
	"testing"
)

// smallZone makes the zone app by a file with these lines, and starts the daemon.
func smallZone(t *testing.T, lines string) *world {
	t.Helper()
	w := newWorld(t)
	w.outside.dnsServer("203.0.113.2:53", netip.Addr{})
	w.write("etc/systemd/network/80-container-vz.network.d/small.conf", lines)
	w.startDaemon()
	w.command("ip", "link", "add", "vz-app", "type", "bridge")
	return w
}

// mend does what doctor says to do with a file and a reload.
func (w *world) mend(report, hop string) {
	w.t.Helper()
	write, reload, found := strings.Cut(fixOf(report, hop), " && systemctl reload networkd-lite")
	if !found || reload != "" {
		w.t.Fatalf("no reload in %q", fixOf(report, hop))
	}
	w.command("sh", "-c", strings.ReplaceAll(write, "/etc/systemd", w.root+"/etc/systemd"))
	w.daemon.command.Process.Signal(syscall.SIGHUP)
}

// Who has the addresses of a pool of which none is left is said, and what doctor says makes it larger.
func TestDoctorPoolSize(t *testing.T) {
	w := smallZone(t, "[Network]\nAddress=\nAddress=10.7.0.1/24\n[DHCPServer]\nPoolOffset=10\nPoolSize=2\n")
	squatter := w.addToZone("squatter", otherMAC, false)
	squatter.command("ip", "address", "add", "10.7.0.10/24", "dev", "host0")
	squatter.command("ip", "link", "set", "host0", "up")
	db := w.addToZone("db", "02:00:00:00:00:02", true)
	db.dhcp()
	web := w.addToZone("web", ownMAC, true)
	web.command("ip", "link", "set", "host0", "up")
	w.waitFor("state UP", "ip", "link", "show", "dev", "vb-web") // the kernel is late with carriers
	report := w.examined("dhcp", "FAIL  dhcp        no answer to a DHCPDISCOVER from host0: all 2 addresses that DHCP may give on vz-app are taken: "+
		"10.7.0.10 by "+otherMAC+" without a lease, 10.7.0.11 by container db (02:00:00:00:00:02)\n")
	w.mend(report, "dhcp")
	if lease := web.dhcp(); strings.HasPrefix(lease, "10.7.0.10/") || strings.HasPrefix(lease, "10.7.0.11/") || !strings.HasPrefix(lease, "10.7.0.") {
		t.Errorf("lease %q", lease)
	}
	w.examined("")
}

// A subnet that is full becomes a larger one.
func TestDoctorPoolSubnet(t *testing.T) {
	w := smallZone(t, "[Network]\nAddress=\nAddress=10.7.0.1/30\n")
	w.addToZone("db", "02:00:00:00:00:02", true).dhcp()
	web := w.addToZone("web", ownMAC, true)
	web.command("ip", "link", "set", "host0", "up")
	w.waitFor("state UP", "ip", "link", "show", "dev", "vb-web") // the kernel is late with carriers
	report := w.examined("dhcp", "the only address that DHCP may give on vz-app is taken: 10.7.0.2 by container db (02:00:00:00:00:02)\n")
	w.mend(report, "dhcp")
	w.waitFor("10.7.0.1/29", "ip", "address", "show", "dev", "vz-app")
	if lease := web.dhcp(); !strings.HasPrefix(lease, "10.7.0.") {
		t.Errorf("lease %q", lease)
	}
	w.examined("")
}

// A container with a fixed address, in another network here, needs nothing of a pool that is exhausted. Fixed addresses of others count.
func TestDoctorPoolNotNeeded(t *testing.T) {
	w := smallZone(t, "[Network]\nAddress=\nAddress=10.7.0.1/29\n[DHCPServer]\nPoolOffset=2\nPoolSize=2\n")
	fixed := func(name, mac, address string) *namespace {
		n := w.addToZone(name, mac, false)
		w.write("run/nspawnkit/machines/"+name+".json", `{"version":1,"name":"`+name+`","zone":"app","links":[{"host":"vb-`+name+
			`","container":"host0","containerMAC":"`+mac+`","bridge":"vz-app","addresses":["`+address+`"]}]}`)
		n.command("ip", "address", "add", address, "dev", "host0")
		n.command("ip", "link", "set", "host0", "up")
		return n
	}
	fixed("app", "02:00:00:00:00:03", "10.7.0.2/29")
	db := w.addToZone("db", "02:00:00:00:00:02", true)
	db.dhcp()
	web := fixed("web", ownMAC, "10.9.0.2/24")
	w.waitFor("10.9.0.1/24", "ip", "address", "show", "dev", "vz-app")
	w.waitForLog("vb-web: up")
	web.command("ip", "route", "add", "default", "via", "10.9.0.1")
	w.examined("", "-     dhcp        no answer to a DHCPDISCOVER from host0: all 2 addresses that DHCP may give on vz-app are taken: "+
		"10.7.0.2 by container app, 10.7.0.3 by container db (02:00:00:00:00:02); the container needs none, by its Address=\n")
}

// The one lease of a link that another machine behind it has.
func TestDoctorPoolOfLink(t *testing.T) {
	w := newWorld(t)
	w.startDaemon()
	web := w.addContainer("web")
	web.command("ip", "link", "set", "host0", "address", otherMAC)
	web.dhcp()
	web.command("ip", "address", "flush", "dev", "host0")
	web.command("ip", "link", "set", "host0", "down")
	web.command("ip", "link", "set", "host0", "address", ownMAC, "up")
	report := w.examined("dhcp", "the only address that DHCP may give on ve-web is taken: 192.168.177.56 by "+otherMAC+"\n")
	w.mend(report, "dhcp")
	if lease := web.dhcp(); lease != webLease {
		t.Errorf("lease %q", lease)
	}
}

// An address that is somebody else's is named with its owner.
func TestDoctorConflict(t *testing.T) {
	w := smallZone(t, "[Network]\nAddress=\nAddress=10.7.0.1/24\n")
	db := w.addToZone("db", "02:00:00:00:00:02", true)
	lease, _, _ := strings.Cut(db.dhcp(), " ")
	taken, _, _ := strings.Cut(lease, "/")
	web := w.addToZone("web", ownMAC, true)
	web.dhcp()
	w.examined("", "ok    conflict    "+web.address()+" is nobody else's")
	use := func(n *namespace, address string) {
		n.command("ip", "address", "flush", "dev", "host0")
		n.command("ip", "address", "add", address, "dev", "host0")
		n.command("ip", "route", "replace", "default", "via", "10.7.0.1")
	}
	use(web, lease)
	w.examined("conflict", "FAIL  conflict    host0 has "+taken+", which is that of container db (02:00:00:00:00:02) by its lease")

	squatter := w.addToZone("squatter", otherMAC, false)
	squatter.command("ip", "link", "set", "host0", "up")
	use(squatter, "10.7.0.99/24")
	use(web, "10.7.0.99/24")
	w.examined("conflict", "FAIL  conflict    host0 has 10.7.0.99, which "+otherMAC+" uses, too")
}
