package main

import (
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// doctor runs the verb, and returns what it prints and the hop that it says fails first.
func (w *world) doctor(args ...string) (report, failed string) {
	w.t.Helper()
	command := exec.Command("/proc/self/exe", append([]string{"doctor"}, args...)...)
	command.Env = w.env
	var stdout, stderr strings.Builder
	command.Stdout, command.Stderr = &stdout, &stderr
	err := command.Run()
	failed, isHop := strings.CutPrefix(stderr.String(), "networkd-lite: the first hop that fails: ")
	if (err != nil) != (stderr.Len() > 0) || err != nil && !isHop {
		w.t.Fatalf("doctor: %v: %s%s", err, stdout.String(), stderr.String())
	}
	return stdout.String(), strings.TrimSuffix(failed, "\n")
}

// runsWithPort makes the container web, which publishes a port and has a lease.
func (w *world) runsWithPort() *namespace {
	w.t.Helper()
	w.write("run/nspawnkit/machines/web.json", fmt.Sprintf(
		`{"version":1,"name":"web","links":[{"host":"ve-web","container":"host0","containerMAC":%q}],"ports":[{"protocol":"tcp","host":8080,"container":80}]}`, ownMAC))
	return w.addContainer("web")
}

// Whatever is broken is named.
func TestDoctor(t *testing.T) {
	drop := func(w *world, text string) {
		w.command("nft", "table inet other { chain one { type filter hook "+text+"; }; }")
	}
	for _, test := range []struct {
		hop    string
		breaks func(w *world, web *namespace)
		line   string
	}{
		{"", func(*world, *namespace) {}, ""},
		{"daemon", func(w *world, _ *namespace) { w.daemon.stop(syscall.SIGTERM) }, "FAIL  daemon      networkd-lite does not run"},
		{"link", func(w *world, _ *namespace) { w.command("ip", "link", "delete", "ve-web") }, "FAIL  link        the container web has no link"},
		{"link", func(w *world, _ *namespace) {
			w.daemon.command.Process.Signal(syscall.SIGSTOP)
			w.command("ip", "link", "set", "ve-web", "down")
		}, "FAIL  link        ve-web is down"},
		{"owner", func(w *world, _ *namespace) {
			w.write("etc/systemd/network/80-container-ve.network", "")
			w.daemon.command.Process.Signal(syscall.SIGHUP)
			w.waitFor("no .network file matches", "cat", w.root+"/run/nspawnkit/network/status.json")
		}, "FAIL  owner       nobody looks after ve-web"},
		{"carrier", func(_ *world, web *namespace) { web.command("ip", "link", "set", "host0", "down") }, "FAIL  carrier     the container's side of ve-web is down"},
		{"address", func(w *world, _ *namespace) {
			w.daemon.command.Process.Signal(syscall.SIGSTOP)
			w.command("ip", "-4", "address", "flush", "dev", "ve-web")
		}, "FAIL  address     ve-web has no IPv4 address on the host"},
		{"dhcp", func(w *world, _ *namespace) { w.daemon.command.Process.Signal(syscall.SIGSTOP) }, "FAIL  dhcp        no answer to a DHCPDISCOVER from host0"},
		{"dhcp", func(w *world, _ *namespace) { drop(w, "input priority filter; policy drop; tcp dport 22 accept") },
			"FAIL  dhcp        no answer to a DHCPDISCOVER from host0: nft chain inet other one (policy drop) may drop what comes in"},
		{"container", func(_ *world, web *namespace) { web.command("ip", "address", "flush", "dev", "host0") },
			"FAIL  container   host0 has no IPv4 address although DHCP offers one"},
		{"container", func(_ *world, web *namespace) { web.command("ip", "route", "delete", "default") }, "but the container has no default route"},
		{"gateway", func(w *world, web *namespace) {
			w.command("nft", "table arp other { chain one { type filter hook input priority filter; drop; }; }")
			web.command("ip", "neighbour", "flush", "dev", "host0")
		}, "FAIL  gateway     192.168.177.49, the host, does not answer"},
		{"forwarding", func(w *world, _ *namespace) { w.command("sysctl", "-w", "net.ipv4.ip_forward=0") }, "FAIL  forwarding  sysctl net/ipv4/ip_forward is 0"},
		{"reverse", func(w *world, _ *namespace) {
			w.command("ip", "route", "add", "192.168.177.55/32", "via", "203.0.113.2")
		},
			"FAIL  reverse     the host would answer 192.168.177.55 through up0, not ve-web"},
		{"masquerade", func(w *world, _ *namespace) { w.command("nft", "delete", "table", "inet", "nspawnkit") }, "the nft table inet nspawnkit is gone"},
		{"masquerade", func(w *world, _ *namespace) {
			w.command("nft", `delete element inet nspawnkit masquerade4 { "ve-web" }`)
		}, "ve-web is missing in the nft table"},
		{"firewall", func(w *world, _ *namespace) { drop(w, "forward priority filter; policy drop") },
			"FAIL  firewall    nft chain inet other one (policy drop) drops the container's packets"},
		{"outside", func(w *world, _ *namespace) { drop(w, `postrouting priority filter; iifname "ve-web" drop`) },
			"FAIL  outside     203.0.113.2 answers the host, but not the container"},
		{"resolver", func(w *world, _ *namespace) {
			w.outside.command("nft", "table inet other { chain one { type filter hook input priority filter; udp dport 53 drop; }; }")
		},
			"FAIL  dns         192.168.177.49 answers no DNS question, of the host neither"},
		{"dns", func(w *world, _ *namespace) { drop(w, `input priority filter; iifname "ve-web" udp dport 53 drop`) },
			"FAIL  dns         192.168.177.49 answers questions of the host, but not of the container"},
		{"ports", func(w *world, _ *namespace) {
			w.command("sed", "-i", "s/80}/81}/", w.root+"/run/nspawnkit/machines/web.json")
		}, "nothing listens on TCP port 81 in the container"},
	} {
		t.Run(strings.Trim(test.hop+" "+strings.TrimSpace(strings.TrimPrefix(test.line, "FAIL")), " "), func(t *testing.T) {
			t.Parallel() // most of it is waiting for an answer
			w := newWorld(t)
			w.outside.dnsServer("203.0.113.2:53", netip.Addr{})
			w.startDaemon()
			web := w.runsWithPort()
			web.dhcp()
			web.echoServer("0.0.0.0:80")
			w.waitForLog("web: ports lead to 192.168.177.55")
			test.breaks(w, web)
			report, failed := w.doctor("web")
			if failed != test.hop || !strings.Contains(report, test.line) {
				t.Errorf("fails at %q, want %q with %q:\n%s", failed, test.hop, test.line, report)
			}
			if test.hop == "" {
				golden(t, "doctor", withoutServer(report))
			}
			if test.hop == "firewall" {
				w.command("sh", "-c", fixOf(report, "firewall"))
				if report, failed := w.doctor("web"); failed != "" {
					t.Errorf("what it says does not help: %s", report)
				}
			}
		})
	}
}

// withoutServer leaves out which address of the host is advertised for DNS: the link-local one, until the other may be used.
func withoutServer(report string) string {
	before, rest, _ := strings.Cut(report, "dns6        ")
	_, rest, _ = strings.Cut(rest, " ")
	return before + "dns6        ADDRESS " + rest
}

// fixOf returns the command that is given for a hop.
func fixOf(report, hop string) string {
	_, rest, _ := strings.Cut(report, "FAIL  "+hop)
	_, rest, _ = strings.Cut(rest, "try: ")
	command, _, _ := strings.Cut(rest, "\n")
	return command
}

// Where no container is named a probe stands for one, and nothing of it stays.
func TestDoctorOfHost(t *testing.T) {
	w := newWorld(t)
	w.outside.dnsServer("203.0.113.2:53", netip.Addr{})
	if report, failed := w.doctor(); failed != "daemon" {
		t.Errorf("fails at %q: %s", failed, report)
	}
	w.startDaemon()
	report, failed := w.doctor()
	if failed != "" {
		t.Errorf("fails at %q", failed)
	}
	golden(t, "doctor-host", withoutServer(report))
	w.waitFor("=", "sh", "-c", "ip link show 've-doctor+' || echo =")
	if leases := w.verb("leases"); strings.Count(leases, "\n") != 1 {
		t.Errorf("leases: %s", leases)
	}
	if report, _ := w.doctor("--json"); !strings.Contains(report, `"name": "dhcp",`+"\n\t\t\t"+`"state": "ok"`) {
		t.Errorf("JSON: %s", report)
	}
	w.command("sysctl", "-w", "net.ipv4.conf.all.forwarding=0")
	if report, failed := w.doctor(); failed != "" { // the daemon switches it on for the probe, and would for a container
		t.Errorf("fails at %q: %s", failed, report)
	}
}

// A container of a zone.
func TestDoctorInZone(t *testing.T) {
	w := newWorld(t)
	w.outside.dnsServer("203.0.113.2:53", netip.Addr{})
	w.startDaemon()
	w.runsMachine("db", "vb-db", "vz-app")
	w.command("ip", "link", "add", "vz-app", "type", "bridge")
	w.command("sh", "-c", "sysctl -w net.bridge.bridge-nf-call-iptables=0 || true") // where br_netfilter is loaded
	db := w.newNamespace()
	w.command("ip", "link", "add", "vb-db", "type", "veth", "peer", "name", "host0", "address", ownMAC, "netns", db.pid)
	w.command("ip", "link", "set", "vb-db", "master", "vz-app")
	db.dhcp()
	report, failed := w.doctor("db")
	if failed != "" {
		t.Errorf("fails at %q", failed)
	}
	golden(t, "doctor-zone", withoutServer(report))
}
