package main

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// waitUntilGone waits until a command does not print text any more.
func (w *world) waitUntilGone(text string, command ...string) {
	w.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		shown := w.command(command...)
		if !strings.Contains(shown, text) {
			return
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("%q still has %q:\n%s\n%s", command, text, shown, w.daemon.said())
		}
	}
}

// A route over the links of two containers is there as long as both are, for IPv4 and IPv6; after a kill and with another file it goes.
func TestMultiPathRoute(t *testing.T) {
	w := newWorld(t)
	const head = "[Match]\nName=ve-web\n[Network]\nAddress=10.7.0.1/24\nAddress=2001:db8:7::1/64\n"
	w.write("etc/systemd/network/10-db.network", "[Match]\nName=ve-db\n[Network]\nAddress=10.8.0.1/24\nAddress=2001:db8:8::1/64\n")
	w.write("etc/systemd/network/10-web.network", head+`[Route]
Destination=10.30.0.0/16
MultiPathRoute=10.7.0.2 20
MultiPathRoute=10.8.0.2@ve-db
[Route]
Destination=2001:db8:30::/48
MultiPathRoute=2001:db8:7::2
MultiPathRoute=2001:db8:8::2@ve-db 3
[Route]
Destination=10.31.0.0/16
MultiPathRoute=@ve-db 9
[Route]
Destination=10.32.0.0/16
MultiPathRoute=@ve-web
MultiPathRoute=198.51.100.7@ve-db
GatewayOnLink=yes
`)
	w.startDaemon()
	shown := func(texts ...string) {
		t.Helper()
		for _, text := range texts {
			family := "-4"
			if strings.Contains(text, ":") {
				family = "-6"
			}
			w.waitFor(text, "sh", "-c", "ip "+family+" route show proto static | tr -s '\\n\\t ' ' '")
		}
	}
	all := []string{
		"10.30.0.0/16 nexthop via 10.7.0.2 dev ve-web weight 20 nexthop via 10.8.0.2 dev ve-db weight 1",
		"2001:db8:30::/48 metric 1024 pref medium nexthop via 2001:db8:7::2 dev ve-web weight 1 nexthop via 2001:db8:8::2 dev ve-db weight 3",
		"10.31.0.0/16 dev ve-db", "10.32.0.0/16 nexthop dev ve-web weight 1 nexthop via 198.51.100.7 dev ve-db weight 1 onlink",
	}
	w.addContainer("web").command("ip", "link", "set", "host0", "up")
	w.addContainer("db").command("ip", "link", "set", "host0", "up")
	shown(all...)
	for range 2 {
		w.command("ip", "link", "delete", "ve-db")
		w.waitUntilGone(":30::", "ip", "-6", "route")
		w.waitUntilGone("10.3", "ip", "route")
		w.addContainer("db").command("ip", "link", "set", "host0", "up")
		shown(all...)
	}
	w.command("ip", "route", "add", "10.33.0.0/16", "proto", "static", "nexthop", "via", "10.7.0.2", "nexthop", "via", "10.8.0.2") // an admin's
	w.waitFor(`"hops"`, "cat", filepath.Join(w.root, "run/nspawnkit/network/status.json"))
	w.daemon.stop(syscall.SIGKILL)
	w.write("etc/systemd/network/10-web.network", head)
	w.startDaemon()
	w.waitUntilGone("10.30", "ip", "route")
	w.waitUntilGone("10.31", "ip", "route")
	w.waitUntilGone("10.32", "ip", "route")
	w.waitUntilGone(":30::", "ip", "-6", "route")
	shown("10.33.0.0/16")
	if said := w.daemon.said(); strings.Contains(said, "route:") || strings.Contains(said, ".network:") {
		t.Errorf("said: %s", said)
	}
}
