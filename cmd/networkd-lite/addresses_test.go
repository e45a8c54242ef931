package main

import (
	"strings"
	"syscall"
	"testing"
)

// What [Address] says is what ip shows, also after a kill and with other settings of the same address.
func TestAddressKeys(t *testing.T) {
	w := newWorld(t)
	const head = "[Match]\nName=ve-web\n[Address]\nAddress=10.1.0.1/24\n"
	w.write("etc/systemd/network/10-web.network", head+`Peer=10.9.0.2/32
Label=ve-web:one
PreferredLifetime=0
Scope=link
[Address]
Address=10.2.0.1/24
Broadcast=10.2.0.77
RouteMetric=5
[Address]
Address=10.3.0.1/24
Broadcast=no
AddPrefixRoute=no
[Address]
Address=2001:db8:1::1/64
HomeAddress=yes
ManageTemporaryAddress=yes
DuplicateAddressDetection=none
`)
	w.startDaemon()
	w.addContainer("web")
	w.waitFor("state", "ip", "link", "show", "dev", "ve-web", "up")
	shown := w.command("ip", "address", "show", "dev", "ve-web")
	for _, want := range []string{
		"inet 10.1.0.1 peer 10.9.0.2/32 scope link deprecated ve-web:one", "inet 10.2.0.1/24 metric 5 brd 10.2.0.77 scope global ve-web",
		"inet 10.3.0.1/24 scope global noprefixroute ve-web", "inet6 2001:db8:1::1/64 scope global nodad home mngtmpaddr",
	} {
		if !strings.Contains(shown, want) {
			t.Errorf("no %q in %s", want, shown)
		}
	}
	if routes := w.command("ip", "route", "show", "dev", "ve-web"); strings.Contains(routes, "10.3.0.0/24") || !strings.Contains(routes, "10.2.0.0/24 proto kernel scope link src 10.2.0.1 metric 5") {
		t.Errorf("routes %s", routes)
	}
	w.waitFor("10.9.0.2", "cat", w.root+"/run/nspawnkit/network/status.json")
	w.daemon.stop(syscall.SIGKILL)
	w.write("etc/systemd/network/10-web.network", head+"Peer=10.9.0.3/32\n")
	w.startDaemon()
	w.waitFor("inet 10.1.0.1 peer 10.9.0.3/32 scope global ve-web", "ip", "address", "show", "dev", "ve-web")
	if shown := w.command("ip", "-4", "address", "show", "dev", "ve-web"); strings.Count(shown, "inet ") != 1 {
		t.Errorf("addresses %s", shown)
	}
	if said := w.daemon.said(); strings.Contains(said, ".network:") {
		t.Errorf("said: %s", said)
	}
}
