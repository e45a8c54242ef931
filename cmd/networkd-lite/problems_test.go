package main

import (
	"os/exec"
	"strings"
	"testing"
	"time"
)

// waitForLog waits until the daemon has said text.
func (w *world) waitForLog(text string) {
	w.t.Helper()
	for end := time.Now().Add(30 * time.Second); !strings.Contains(w.daemon.said(), text); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("the daemon did not say %q", text)
		}
	}
}

func TestNoLease(t *testing.T) {
	w := newWorld(t)
	w.startDaemon()
	const silent = "ve-web: no lease after 10s: no DHCP request came"
	web := w.addContainer("web")
	web.command("ip", "link", "set", "host0", "up")
	w.addContainer("db").dhcp()
	w.waitForLog(silent)
	w.waitFor("\n"+silent, "/proc/self/exe", "status")
	if got := w.verb("status", "--json"); !strings.Contains(got, `"no lease after 10s`) {
		t.Errorf("status: %s", got)
	}
	if said := w.daemon.said(); strings.Contains(said, "ve-db: no lease") || strings.Count(said, "no lease") != 1 {
		t.Errorf("said: %s", said)
	}

	// The host's firewall lets no request through: it is said, too.
	w.command("nft", "table inet filter { chain input { type filter hook input priority filter; udp dport 67 drop; }; }")
	late := w.addContainer("late")
	late.command("ip", "link", "set", "host0", "up")
	late.command("sh", "-c", "busybox udhcpc -i host0 -n -q -t 3 -T 1 -s /bin/true; true")
	w.waitForLog("ve-late: no lease after 10s: no DHCP request came")
}

// A VPN comes up that leads to the subnet of a container.
func TestRenumber(t *testing.T) {
	w := newWorld(t)
	w.startDaemon()
	web := w.addContainer("web")
	web.dhcp()
	w.command("ip", "route", "add", "192.168.0.0/16", "via", "203.0.113.2")
	w.waitForLog("ve-web: subnet 192.168.177.48/28 overlaps the route to 192.168.0.0/16 through up0, which came later: " +
		"change the subnet with: networkd-lite renumber ve-web")
	if got := web.seenAs("203.0.113.2:8080"); got != "203.0.113.1" {
		t.Errorf("seen outside as %s", got)
	}
	if got := w.verb("renumber", "ve-web"); got != "ve-web: 172.30.177.48/28, was 192.168.177.48/28\n" {
		t.Errorf("renumber: %s", got)
	}
	web.command("ip", "address", "flush", "dev", "host0")
	if lease := web.dhcp(); !strings.HasPrefix(lease, "172.30.177.") {
		t.Errorf("lease: %s", lease)
	}
	if got := web.seenAs("203.0.113.2:8080"); got != "203.0.113.1" {
		t.Errorf("seen outside as %s", got)
	}
	if got := w.verb("status"); strings.Contains(got, "overlaps") {
		t.Errorf("status: %s", got)
	}
	for name, want := range map[string]string{"ve-none": `no link "ve-none" is looked after`, "../x": `no link "../x" is looked after`} {
		command := exec.Command("/proc/self/exe", "renumber", name)
		command.Env = w.env
		if out, err := command.CombinedOutput(); err == nil || string(out) != "networkd-lite: "+want+"\n" {
			t.Errorf("%v: %s", err, out)
		}
	}
}
