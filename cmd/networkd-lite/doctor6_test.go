package main

import (
	"net/netip"
	"strings"
	"syscall"
	"testing"
)

// withIPv6 makes a host with a way out by IPv6, and a container with addresses of both versions and a port.
func withIPv6(t *testing.T) (w *world, web *namespace) {
	t.Helper()
	w = newWorld(t)
	w.outside.dnsServer("203.0.113.2:53", netip.Addr{})
	w.addIPv6()
	w.outside.dnsServer("[2001:db8::2]:53", netip.Addr{})
	w.write("etc/resolv.conf", "nameserver 203.0.113.2\nnameserver 2001:db8::2\n")
	w.startDaemon()
	web = w.runsWithPort()
	web.dhcp()
	web.echoServer("0.0.0.0:80")
	w.waitForLog("web: ports lead to 192.168.177.55")
	web.echoServer("[" + web.address6("host0", webPrefix) + "]:80")
	return w, web
}

// Whatever of IPv6 is broken is named; what is off because somebody wants it so is no failure.
func TestDoctorIPv6(t *testing.T) {
	drop := func(w *world, text string) {
		w.command("nft", "table ip6 other { chain one { type filter hook "+text+"; }; }")
	}
	reload := func(w *world, file, text string) {
		w.write("etc/systemd/network/80-container-ve.network.d/a.conf", file)
		w.daemon.command.Process.Signal(syscall.SIGHUP)
		w.waitFor(text, "cat", w.root+"/run/nspawnkit/network/status.json")
	}
	for _, test := range []struct {
		name, hop string
		breaks    func(w *world, web *namespace)
		line      string
	}{
		{"healthy", "", func(*world, *namespace) {}, ""},
		{"switched off", "", func(w *world, _ *namespace) { w.command("sysctl", "-w", "net.ipv6.conf.ve-web.disable_ipv6=1") },
			"-     address6    no IPv6: sysctl net/ipv6/conf/ve-web/disable_ipv6 is 1"},
		{"not to advertise", "", func(w *world, _ *namespace) {
			reload(w, "[Network]\nIPv6SendRA=no\nAddress=\nAddress=0.0.0.0/28\n", `"routerAdvertisements": false`)
			w.waitFor("=", "sh", "-c", "ip -6 address show dev ve-web | grep -q fd6e || echo =")
		}, "network does not say IPv6SendRA=yes"},
		{"off inside", "", func(_ *world, web *namespace) { web.command("sysctl", "-w", "net.ipv6.conf.host0.disable_ipv6=1") },
			"-     container6  host0 has no IPv6: the container has it switched off"},
		{"ignored inside", "", func(_ *world, web *namespace) {
			web.command("sysctl", "-w", "net.ipv6.conf.host0.accept_ra=0")
			web.command("ip", "-6", "address", "flush", "dev", "host0", "scope", "global")
		}, "-     container6  host0 has no IPv6 address: the container takes no router advertisements"},
		{"silent", "ra", func(w *world, _ *namespace) { drop(w, "input priority filter; icmpv6 type nd-router-solicit drop") },
			"FAIL  ra          no answer to a router solicitation from host0: nft chain ip6 other one (a rule that may drop) may drop what comes in"},
		{"takes no address", "container6", func(_ *world, web *namespace) {
			web.command("sysctl", "-w", "net.ipv6.conf.host0.autoconf=0")
			web.command("ip", "-6", "address", "flush", "dev", "host0", "scope", "global")
		}, "FAIL  container6  host0 has no IPv6 address although ve-web advertises fd6e:7370:6177:eb13::/64"},
		{"no neighbour", "gateway6", func(w *world, web *namespace) {
			drop(w, "input priority filter; icmpv6 type { nd-neighbor-solicit, echo-request } drop")
			web.command("ip", "-6", "neighbour", "flush", "dev", "host0")
		}, "FAIL  gateway6    fd6e:7370:6177:eb13::1, the host, does not answer the container"},
		{"no forwarding", "forwarding6", func(w *world, _ *namespace) { w.command("sysctl", "-w", "net.ipv6.conf.all.forwarding=0") },
			"FAIL  forwarding6 sysctl net/ipv6/conf/all/forwarding is 0"},
		{"another way back", "reverse6", func(w *world, web *namespace) {
			w.command("ip", "-6", "route", "add", web.address6("host0", webPrefix)+"/128", "dev", "up0")
		}, "through up0, not ve-web"},
		{"not masqueraded", "masquerade6", func(w *world, _ *namespace) {
			w.command("nft", `delete element inet nspawnkit masquerade6 { "ve-web" }`)
		}, "FAIL  masquerade6 ve-web is missing in the nft table"},
		{"forward is dropped", "firewall6", func(w *world, _ *namespace) { drop(w, "forward priority filter; policy drop") },
			"FAIL  firewall6   nft chain ip6 other one (policy drop) drops the container's packets"},
		{"lost", "outside6", func(w *world, _ *namespace) {
			drop(w, `postrouting priority filter; iifname "ve-web" oifname "up0" drop`)
		},
			"FAIL  outside6    2001:db8::2 answers the host, but not the container"},
		{"no way out", "", func(w *world, _ *namespace) { w.command("ip", "-6", "route", "flush", "dev", "up0", "default") },
			"-     outside6    the host has no default route for IPv6"},
		{"names are not served", "dns6", func(w *world, _ *namespace) { drop(w, "input priority filter; udp dport 53 drop") },
			"answers questions of the host, but not of the container"},
		{"port", "ports6", func(_ *world, web *namespace) {
			web.command("nft", "table ip6 other { chain one { type filter hook input priority filter; tcp dport 80 drop; }; }")
		}, "TCP port 80 of the container does not answer the host"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w, web := withIPv6(t)
			test.breaks(w, web)
			report, failed := w.doctor("web")
			if failed != test.hop || !strings.Contains(report, test.line) {
				t.Errorf("fails at %q, want %q with %q:\n%s", failed, test.hop, test.line, report)
			}
			if test.name == "healthy" {
				golden(t, "doctor-ipv6", withoutServer(report))
			}
			if test.hop == "firewall6" || test.hop == "ra" {
				w.command("sh", "-c", fixOf(report, test.hop))
				if report, failed := w.doctor("web"); failed != "" {
					t.Errorf("what it says does not help: %s", report)
				}
			}
		})
	}
}

// What a container calls its interface is shown, not obeyed.
func TestDoctorInterfaceName(t *testing.T) {
	w, web := withIPv6(t)
	web.command("ip", "link", "set", "host0", "down")
	web.command("ip", "link", "set", "host0", "name", "a\x1b[31m")
	web.command("ip", "link", "set", "a\x1b[31m", "up")
	if report, _ := w.doctor("web"); strings.Contains(report, "\x1b") || !strings.Contains(report, `"a\x1b[31m"`) {
		t.Errorf("%q", report)
	}
}
