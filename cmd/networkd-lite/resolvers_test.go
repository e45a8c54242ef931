package main

import (
	"fmt"
	"net/netip"
	"testing"
)

// A server of the host that is dead or silent is named, also one behind the stub of systemd-resolved.
func TestDoctorResolver(t *testing.T) {
	const stub, lost = "nameserver 127.0.0.53\n", "nobody answers questions for names outside, of the host neither"
	silent := func(w *world) {
		w.outside.command("nft", "table inet other { chain one { type filter hook input priority filter; udp dport 53 drop; }; }")
	}
	for name, test := range map[string]struct {
		resolvConf, behind string
		breaks             func(w *world, host *namespace)
		hop, line          string
	}{
		"second answers": {stub + "nameserver 203.0.113.2\n", "", func(*world, *namespace) {}, "",
			"ok    resolver    203.0.113.2 answers the host; 127.0.0.53 gives no answer (refused) before it in /etc/resolv.conf"},
		"silent": {"nameserver 203.0.113.2\n", "", func(w *world, _ *namespace) { silent(w) }, "resolver",
			"FAIL  resolver    203.0.113.2 gives no answer: " + lost},
		"stub dead": {stub, "nameserver 203.0.113.2\n", func(*world, *namespace) {}, "resolver",
			"FAIL  resolver    127.0.0.53 gives no answer (refused): the host's own resolver gives no answers, although 203.0.113.2 does, which it asks"},
		"behind the stub": {stub, "nameserver 203.0.113.2\n", func(w *world, host *namespace) {
			silent(w)
			w.command("nft", `table inet stub { chain one { type filter hook output priority filter; oifname "lo" udp sport 53 drop; }; }`) // it waits for the other
			host.dnsServer("127.0.0.53:53", netip.Addr{})
		}, "resolver", "FAIL  resolver    127.0.0.53 passes questions on, but 203.0.113.2 gives no answer: " + lost},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.outside.dnsServer("203.0.113.2:53", netip.Addr{})
			w.write("etc/resolv.conf", test.resolvConf)
			if test.behind != "" {
				w.write("run/systemd/resolve/resolv.conf", test.behind)
			}
			w.startDaemon()
			web := w.runsWithPort()
			web.dhcp()
			web.echoServer("0.0.0.0:80")
			w.waitForLog("web: ports lead to 192.168.177.55")
			test.breaks(w, &namespace{w, fmt.Sprint(w.daemon.command.Process.Pid)})
			w.examined(test.hop, test.line)
		})
	}
}
