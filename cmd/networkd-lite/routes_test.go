package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// What [Route] says is what ip shows; after a kill and with another file only ours go.
func TestRouteKeys(t *testing.T) {
	w := newWorld(t)
	const head = "[Match]\nName=ve-web\n[Network]\nAddress=10.7.0.1/24\nAddress=2001:db8:7::1/64\n"
	w.write("etc/systemd/network/10-web.network", head+`Gateway=10.7.0.2
[Route]
Destination=10.8.0.0/16
Gateway=10.7.0.3
PreferredSource=10.7.0.1
Metric=5
[Route]
Destination=192.0.2.0/24
Gateway=198.51.100.1
GatewayOnLink=yes
Table=77
[Route]
Destination=10.9.0.0/16
[Route]
Destination=10.10.0.0/16
Gateway=2001:db8:7::9
[Route]
Destination=10.11.0.1
Type=local
[Route]
Gateway=2001:db8:7::2
PreferredSource=2001:db8:7::1
[Route]
Destination=2001:db8:9::/48
[Route]
Destination=10.20.0.0/16
Type=blackhole
[Route]
Destination=10.21.0.0/16
Type=throw
Protocol=200
[Route]
Destination=2001:db8:20::/48
Type=prohibit
[Route]
Destination=2001:db8:21::/48
Source=2001:db8:1::/48
IPv6Preference=high
Protocol=dhcp
[Route]
Destination=10.22.0.0/16
Gateway=10.7.0.2
MTUBytes=1K
TCPAdvertisedMaximumSegmentSize=3G
HopLimit=9
InitialCongestionWindow=20
InitialAdvertisedReceiveWindow=30
TCPRetransmissionTimeoutSec=1.5
QuickAck=yes
FastOpenNoCookie=yes
TCPCongestionControlAlgorithm=reno
`)
	w.startDaemon()
	w.addContainer("web").command("ip", "link", "set", "host0", "up")
	for family, routes := range map[string][]string{
		"-4": {
			"default via 10.7.0.2 proto static", "10.8.0.0/16 via 10.7.0.3 proto static src 10.7.0.1 metric 5", "192.0.2.0/24 via 198.51.100.1 table 77 proto static onlink",
			"10.9.0.0/16 proto static scope link", "10.10.0.0/16 via inet6 2001:db8:7::9 proto static", "local 10.11.0.1 table local proto static scope host",
		},
		"-6": {"default via 2001:db8:7::2 proto static src 2001:db8:7::1 metric 1024", "2001:db8:9::/48 proto static metric 1024"},
	} {
		for _, route := range routes {
			w.waitFor(route, "ip", family, "route", "show", "table", "all", "dev", "ve-web")
		}
	}
	w.waitFor("10.22.0.0/16 via 10.7.0.2 proto static mtu 1024 advmss 65495 hoplimit 9 initcwnd 20 rto_min lock 1.5s initrwnd 30 quickack 1 congctl reno fastopen_no_cookie 1",
		"ip", "route", "show", "dev", "ve-web")
	w.waitFor("2001:db8:21::/48 from 2001:db8:1::/48 proto dhcp metric 1024 pref high", "ip", "-6", "route", "show", "dev", "ve-web")
	w.waitFor("blackhole 10.20.0.0/16 proto static", "ip", "route", "show")
	w.waitFor("throw 10.21.0.0/16 proto 200", "ip", "route", "show")
	w.waitFor("prohibit 2001:db8:20::/48", "ip", "-6", "route", "show")
	if said := w.daemon.said(); strings.Contains(said, "add route") || strings.Contains(said, ".network:") {
		t.Errorf("said: %s", said)
	}

	w.command("ip", "route", "add", "10.12.0.0/16", "dev", "ve-web", "proto", "static") // an admin's
	w.command("ip", "route", "delete", "10.9.0.0/16", "dev", "ve-web")
	w.waitFor("10.9.0.0/16", "ip", "route", "show", "dev", "ve-web")
	w.waitFor("2001:db8:9::/48", "cat", filepath.Join(w.root, "run/nspawnkit/network/status.json"))
	w.daemon.stop(syscall.SIGKILL)
	w.write("etc/systemd/network/10-web.network", head+"[Route]\nDestination=10.13.0.0/16\n")
	w.startDaemon()
	w.waitFor("10.13.0.0/16", "ip", "route", "show", "dev", "ve-web")
	want := "10.7.0.0/24 proto kernel scope link src 10.7.0.1 \n10.12.0.0/16 proto static scope link \n10.13.0.0/16 proto static scope link \n"
	if got := w.command("ip", "route", "show", "dev", "ve-web"); got != want {
		t.Errorf("routes:\n%swant:\n%s", got, want)
	}
	for _, command := range [][]string{{"ip", "route", "show", "table", "77"}, {"ip", "-6", "route", "show", "proto", "static", "table", "all"},
		{"ip", "route", "show", "type", "blackhole"}, {"ip", "route", "show", "type", "throw"}, {"ip", "-6", "route", "show", "proto", "dhcp"}} {
		if got, _ := exec.Command(command[0], command[1:]...).Output(); len(got) > 0 {
			t.Errorf("%q: %s", command, got)
		}
	}
}
