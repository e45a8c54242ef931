package main

import (
	"strings"
	"syscall"
	"testing"
)

// What [NextHop] says is what ip shows, as long as the container holds its link up: after a reload and after a kill, too. Those of others stay, with
// their IDs.
func TestNextHops(t *testing.T) {
	w := newWorld(t)
	const head = "[Match]\nName=ve-web\n[Network]\nAddress=10.7.0.1/24\nAddress=2001:db8:7::1/64\n"
	w.write("etc/systemd/network/10-web.network", head+`[NextHop]
Id=11
Gateway=10.7.0.2
[NextHop]
Id=12
Gateway=198.51.100.7
OnLink=yes
[NextHop]
Id=13
Gateway=2001:db8:7::2
[NextHop]
Id=14
Group=11:20 12
[NextHop]
Id=15
Blackhole=yes
Family=ipv6
[NextHop]
Id=16
[Route]
Destination=10.30.0.0/16
NextHop=14
[Route]
Destination=10.31.0.0/16
NextHop=11
Metric=5
[Route]
Destination=2001:db8:30::/48
NextHop=13
[Route]
Destination=2001:db8:31::/48
NextHop=15
[Route]
Destination=10.32.0.0/16
NextHop=16
[Route]
Destination=10.33.0.0/16
NextHop=99
`)
	hops := []string{
		"id 11 via 10.7.0.2 dev ve-web scope link proto static", "id 12 via 198.51.100.7 dev ve-web scope link proto static onlink",
		"id 13 via 2001:db8:7::2 dev ve-web scope link proto static", "id 14 group 11,20/12 proto static", "id 15 blackhole proto static", "id 16 dev ve-web scope host proto static",
	}
	routes := []string{"10.30.0.0/16 nhid 14 proto static", "10.31.0.0/16 nhid 11 via 10.7.0.2 dev ve-web proto static metric 5", "10.32.0.0/16 nhid 16 dev ve-web proto static"}
	routes6 := []string{"2001:db8:30::/48 nhid 13 via 2001:db8:7::2 dev ve-web proto static metric 1024", "blackhole 2001:db8:31::/48 nhid 15 dev lo proto static metric 1024"}
	w.command("ip", "nexthop", "add", "id", "9", "blackhole")
	w.startDaemon()
	container := w.addContainer("web")
	for range 2 {
		container.command("ip", "link", "set", "host0", "up")
		for _, hop := range hops {
			w.waitFor(hop, "ip", "nexthop")
		}
		for _, route := range routes {
			w.waitFor(route, "ip", "route")
		}
		for _, route := range routes6 {
			w.waitFor(route, "ip", "-6", "route")
		}
		container.command("ip", "link", "set", "host0", "down")
		w.waitUntilGone("via", "ip", "nexthop")
		w.waitUntilGone("10.3", "ip", "route")
	}
	container.command("ip", "link", "set", "host0", "up")
	w.waitFor(routes[0], "ip", "route")
	is := func(want string) {
		t.Helper()
		if got := w.command("ip", "nexthop"); got != want {
			t.Errorf("next hops:\n%swant:\n%s", got, want)
		}
	}
	w.write("etc/systemd/network/10-web.network", head+"[NextHop]\nId=11\nGateway=10.7.0.5\n[NextHop]\nId=14\nGroup=11\n[NextHop]\nId=16\nBlackhole=yes\n[Route]\nDestination=10.30.0.0/16\nNextHop=14\n")
	w.daemon.command.Process.Signal(syscall.SIGHUP)
	w.waitFor("id 16 blackhole", "ip", "nexthop")
	is("id 9 blackhole \nid 11 via 10.7.0.5 dev ve-web scope link proto static \nid 14 group 11 proto static \nid 16 blackhole proto static \n")
	if got := w.command("ip", "route", "show", "proto", "static"); !strings.HasPrefix(got, "10.30.0.0/16 nhid 14 via 10.7.0.5 dev ve-web") || strings.Count(got, "\n") != 1 {
		t.Errorf("routes %q", got)
	}
	w.command("ip", "nexthop", "add", "id", "99", "via", "10.7.0.9", "dev", "ve-web") // an admin's
	w.daemon.stop(syscall.SIGKILL)
	w.write("etc/systemd/network/10-web.network", head+"[NextHop]\nId=9\nGateway=10.7.0.3\n[NextHop]\nId=12\nGateway=10.7.0.3\n[NextHop]\nId=14\nBlackhole=yes\n[Route]\nDestination=10.33.0.0/16\nNextHop=99\n")
	w.startDaemon()
	w.waitFor("10.33.0.0/16 nhid 99", "ip", "route")
	is("id 9 blackhole \nid 12 via 10.7.0.3 dev ve-web scope link proto static \nid 14 blackhole proto static \nid 99 via 10.7.0.9 dev ve-web scope link \n")
	w.command("ip", "link", "delete", "ve-web")
	w.waitUntilGone("id 14", "ip", "nexthop")
	is("id 9 blackhole \n")
	const conflict = "ve-web: next hop id 9 via 10.7.0.3: its ID is taken: id 9 ipv4 blackhole is there, not networkd-lite's: choose another Id= in "
	said := w.daemon.said()
	if rest := strings.Replace(said, conflict, "", 1); rest == said || strings.Contains(rest, "taken") || strings.Contains(rest, "add route") || strings.Contains(rest, ".network:") {
		t.Errorf("said: %s", said)
	}
}
